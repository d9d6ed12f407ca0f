"""Whether a process is still there. A process id alone is no answer: ids are used again, and machines are restarted."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a host. `start` sets it apart from others with the same id; it is empty where /proc is missing."""

    host: str
    pid: int
    start: str = ""


def this_process() -> Process:
    pid = os.getpid()
    return Process(socket.gethostname(), pid, _start(pid) or "")


def is_there(process: Process) -> bool | None:
    """None: it cannot be known from here (another host or container, a system without /proc)."""
    ours = _start(os.getpid())
    if process.host != socket.gethostname() or not process.start or ours is None:
        return None
    boot, namespace, _ = process.start.split()
    our_boot, our_namespace, _ = ours.split()
    if boot == our_boot and namespace != our_namespace:  # a container that shares the host's name: other process ids
        return None
    return _start(process.pid) == process.start


def was_there(process: Process, at_s: float) -> bool | None:
    """The same where its start is not known, but that it was there at `at_s`: a process that began later is another."""
    if process.host != socket.gethostname() or _stat(os.getpid()) is None:
        return None
    fields = _stat(process.pid)
    if fields is None:
        return False
    booted = next(line for line in (_PROC / "stat").read_text().splitlines() if line.startswith("btime "))
    began_s = int(booted.split()[1]) + int(fields[_START_TICKS]) / os.sysconf("SC_CLK_TCK")
    return began_s <= at_s + 1  # btime is in whole seconds


# Fields of /proc/PID/stat behind the command's name, which may hold blanks and brackets: proc(5).
_STATE, _START_TICKS = 0, 19


def _stat(pid: int) -> list[str] | None:
    """None: there is no such process, or it is a zombie."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[_STATE] in "ZX" else fields


def _start(pid: int) -> str | None:
    """The start of the machine, the namespace of process ids, and ticks since the machine was started."""
    fields = _stat(pid)
    if fields is None:
        return None
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink(_PROC / "self/ns/pid")
    except OSError:
        boot, namespace = "unknown", "unknown"
    return f"{boot} {namespace} {fields[_START_TICKS]}"
