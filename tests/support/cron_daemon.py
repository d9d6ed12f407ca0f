"""Debian's cron daemon on a whole crontab, at a moment of the test's choice.

The daemon is the real one: it parses the file, waits for the minute, starts the shell with its own bare environment,
and mails what is printed. Only its clock is set (libfaketime, which the jobs do not inherit), and in a mount
namespace of its own it sees no other crontab, and `sendmail` is a script that keeps the mail. There /dev/shm is empty:
libfaketime leaves a semaphore named by process id, and a later daemon of that id would not start.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

DAEMON = Path("/usr/sbin/cron")
BEFORE_S = 3
"""The daemon is started so long before the minute: it must be up by then, and it was so within 0.1 s."""

MOUNTS = """\
set -eu
mount --bind "$1/sbin" /usr/sbin
mount --bind "$1/spool" /var/spool/cron/crontabs
mount --bind "$1/empty" /etc/cron.d
mount --bind /dev/null /etc/crontab
mount --bind "$1/run" /run
mount --bind "$1/timezone" /etc/timezone
mount -t tmpfs tmpfs /dev/shm
exec faketime "$2" /usr/sbin/cron -f
"""
SENDMAIL = """\
#!/bin/sh
cat >"{folder}/mail.part" && mv "{folder}/mail.part" "{folder}/mail"
"""
SHELL = """\
#!/bin/sh
/bin/sh "$@"
echo $? >"{folder}/code.part" && mv "{folder}/code.part" "{folder}/code"
"""
"""The crontab's shell, which also notes how the line ended."""


@dataclass(frozen=True, slots=True)
class Fired:
    """What came of a line: its exit code, and the mail (headers and text), empty if none was sent."""

    code: int
    mail: str


def night(hour: int, minute: int, zone: str) -> datetime:
    return datetime(2026, 11, 24, hour, minute, tzinfo=ZoneInfo(zone))


def fire(crontab: str, minute: str, folder: Path, zone: str = "UTC", timeout_s: float = 40) -> Fired:
    """Let the daemon come to `minute` (`02:30`) of 24 November 2026 with this crontab, on a machine in a zone, and wait
    for the end of the line that fires."""
    folder.mkdir(parents=True)
    shell = folder / "shell"
    _program(shell, SHELL.format(folder=folder))
    hour, _, minutes = minute.partition(":")
    at = night(int(hour), int(minutes), zone)
    _come_to(at, zone, crontab.replace("SHELL=/bin/sh", f"SHELL={shell}"), folder, folder / "code", timeout_s)
    mail = folder / "mail"
    return Fired(int((folder / "code").read_text()), mail.read_text() if mail.exists() else "")


def lines_that_fire(schedules: list[str], at: datetime, zone: str, folder: Path, timeout_s: float = 40) -> set[str]:
    """Which of these schedules the daemon runs when it comes to this minute, in a zone."""
    (folder / "ran").mkdir(parents=True)
    table = 'MAILTO=""\n' + "".join(f"{text} touch {folder}/ran/{n}\n" for n, text in enumerate(schedules))
    table += f"* * * * * touch {folder}/came\n"
    _come_to(at, zone, table, folder, folder / "came", timeout_s)
    return {schedules[int(path.name)] for path in (folder / "ran").iterdir()}


def _come_to(at: datetime, zone: str, crontab: str, folder: Path, until: Path, timeout_s: float) -> None:
    """Start the daemon just before a minute, and end it once the file is there and no line runs any more."""
    for name in ("sbin", "spool", "empty", "run"):
        (folder / name).mkdir(parents=True)
    shutil.copy2(DAEMON, folder / "sbin")
    _program(folder / "sbin" / "sendmail", SENDMAIL.format(folder=folder))
    (folder / "timezone").write_text(f"{zone}\n")
    table = folder / "spool" / "root"
    table.write_text(crontab)
    table.chmod(0o600)
    started = f"@{int(at.timestamp()) - BEFORE_S}"
    daemon = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNTS, "mounts", str(folder), started],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": zone},
        start_new_session=True,
    )
    try:
        _wait_over(until, folder / "run/crond.pid", daemon, time.monotonic() + timeout_s)
    finally:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.communicate()


def _wait_over(until: Path, pid: Path, daemon: subprocess.Popen[bytes], deadline: float) -> None:
    """Until the file is there and the daemon has no child any more: then a mail, if any, is sent."""
    while not until.exists() or _children(int(pid.read_text())):
        assert daemon.poll() is None, f"cron ended: {daemon.communicate()[1].decode()}"
        assert time.monotonic() < deadline, f"no line fired, or it has not ended: {sorted(until.parent.iterdir())}"
        time.sleep(0.02)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
