"""A job file: the options of one or several replays, by name, in TOML; secrets by reference.

    [job]                               or [jobs.NAME], several of them
    inputs = "/data/{date}/*.parquet"   any option, without its dashes
    topic = "trades"
    [kafka]                             settings of librdkafka
    "sasl.password" = "${file:/run/secrets/kafka}"
    [registry]                          settings of the schema registry's client, and its address: url
    "basic.auth.user.info" = "${file:/run/secrets/registry}"

An option on the command line wins, then its `REPLAY_*` variable, then the job's table, then what is outside all jobs.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replay.errors import UsageError

KAFKA = "kafka"
BOOTSTRAP = "bootstrap.servers"
REGISTRY = "registry"
URL = "url"
_TABLES = ("job", "jobs", KAFKA)
_REFERENCE = re.compile(r"\$\$|\$\{(env|file):([^}]*)\}|\$\{([^}]*)\}?")


@dataclass(frozen=True, slots=True)
class Value:
    """What the file says of an option. `secret`: it came by reference, and is never shown. `secret_files` are those
    that it refers to."""

    value: Any
    where: str
    secret: bool = False
    secret_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobFile:
    """`common` holds what stands outside all jobs."""

    path: Path
    common: Mapping[str, Any]
    jobs: Mapping[str, Mapping[str, Any]]
    tables: Mapping[str, Mapping[str, Any]]

    def values(self, job: str | None, known: Collection[str]) -> dict[str, Value]:
        """Option name (with underscores) to value, for one job. Raises `UsageError` for a key nobody knows."""
        chosen = self._name(job)
        of_job = self.jobs.get(chosen, {})
        values = {}
        for key, value in {**self.common, **of_job}.items():
            name = key.replace("-", "_")
            if name not in known:
                raise self._unknown(key, known)
            table = "" if key not in of_job else f"[jobs.{chosen}] " if chosen else "[job] "
            values[name] = _resolved(value, f"{self.path}, {table}{key}")
        return values

    def settings(self, table: str) -> dict[str, Value]:
        """What a table of settings holds: `KAFKA` or `REGISTRY`."""
        listed = self.tables.get(table, {}).items()
        return {name: _resolved(value, f"{self.path}, [{table}] {name}") for name, value in listed}

    def _name(self, job: str | None) -> str:
        if job is not None and job not in self.jobs and self.jobs and "" not in self.jobs:
            close = difflib.get_close_matches(job, self.jobs, n=1)
            raise UsageError(
                f"there is no job {job!r}" + (f" (did you mean {close[0]}?)" if close else ""),
                where=str(self.path),
                todo=f"name one of {', '.join(self.jobs)} with --job",
            )
        if job is None and len(self.jobs) > 1:
            todo = f"name one: --job {next(iter(self.jobs))}"
            raise UsageError(f"there are {len(self.jobs)} jobs", where=str(self.path), todo=todo)
        return job if job is not None and job in self.jobs else next(iter(self.jobs), "")

    def _unknown(self, key: str, known: Collection[str]) -> UsageError:
        close = difflib.get_close_matches(key.replace("-", "_"), known, n=1)
        return UsageError(
            f"there is no option {key!r}",
            where=str(self.path),
            todo=f"did you mean {close[0].replace('_', '-')}?" if close else "see the options with --help",
        )


def read(path: Path) -> JobFile:
    """Raises `UsageError` for a file that is no job file."""
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(error.strerror or str(error), where=str(path), todo="check the path of --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"this is not TOML: {error}", where=str(path), todo="correct the line it names") from None
    for table in _TABLES:
        if not isinstance(body.get(table, {}), dict):
            raise UsageError(f"{table} is a table", where=str(path), todo=f"write [{table}]")
    jobs = dict(body.get("jobs", {}))
    if "job" in body and jobs:
        raise UsageError("[job] and [jobs.NAME] exclude each other", where=str(path), todo="give each job a name")
    if wrong := [name for name, table in jobs.items() if not isinstance(table, dict)]:
        raise UsageError(f"jobs.{wrong[0]} is a table", where=str(path), todo=f"write [jobs.{wrong[0]}]")
    if "job" in body:
        jobs = {"": body["job"]}
    tables = {KAFKA: body.get(KAFKA, {})}
    if isinstance(body.get(REGISTRY), dict):  # else it is the option of that name
        tables[REGISTRY] = body.pop(REGISTRY)
    common = {key: value for key, value in body.items() if key not in _TABLES}
    return JobFile(path, common, jobs, tables)


def _resolved(value: Any, where: str) -> Value:
    """With `${env:NAME}` and `${file:PATH}` replaced; `$$` is a dollar sign."""
    references: list[tuple[str, str]] = []  # kind and name

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if match[1] is None:
            raise UsageError(f"{match[0]!r} refers to nothing", where=where, todo="write ${env:NAME} or ${file:PATH}")
        references.append((match[1], match[2]))
        return _looked_up(match[1], match[2], where)

    def each_text(value: Any) -> Any:
        if isinstance(value, str):
            return _REFERENCE.sub(replaced, value)
        if isinstance(value, list):
            return list(map(each_text, value))
        if isinstance(value, dict):
            return {key: each_text(each) for key, each in value.items()}
        return value

    found = each_text(value)
    files = tuple(name for kind, name in references if kind == "file")
    return Value(found, where, secret=bool(references), secret_files=files)


def _looked_up(kind: str, name: str, where: str) -> str:
    if kind == "env":
        if name not in os.environ:
            raise UsageError(f"the variable {name} is not set", where=where, todo=f"set {name}, or name another")
        return os.environ[name]
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"{name}: {reason}", where=where, todo="check the path of the secret") from None


def texts(value: Any) -> list[str]:
    """A list option's value: an array, a table of assignments, or one text."""
    if isinstance(value, dict):
        return [f"{key}={each}" for key, each in value.items()]
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
