"""A real systemd as the first process of namespaces of its own, with no units but those of the test.

It sees the machine's files, but for /run, /var/lib and the folders of units, which are the test's. There is no journal:
what a unit prints is in `FOLDER/NAME.log`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SYSTEMD = Path("/lib/systemd/systemd")
BOOT = """\
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount --bind "$1/var-lib" /var/lib
mount --bind "$1/units" /lib/systemd/system
[ ! -d /etc/systemd/system ] || mount --bind "$1/empty" /etc/systemd/system
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=up.target \\
  --log-target=console --log-level=info --show-status=no
"""
TARGETS = ("sysinit.target", "basic.target", "shutdown.target", "network-online.target", "up.target", "timers.target")


class DoesNotBoot(Exception):
    """This machine lets no systemd run in it."""


class Systemd:
    def __init__(self, pid: int) -> None:
        self._pid = pid

    def systemctl(self, *arguments: str, timeout_s: float = 90) -> str:
        """What it prints, of either kind; it is for the test to say whether that is well."""
        inside = ["nsenter", "--target", str(self._pid), "--mount", "--pid", "--ipc", "--uts", "--cgroup"]
        done = subprocess.run(
            [*inside, "systemctl", *arguments], capture_output=True, text=True, timeout=timeout_s, check=False
        )
        return done.stdout + done.stderr

    def show(self, name: str, *properties: str) -> dict[str, str]:
        lines = self.systemctl("show", name, *(f"--property={each}" for each in properties)).splitlines()
        return dict(line.partition("=")[::2] for line in lines)


@contextmanager
def booted(folder: Path, units: Mapping[str, str], settings: Mapping[str, str]) -> Iterator[Systemd]:
    """With these units (name to text), and more settings for some of them (name of a unit to lines)."""
    for name in ("var-lib", "units", "empty"):
        (folder / name).mkdir(parents=True)
    for name in TARGETS:
        (folder / "units" / name).write_text(f"[Unit]\nDescription={name}\nDefaultDependencies=no\n")
    for name, text in units.items():
        (folder / "units" / name).write_text(text)
    for name, text in settings.items():
        drop_in = folder / "units" / f"{name}.d"
        drop_in.mkdir()
        log = f"StandardOutput=append:{folder}/{name}.log\nStandardError=append:{folder}/{name}.log\n"
        (drop_in / "test.conf").write_text(f"[Service]\n{log}{text}")
    (folder / "boot.sh").write_text(BOOT)
    namespaces = ["--mount", "--uts", "--ipc", "--pid", "--fork", "--cgroup", "--mount-proc", "--kill-child=KILL"]
    with (folder / "console").open("wb") as console:
        process = subprocess.Popen(
            ["unshare", *namespaces, "sh", str(folder / "boot.sh"), str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )
        try:
            yield _up(process, folder / "console")
        finally:
            process.kill()
            process.wait()


def _up(process: subprocess.Popen[bytes], console: Path, timeout_s: float = 30) -> Systemd:
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if children:
            found = Systemd(int(children[0]))
            if found.show("up.target", "ActiveState").get("ActiveState") == "active":
                return found
        time.sleep(0.1)
    raise DoesNotBoot(console.read_text(errors="replace")[-1000:])
