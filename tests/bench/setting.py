"""Where the benchmarks run, and for how long; and a whole process, measured by the kernel."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import confluent_kafka

from tests.support.kafka_cluster import jars


@dataclass(frozen=True, slots=True)
class Setting:
    """How much is to be measured: rows of the base case, rounds of each; `is_short` for the guard, where a few seconds
    must do. Where memory and growth are measured, no input has more than `rows_max` rows. `say` tells what is under
    way."""

    scratch: Path
    rows: int = 2_000_000
    runs: int = 5
    is_short: bool = False
    rows_max: int = 10_000_000
    say: Callable[[str], None] = print


@dataclass(frozen=True, slots=True)
class Used:
    """A process and all that it waited for: wall and CPU seconds, the largest memory of one of them in MiB."""

    wall_s: float
    cpu_s: float
    rss_mib: float


_LAUNCHER = """\
import json, os, sys, time
start_s = time.monotonic()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
wall_s, cpu_s = time.monotonic() - start_s, usage.ru_utime + usage.ru_stime
print(json.dumps([os.waitstatus_to_exitcode(status), wall_s, cpu_s, usage.ru_maxrss / 1024]), file=sys.stdout)
"""
"""A process is told its largest memory since it was forked: what it was forked from has to be small."""


def used(command: Sequence[str], env: Mapping[str, str] | None = None) -> Used:
    """Run it to its end. Raises `RuntimeError` where that is not exit 0."""
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    # What is installed has its bytecode: to compile it at each start would be most of that.
    env = {name: value for name, value in (env or os.environ).items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(launcher, stdin=subprocess.DEVNULL, capture_output=True, env=env, check=True)
    code, wall_s, cpu_s, rss_mib = json.loads(done.stdout.splitlines()[-1])
    if code != 0:
        log = done.stderr.decode(errors="replace")
        raise RuntimeError(f"{' '.join(command)[:200]} ended with {code}: {log[-500:]}")
    return Used(wall_s, cpu_s, rss_mib)


def replay_run(folder: Path, topic: str, bootstrap_servers: str, scratch: Path, *more: str) -> list[str]:
    """The command of one replay; its checkpoint is `TOPIC.json` in the scratch folder."""
    command = [sys.executable, "-m", "replay", "run", str(folder), "--topic", topic, *more]
    command += ["--checkpoint", str(scratch / f"{topic}.json"), "--state-dir", str(scratch / "state")]
    return [*command, "--bootstrap-servers", bootstrap_servers]


def machine() -> dict[str, str]:
    """What a figure depends on, for whoever compares."""
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    found = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "CPU": f"{len(os.sched_getaffinity(0))} cores, {models[0] if models else platform.machine()}",
        "memory": f"{memory_mib / 1024:.0f} GiB",
        "Python": platform.python_version(),
        "librdkafka": confluent_kafka.libversion()[0],
        "Kafka": jars().name.removeprefix("kafka-"),
    }
    others = "arrow-kafka-pyo3", "kafka-replay-cli"
    for package in ("confluent-kafka", "pyarrow", "numpy", "pyruhvro", "fastavro", "ptars", "protobuf", *others):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
