"""What a user of Airflow or Dagster copies from cron/, made to fit a test: its folders and broker, no long waits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.command_lines import CRON
from tests.support.night_folder import NightFolder
from tests.support.process import ROOT

TIMEOUT_S = 240


@dataclass(frozen=True, slots=True)
class Deployed:
    """`path` is the file as it was copied and changed. `home` is the engine's, and may hold nothing else."""

    nights: NightFolder
    path: Path
    home: Path

    def run(self, module: str, **env: str) -> Any:
        """A module of `tests.support` in a process of its own, as engines change much in theirs: what it writes."""
        out = self.home / "out.json"
        command = [sys.executable, "-m", f"tests.support.{module}", str(self.path), str(self.nights.state), str(out)]
        done = subprocess.run(
            command, env={**os.environ, **env}, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        (self.home / "log").write_text(done.stdout + done.stderr)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return json.loads(out.read_text())


def deploy(name: str, nights: NightFolder, waits: dict[str, str]) -> Deployed:
    """The file `name` of cron/ for these nights. `waits` are its waits, and what they are here."""
    text = (CRON / name).read_text()
    changes = {
        '"/srv/trades/': f'"{nights.inputs}/',
        '"localhost:9092"': f'"{nights.bootstrap}"',
        'topic="trades"': f'topic="{nights.topic}"',
        '"6:1"': '"1"',
        '"/var/lib/replay"': f'"{nights.state}"',
        **waits,
    }
    for before, after in changes.items():
        assert text.count(before) == 1, f"{before} is not in {name}, or more than once"
        text = text.replace(before, after)
    home = nights.folder / "engine"
    path = home / "code" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return Deployed(nights, path, home)
