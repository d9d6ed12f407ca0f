"""The hooks before a commit: they are hooks, and they look for what CI looks for."""

from __future__ import annotations

import subprocess
import sys

import yaml

from tests.support.process import ROOT

CONFIG = ROOT / ".pre-commit-config.yaml"


def test_pre_commit_takes_the_file() -> None:
    """Broken: each commit of each contributor ends with "InvalidConfigError"."""
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(CONFIG)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_hooks_and_ci_run_the_same_tools() -> None:
    """Broken: a commit passes here and fails there, or the hooks name a tool that is gone."""
    hooks = [hook for repo in yaml.safe_load(CONFIG.read_text())["repos"] for hook in repo["hooks"]]
    entries = [hook["entry"].replace(" --force-exclude", "") for hook in hooks]
    lines = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line.startswith(".venv/bin/")]
    assert entries == [line.removesuffix(" .").replace(" --check", "") for line in lines]
