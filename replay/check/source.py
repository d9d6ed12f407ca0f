"""What a replay would read, and the schemas that it would write: files, rows, and where the registry stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from replay.check.finding import Finding, counted, of_error, refused, told, warning
from replay.delivery import schemas as schema_flow
from replay.delivery.emptiness import check_by_footers
from replay.delivery.options import RunOptions
from replay.delivery.plan import as_tolerant
from replay.delivery.schemas import SchemaState
from replay.delivery.slices import encoder_for
from replay.errors import ExitCode, NoInput, ReplayError
from replay.record.options import UNKNOWN_IDS
from replay.registry.settings import places
from replay.source.files.trust import until_true
from replay.source.options import SourceOptions
from replay.source.source import Source

_CONFLICT = ExitCode.STATE_CONFLICT

FIRST_ROWS = 4_096
"""Rows that are read and written as records, to see that they can be: done in milliseconds."""


@dataclass
class Warnings:
    """A reporter that keeps the warnings, and shows nothing."""

    lines: list[str] = field(default_factory=list)

    def info(self, message: str) -> None: ...

    def warning(self, message: str) -> None:
        self.lines.append(message)

    def phase(self, name: str, done_rows: int, rows: int) -> None: ...


@dataclass
class Input:
    """What is found goes through `look`; `source` is there once it could be opened."""

    options: RunOptions
    ask: schema_flow.Ask
    check_stop: Callable[[], None]
    may_lack: bool = False
    source: Source | None = None

    def look(self) -> Iterator[Finding]:
        """Files, schemas and registry, each whatever becomes of the others. `may_lack`: files may come later."""
        try:
            yield from self._files(schema_flow.with_schema(self.options.source, self.ask))
        except NoInput as error:
            found = of_error("input", error)
            yield Finding("input", f"not there yet: {found.found}") if self.may_lack else found
        except ReplayError as error:
            yield of_error("input", error)
        registry = self.options.registry
        if registry.urls and self.options.source.records.has_schema:
            yield from told("registry", self._registry)
        if self.source is not None:
            yield from told("schemas", self._schemas)

    def _files(self, given: SourceOptions) -> Iterator[Finding]:
        said = Warnings()
        self.source = source = until_true(as_tolerant(given), self._opened, said.warning)
        check_by_footers(source)
        yield Finding("input", f"{counted(len(source.files), 'file')}, {counted(source.rows, 'row')}{_picked(source)}")
        if source.other_endings.looks_like_input:
            yield warning("input", source.other_endings.line(source.files_all))
        for line in said.lines:
            yield warning("input", line)

    def _opened(self, options: SourceOptions) -> Source:
        """With its first rows read, and written as records."""
        source = Source(options)
        encoder = encoder_for(source.under(UNKNOWN_IDS), 1)
        for batch in source.checked():
            self.check_stop()
            encoder.encode(batch, stop=min(FIRST_ROWS, len(batch)))
            break
        return source

    def _registry(self) -> Iterator[Finding]:
        self.ask().answers(f"{self.options.kafka.topic}-value")
        yield Finding("registry", f"answers ({', '.join(each.url for each in places(self.options.registry))})")

    def _schemas(self) -> Iterator[Finding]:
        assert self.source is not None
        registry = self.options.registry
        for each in schema_flow.plans(self.source, self.options.kafka.topic, registry, self.ask):
            what, found = f"schema of the {each.part}", f"{each.name} as {each.subject}; {each.standing}".rstrip("; ")
            if each.state is SchemaState.NOT_ASKED:
                yield refused(what, "which registry?", "name it with --registry")
            elif each.state is SchemaState.INCOMPATIBLE:
                yield refused(what, found, "change the schema, or the subject's rule in the registry", _CONFLICT)
            elif each.state is SchemaState.COMPATIBLE and not registry.register:
                yield refused(what, found, "add --schema-register, or have it registered by who may", _CONFLICT)
            else:
                yield Finding(what, found)


def _picked(source: Source) -> str:
    return f", {source.options.selection.day_text}" if source.options.selection.day_text else ""
