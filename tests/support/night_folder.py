"""A folder of nights, the job on it, and what the topic holds: for tests of logical dates."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.integration.test_cli import env
from tests.support.process import ROOT
from tests.support.readback import read_topic
from tests.support.warm import run


def replay(*args: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """`replay ARGS`, in a process that has imported it: a night takes a few of these."""
    return run(["replay", *map(str, args)], ROOT, env(**more), timeout_s=60)


@dataclass(frozen=True)
class NightFolder:
    """`in` holds the files; `go` runs a command on them with job j and a state folder of its own."""

    folder: Path
    bootstrap: str
    topic: str

    @property
    def inputs(self) -> Path:
        return self.folder / "in"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def checkpoint(self, date: str) -> dict[str, Any]:
        return self.checkpoint_of(f"j/{date}.json")

    def checkpoint_of(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.state / name).read_bytes())
        return found

    def go_light(self, *args: str, code: int = 0, columns: str = "80") -> subprocess.CompletedProcess[str]:
        """A command that only looks at the state folder."""
        done = replay(*args, "--state-dir", str(self.state), COLUMNS=columns)
        assert done.returncode == code, f"exit {done.returncode}, not {code}: {done.stdout}{done.stderr}"
        return done

    def write(self, name: str, *starts: str, rows: int = 5, symbol: str = "A", group_rows: int | None = None) -> Path:
        """`rows` trades, a second apart, from each of the moments on."""
        times, prices = [], []
        for start in starts:
            first_us = int(datetime.fromisoformat(start).timestamp() * 1_000_000)
            times += [first_us + n * 1_000_000 for n in range(rows)]
            prices += [first_us / 1e6 % 86_400 + n for n in range(rows)]
        path = self.inputs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = {
            "symbol": [symbol] * len(times),
            "price": prices,
            "event_time": pa.array(times, pa.timestamp("us", "UTC")),
        }
        pq.write_table(pa.table(table), path, row_group_size=group_rows or max(1, len(times)))
        return path

    def go(
        self, command: str, *options: str, code: int = 0, inputs: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        broker = ["--bootstrap-servers", self.bootstrap, "--topic", self.topic, "--job", "j"]
        making = ["--create-topic", "1"] if command in ("run", "backfill", "schedule") else []
        done = replay(
            *command.split(), inputs or str(self.inputs), *broker, *making, "--state-dir", str(self.state), *options
        )
        assert done.returncode == code, f"exit {done.returncode}, not {code}: {done.stdout}{done.stderr}"
        return done

    def by(self, delivery: str) -> tuple[str, ...]:
        """A delivery with a progress topic of its own: all tests have the same job."""
        return ("--delivery", delivery, "--progress-topic", f"{self.topic}-progress")

    def in_topic(self) -> list[str]:
        """Event times of the topic's records, in its order; empty where there is no topic."""
        records = [record for partition in read_topic(self.bootstrap, self.topic) for record in partition]
        return [json.loads(record.value or b"")["event_time"] for record in records]

    def per_day(self) -> dict[str, int]:
        return dict(Counter(time[:10] for time in self.in_topic()))
