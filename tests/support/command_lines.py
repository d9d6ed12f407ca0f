"""The command lines of replay in the files an operator copies, as the shell would hand them over."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import dockerfile
import yaml
from crontab import CronTab

from tests.support.process import ROOT

CRON = ROOT / "cron"

SPECIFIERS = {"%i": "trades", "%S": "/var/lib"}
"""What systemd puts in their place, for replay@trades.service of the system's manager."""

IN_COMMENT = re.compile(
    r"^#(?:.*[:;] replay| {8,}) ?((?:backfill|config|run|schedule|status)\b[^;#\n]* --[^;#\n]*)$", re.MULTILINE
)
"""`# Look: …; replay status --state-dir …`, or a line of its own: with options, or it is only a mention."""


def crontab_jobs(text: str) -> list[Any]:
    """The jobs, as a crontab parser sees them: percent signs taken care of."""
    return list(CronTab(tab=text))


def unit(path: Path) -> dict[str, list[str]]:
    """Setting name to its values, in order. Names are unique over a unit's sections."""
    values: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            values.setdefault(name, []).append(value)
    return values


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text()))


def container(manifest: Any) -> Any:
    """The one container of a CronJob."""
    (only,) = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return only


def all_lines() -> list[tuple[str, list[str]]]:
    """File name, and the arguments that replay gets there."""
    lines = [("crontab", arguments) for arguments in _in_crontab((CRON / "crontab").read_text())]
    lines.append(("replay-nightly.sh", _in_script((CRON / "replay-nightly.sh").read_text())))
    for path in sorted(CRON.glob("*.service")):
        if path.name == "replay-failed@.service":
            continue
        program, *arguments = shlex.split(_specified(unit(path)["ExecStart"][0]))
        assert program.endswith("/replay"), path
        lines.append((path.name, arguments))
    lines += [(path.name, shlex.split(text)) for path in _texts() for text in IN_COMMENT.findall(path.read_text())]
    lines += [("kubernetes-cronjob.yaml", container(documents(CRON / "kubernetes-cronjob.yaml")[1])["args"])]
    scheduler = documents(CRON / "compose.yaml")[0]["services"]["scheduler"]
    lines += [("compose.yaml", scheduler["command"]), ("compose.yaml", scheduler["healthcheck"]["test"][2:])]
    for step in dockerfile.parse_file(str(ROOT / "Dockerfile")):
        if step.cmd == "HEALTHCHECK":
            lines.append(("Dockerfile", list(step.value[2:])))
    return lines


def job_tables() -> dict[str, Any]:
    """The jobs of the example job file."""
    jobs: dict[str, Any] = tomllib.loads((CRON / "nightly.toml").read_text())["jobs"]
    return jobs


def _texts() -> list[Path]:
    return [
        *(path for path in sorted(CRON.iterdir()) if path.is_file() and path.suffix != ".json"),
        ROOT / "Dockerfile",
    ]


def _in_crontab(text: str) -> list[list[str]]:
    """What follows "$REPLAY" up to the next word of the shell, variables replaced as cron sets them."""
    table = CronTab(tab=text)
    found = []
    for job in table:
        command = job.command
        for name, value in table.env.items():
            command = command.replace(f"${name}", value)
        command = command.replace(f'"{table.env["REPLAY"]}"', " REPLAY ")
        words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
        while "REPLAY" in words:
            words = words[words.index("REPLAY") + 1 :]
            end = next((i for i, word in enumerate(words) if word[0] in "<>|&;()" or word == "2"), len(words))
            found.append(words[:end])
    return found


def _in_script(text: str) -> list[str]:
    """What follows "$REPLAY", with the crontab's variables and the job `trades`."""
    told = {**CronTab(tab=(CRON / "crontab").read_text()).env, "job": "trades", "ZONE": "Asia/Tokyo"}
    (command,) = re.findall(r'^"\$REPLAY" (.*?) >"\$log"', text, re.MULTILINE | re.DOTALL)
    command = re.sub(r"\$\{METRICS:\+(.*?)\}", r"\1", command.replace("\\\n", " "))
    return shlex.split(re.sub(r"\$(\w+)", lambda name: told[name[1]], command))


def _specified(text: str) -> str:
    for name, value in SPECIFIERS.items():
        text = text.replace(name, value)
    return text
