"""Notifies a webhook or a command of how a run ended. It takes ten seconds at most, and never fails a run.

It sends the summary (see `summary.py`) and one sentence. They hold no options, and so no secrets. The address of a
webhook is often a secret itself, so that messages name its host only.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from replay import __version__
from replay.counts import RowCounts
from replay.errors import ExitCode, UsageError, printable
from replay.reporter import Reporter
from replay.watch.beside import within
from replay.watch.masking import notified
from replay.watch.run import NotifyOn

TIMEOUT_S = 10.0
_KILL_S = 1.0  # a killed command is gone by then, unless it hangs in the kernel


@dataclass(frozen=True, slots=True)
class Notify:
    """A webhook, or a command and its arguments; exactly one of them. `name` is what may be shown."""

    name: str
    url: str = field(default="", repr=False)
    command: tuple[str, ...] = field(default=(), repr=False)
    on: NotifyOn = NotifyOn.FAILURE


def parse_notify(text: str, on: NotifyOn = NotifyOn.FAILURE) -> Notify:
    """`https://…` or a command line. Raises `UsageError` for what cannot work: at the end it would be too late."""
    if re.match(r"https?://", text, re.IGNORECASE):
        with suppress(ValueError):  # a port that is no number
            parts = urlsplit(text)
            is_plain = not parts.username and text.isascii() and not re.search(r"\s", text)
            if is_plain and parts.hostname and parts.port != 0:
                return Notify(notified(text), url=text, on=on)
        todo = "write it like https://host/path, without user and password"
        raise UsageError("this is no address of a webhook", where="--notify", todo=todo)
    if re.match(r"\w+://", text):
        raise UsageError("only http and https are known", where="--notify", todo="write it like https://host/path")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"this is no command line ({error})", where="--notify", todo="close the quotes") from None
    if not words or shutil.which(words[0]) is None:
        raise UsageError(
            f"there is no command {words[0]!r}" if words else "it is empty",
            where="--notify",
            todo="give a webhook (https://…), or a command that is on the PATH; it gets JSON on standard input",
        )
    return Notify(words[0], command=tuple(words), on=on)


def sentence(document: Mapping[str, Any]) -> str:
    """`nightly 2026-11-22 failed (exit 5): localhost:9092: no acknowledgement for 300 s; 4,413 of 20,000 rows`."""
    known = (document[name] for name in ("job", "date", "outcome") if document[name] is not None)
    text = printable(" ".join(map(str, known)))  # the reason is so already
    if document["exit_code"] != ExitCode.DONE:
        text += f" (exit {document['exit_code']}): {document['reason']}"
    if document["of_rows"] is not None:
        counts = RowCounts(
            document["of_rows"], document["in_topic_rows"], document["not_selected_rows"], document["bad"] or {}
        )
        text += f"; {counts.short_text()}"
    return text


def send(notify: Notify, document: Mapping[str, Any], to: Reporter) -> None:
    """Notifies of this end, if it is one of those that are wanted. A failure to do so is a warning."""
    done = document["exit_code"] == ExitCode.DONE
    if notify.on is not NotifyOn.ALWAYS and done != (notify.on is NotifyOn.SUCCESS):
        return
    data = json.dumps({"text": sentence(document), **document}).encode()
    failures: list[str] = []

    def deliver() -> None:
        try:
            _post(notify.url, data) if notify.url else _run(notify.command, document, data)
        except Exception as error:  # whatever it is, it does not change how the run ended
            failures.append(_reason(error))

    if not within(TIMEOUT_S + 2 * _KILL_S, deliver):
        failures.append(f"no answer within {TIMEOUT_S:g} s")
    for failure in failures:
        to.warning(f"nobody was notified ({notify.name}): {failure}")


def _post(url: str, data: bytes) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": f"replay/{__version__}"}
    request = urllib.request.Request(url, data, headers, method="POST")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):
        pass


def _run(command: tuple[str, ...], document: Mapping[str, Any], data: bytes) -> None:
    """In a session of its own, so that processes which it has started end with it."""
    variables = {f"REPLAY_RUN_{name.upper()}": _text(value) for name, value in document.items()}
    variables["REPLAY_RUN_TEXT"] = sentence(document)
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,  # standard output is the run's own result
        stderr=subprocess.PIPE,
        env={**os.environ, **variables},
        start_new_session=True,
    ) as process:
        try:
            _, errors = process.communicate(data, TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        said = errors.decode(errors="replace").strip().splitlines()
        raise subprocess.SubprocessError(
            f"it ended with exit code {process.returncode}" + (f" ({said[-1]:.200})" if said else "")
        )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return (json.dumps(value) if isinstance(value, Mapping) else str(value)).replace("\0", "\\x00")


def _reason(error: Exception) -> str:
    """Never the address: it may hold a key."""
    if isinstance(error, subprocess.TimeoutExpired | TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) if isinstance(error, subprocess.SubprocessError) else type(error).__name__
