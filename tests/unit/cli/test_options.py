"""An option is declared once: help, variables, job files, the reference and the identity follow from that."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer

from replay.cli import resolve
from replay.cli.app import app
from replay.cli.call import LOOK_ONLY
from replay.cli.commands import COMMANDS, Command, command
from replay.cli.given import Options
from replay.cli.options.declare import Declared, Harmless, declared
from replay.cli.options.naming import Naming
from replay.cli.options.schemas import Schemas
from replay.cli.options.sending import Sending
from replay.cli.options.source import Input
from replay.cli.reference import markdown
from replay.delivery.job_name import JobName
from replay.errors import UsageError
from replay.source.source import Source
from tests.support.process import ROOT
from tests.unit.cli.groups import options_of

NAME = JobName("j", None, Path("/s"))
WORDS = [each.words for each in COMMANDS]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("REPLAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def given(of: Command, *args: str) -> Options:
    """What the command is given; it does nothing."""
    root: Any = typer.main.get_command(app)
    arguments = ["x" for each in of.options if each.required]
    with root.make_context("replay", [], resilient_parsing=True) as context:
        words = of.words.split()
        group = root
        for word in words[:-1]:
            group = group.get_command(context, word)
        made = group.get_command(context, words[-1])
        with made.make_context(words[-1], [*args, *arguments], parent=context) as inner:
            inner.meta[LOOK_ONLY] = True
            options: Options = made.invoke(inner)
            return options


def some(option: Declared) -> tuple[str, Any]:
    """A text that is not the default, and the value that it stands for."""
    if option.is_flag:
        return ("0", False) if option.default is True else ("1", True)
    if option.choices:
        return option.choices[-1], option.choices[-1]
    if option.many:
        return "a=1, 2\nb=two words", ["a=1, 2", "b=two words"]
    if option.kind in (int, float):
        return "7", 7
    return "some,thing else", "some,thing else"


@pytest.mark.parametrize("of", COMMANDS, ids=WORDS)
def test_every_option_of_every_command_is_a_variable(of: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: the page says so, and REPLAY_HEADER does nothing, or is split at its blanks."""
    wanted = {}
    for option in of.options:
        if option.required:
            assert not option.variable, "an argument that each call gives anew"
            continue
        assert re.fullmatch(r"REPLAY_[A-Z_]+", option.variable)
        text, value = some(option)
        if option.field == "config":
            Path(text).touch()
        monkeypatch.setenv(option.variable, text)
        wanted[option.field] = (value, option.variable)
    got = given(of).by_field
    assert {name: (got[name].value, got[name].origin) for name in wanted} == wanted


@pytest.mark.parametrize("of", [each for each in COMMANDS if each.reads_job_file], ids=lambda of: of.words)
def test_every_option_of_a_command_that_reads_a_job_file_is_a_key_there(of: Command) -> None:
    """Broken: a night's job file refuses what the command line takes."""
    wanted, lines = {}, ["[job]"]
    for option in of.options:
        if option.field in ("config", "job"):  # the file itself, and which of its jobs
            continue
        _, value = some(option)
        key = option.key.replace("_", "-")
        lines.append(f"{key} = " + (str(value).lower() if isinstance(value, bool | int) else repr(value)))
        wanted[option.field] = (value, f"n.toml, [job] {key}")
    Path("n.toml").write_text("\n".join(lines))
    got = given(of, "--config", "n.toml").by_field
    assert {name: (got[name].value, got[name].origin) for name in wanted} == wanted


