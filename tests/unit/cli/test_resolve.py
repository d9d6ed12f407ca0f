"""Files that are told something, of several jobs and dates: each has its own."""

from __future__ import annotations

import stat
from datetime import date
from pathlib import Path

import pytest

from replay.atomic_file import replace_file
from replay.cli import resolve
from replay.cli.options.naming import Naming
from replay.cli.options.watching import Watching
from replay.delivery.job_name import JobName
from tests.unit.cli.groups import options_of

DAY = date(2026, 11, 22)


def textfile(path: str, job: str | None = "nightly", topic: str | None = None) -> Path | None:
    given = options_of(Watching(metrics_textfile=path))
    return resolve.watch_options(given, JobName(job, DAY, Path()), topic, places=False).metrics.textfile


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder_holds_a_file_a_job(tmp_path: Path, slash: str) -> None:
    """Broken: the metrics of one job replace those of the other, and its alerts never fire."""
    assert textfile(f"{tmp_path}{slash}") == tmp_path / "replay-nightly.prom"
    assert textfile(f"{tmp_path}{slash}", None, "tra/des") == tmp_path / "replay-tra_des-01faba81.prom"
    assert textfile(f"{tmp_path}/not-yet/") == tmp_path / "not-yet" / "replay-nightly.prom"


def test_job_and_date_in_a_name() -> None:
    """Broken: a file literally called {job}."""
    assert textfile("/m/{job}-{date:%m}.prom") == Path("/m/nightly-11.prom")
    watch = options_of(Watching(report="{job}.{date}.html", summary_json="/s/{job}.json"))
    made = resolve.watch_options(watch, JobName("a b", DAY, Path()), places=False)
    assert (made.report, made.summary_json) == (Path("a_b-806c5cd3.2026-11-22.html"), "/s/a_b-806c5cd3.json")


def test_what_jobs_would_share_is_said(tmp_path: Path) -> None:
    told = resolve.shared_by_jobs({"--metrics-textfile": "all.prom", "--summary-json": "-", "--report": "{job}.html"})
    assert len(told) == 1
    assert told[0].startswith("--metrics-textfile all.prom: each job replaces")
    assert not resolve.shared_by_jobs({"--metrics-textfile": str(tmp_path), "--report": None})


def test_the_metrics_can_be_read_by_another_user(tmp_path: Path) -> None:
    """Broken: with the units' UMask=0027 node_exporter may not read the file, and says so nowhere."""
    import os

    before = os.umask(0o077)
    try:
        replace_file(tmp_path / "a.prom", b"", 0o644)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.prom").stat().st_mode) == 0o644


def test_naming_needs_no_topic() -> None:
    assert resolve.job_name(options_of(Naming(job="x"))).placed("{job}", "--report", None) == "x"