def test_the_command_line_wins_over_a_variable_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken, most of all for options that may be repeated, whose variables Typer does not read."""
    Path("n.toml").write_text('[job]\nheader = ["a=file"]\nlinger = "1ms"\n')
    run = command("run")
    assert given(run, "--config", "n.toml")["headers"] == ["a=file"]
    monkeypatch.setenv("REPLAY_HEADER", "a=variable")
    monkeypatch.setenv("REPLAY_LINGER", "2ms")
    options = given(run, "--config", "n.toml")
    assert (options["headers"], options["linger"]) == (["a=variable"], "2ms")
    options = given(run, "--config", "n.toml", "--header", "a=line", "--linger", "3ms")
    assert (options["headers"], options["linger"]) == (["a=line"], "3ms")


def test_a_variable_means_the_same_in_every_command() -> None:
    """Broken: REPLAY_SYMBOLS=BTCUSDT of a nightly job ends `replay sample` with "not a valid int"; REPLAY_LIMIT of a
    trial cuts the history short."""
    kinds: dict[str, tuple[Any, ...]] = {}
    for option in (option for each in COMMANDS for option in each.options):
        if option.variable:
            found = (option.key, option.kind, option.many)
            assert kinds.setdefault(option.variable, found) == found, option.variable


@pytest.mark.parametrize("of", COMMANDS, ids=WORDS)
def test_no_two_options_of_a_command_share_a_name(of: Command) -> None:
    """Broken: one of them is never given."""
    for names in ([each.field for each in of.options], [each.name for each in of.options]):
        assert len(set(names)) == len(names)


def test_a_bound_or_a_unit_stands_in_the_declaration() -> None:
    """Broken: the text of an option is taken as it is, however it is written."""
    assert options_of(Sending(linger="20ms")).read("linger") == 0.02
    for text in ("20 parsecs", "1000"):
        with pytest.raises(UsageError) as refused:
            options_of(Sending(linger=text)).read("linger")
        assert refused.value.where == "--linger"


def test_the_reference_of_all_options_is_what_is_declared() -> None:
    """Broken: somebody looks up an option that is called otherwise by now."""
    page = ROOT / "replay" / "cli" / "README.md"
    assert page.read_text() == markdown(), "write it anew: replay options --markdown > replay/cli/README.md"


# -- identity -------------------------------------------------------------------------------------------------

OF_A_REPLAY = [
    option
    for group in command("run").groups
    if not issubclass(group, Harmless) or group is Naming
    for option in declared(group)
]
ELSEWHERE = {"inputs", "partitioner", "the topic", "the cluster id", "time units", "table", "schema", "value schema id"}
"""What a checkpoint compares beside the options by name."""

CHANGED: dict[str, Any] = {
    "maps": ["price=quantity"], "symbol": "X", "symbol_from": "{symbol}-2026*.parquet", "symbol_case": "lower",
    "price_scale": 2, "fields": "quantity", "rename": ["quantity=size"], "symbols": "BTCUSDT",
    "exclude_symbols": "BTCUSDT", "from_": "2026-11-02T09:00:00Z", "to": "2026-11-03T09:00:00Z",
    "where": "quantity > 1", "sample": "1/2", "limit": 7, "order": "as-is", "unsorted": "sort", "key": "side",
    "timestamp": "now", "decimal_as": "string", "headers": ["a=b"], "row_header": "id", "value_column": "side",
    "key_column": "side", "headers_column": "headers", "timestamp_column": "sent",
    "translate_schema_ids": ["5=7"], "translate_key_schema_ids": ["5=7"],
}  # fmt: skip

BESIDE: dict[str, dict[str, Any]] = {
    "rename": {"fields": "quantity"}, "value_column": {"symbol": "X"},
    "translate_schema_ids": {"value_column": "side", "symbol": "X"}, "translate_key_schema_ids": {"key_column": "side"},
}  # fmt: skip
"""What an option needs beside it."""

OF_RECORD_COLUMNS = {
    "value_column", "key_column", "headers_column", "timestamp_column", "translate_schema_ids",
    "translate_key_schema_ids",
}  # fmt: skip
"""Named where they are given: checkpoints of before know nothing of them."""

NOT_IN_THE_SAMPLE = ("price_scale", "headers_column", "timestamp_column")
"""Options for which the sample has no column: tests/unit/source has them."""


def is_compared_by_name(option: Declared) -> bool:
    return not option.option.identity and not option.option.harmless


OF_SCHEMAS: dict[str, Any] = {
    "value_format": "avro", "key_format": "avro", "schema_id_in": "header", "schema_message": "acme.Trade",
    "schema_name": "acme.Trade", "schema_doc": "trades", "schema": "x.avsc", "schema_subject": "trades-value:3",
    "subject_name": "record",
}  # fmt: skip


def identity(given: Input, name: JobName = NAME, schemas: Schemas | None = None) -> dict[str, str]:
    options = options_of(replace(given, inputs=[str(ROOT / "data")]), schemas or Schemas())
    return Source(resolve.source_options(options, name)).identity()


@pytest.mark.parametrize("option", OF_A_REPLAY, ids=lambda option: option.name)
def test_an_option_that_changes_what_is_sent_is_compared_or_declared_harmless(option: Declared) -> None:
    """Broken: a new option changes the rows or their bytes, and a resume with another value mixes both in the topic."""
    said = option.option
    assert not (said.identity and said.harmless), "it is compared, or it is `harmless`"
    assert said.identity in {"", *ELSEWHERE} or said.identity.startswith("--")


def test_the_identity_names_the_options_that_are_declared_so() -> None:
    """Broken: what is declared to be compared is not."""
    names = {option.name for option in OF_A_REPLAY if is_compared_by_name(option) and option not in declared(Naming)}
    found = {name for name in identity(Input(limit=1)) if name.startswith("--")}
    where_given = {option.name for option in declared(Schemas) if is_compared_by_name(option)}
    where_given |= {option.name for option in declared(Input) if option.field in OF_RECORD_COLUMNS}
    assert names == found | where_given | {"--delivery"}, "preflight adds the delivery"


def test_the_sample_values_cover_the_identity_of_schemas() -> None:
    assert set(OF_SCHEMAS) == {option.field for option in declared(Schemas) if not option.option.harmless}


@pytest.mark.parametrize("field", CHANGED)
def test_another_value_is_another_identity(field: str) -> None:
    """Broken: the value that a resume compares is always the same."""
    (option,) = (each for each in declared(Input) if each.field == field)
    assert is_compared_by_name(option)
    more = BESIDE.get(field, {})
    if field in NOT_IN_THE_SAMPLE:
        given = Input(inputs=["x"], **{field: CHANGED[field]})
        options = resolve.source_options(options_of(given, Schemas()), NAME)
        assert CHANGED[field] in (getattr(options.columns, field, None), getattr(options.records, field, None))
        return
    before, after = identity(Input(**more)), identity(Input(**more, **{field: CHANGED[field]}))
    assert before.get(option.name, "") != after[option.name]


def test_the_sample_values_cover_the_identity() -> None:
    names = {option.field for option in declared(Input) if is_compared_by_name(option)}
    assert names == set(CHANGED)


def test_a_date_is_compared_by_the_times_that_it_picks() -> None:
    """Broken: the second day of a job goes on in the checkpoint of the first."""
    days = [identity(Input(), replace(NAME, day=date(2026, 11, day)))["--from"] for day in (2, 3)]
    assert days[0] != days[1]
