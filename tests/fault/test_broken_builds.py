"""Would the tests notice? Each break of tests/support/broken_builds.py, and the tests that have to fail of it.

`pytest -m broken tests/fault -s` runs those tests once for each break, in a pytest of its own, with the tool broken in
the jobs and in the tests' own process. Every one of them has to fail, and for the right reason: `SAYS` is looked for in
the failure's message. It ends with a table. That they pass without a break is what the normal run shows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from tests.support.broken_builds import BREAKS
from tests.support.process import BREAK, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

FAULT, INTEGRATION, UNIT = "tests/fault", "tests/integration", "tests/unit"
JOB, BROKER = f"{FAULT}/test_job_killed.py", f"{FAULT}/test_broker_faults.py"
TRANSACTIONAL, INSTANCES = f"{FAULT}/test_transactional.py", f"{FAULT}/test_instances.py"
DISK, STATE = f"{FAULT}/test_checkpoint_disk.py", f"{INTEGRATION}/test_state_conflicts.py"

DUPLICATED = r"not exact: [\d ]*duplicated"
LOST = r"not exact: [\d ]*lost"
STILL_RUNNING = r"still running after \d+ s"


def ended(code: int | str, wanted: int) -> str:
    """The job ended with this exit code instead of that one."""
    return rf"^assert {code} == {wanted}$|exit {code} instead of {wanted}:"


@dataclass(frozen=True)
class Catch:
    """A test that fails of the break, and what its failure says."""

    test: str
    says: str


CAUGHT_BY = {
    "no-tail-read": [
        Catch(f"{JOB}::test_killed_at_an_exact_place[after report 5000]", DUPLICATED),
        Catch(f"{JOB}::test_killed_at_full_speed[0]", DUPLICATED),
        Catch(f"{JOB}::test_a_resume_killed_at_an_exact_place[after save 1]", DUPLICATED),
        Catch(
            f"{FAULT}/test_lost_acknowledgements.py::test_a_job_killed_whose_acknowledgements_were_lost",
            DUPLICATED,
        ),
    ],
    "tail-by-count": [Catch(f"{JOB}::test_killed_at_an_exact_place[after report 5000]", LOST)],
    "timeout-is-end": [
        Catch(f"{BROKER}::test_a_broker_that_hangs_while_a_resume_reads", f"{DUPLICATED}|{ended(4, 0)}"),
    ],
    "no-settle-wait": [
        Catch(f"{UNIT}/test_idempotent.py::test_with_replicas_it_waits_until_none_can_hold_rows_back[20.0]", r"\[3\]"),
        Catch(f"{UNIT}/test_idempotent.py::test_with_one_replica_two_equal_looks_are_enough", r"\[3\]"),
    ],
    "no-start-save": [Catch(f"{JOB}::test_killed_before_it_saved_any_progress", DUPLICATED)],
    "one-start-save": [Catch(f"{JOB}::test_the_generation_before_never_hides_a_tail", DUPLICATED)],
    "lead-unbounded": [
        Catch(
            f"{UNIT}/test_session.py::test_no_row_goes_further_beyond_the_older_generation_than_a_resume_would_look",
            r"assert \d+ <= \d+",
        )
    ],
    "no-patience": [Catch(f"{BROKER}::test_a_broker_that_is_down_at_the_start", r"assert 'within 2 s' in")],
    "watermark-not-checked": [
        Catch(f"{BROKER}::test_acknowledged_rows_that_are_gone_are_no_secret", ended(0, 4)),
        Catch(f"{STATE}::test_offsets_beyond_the_topic_s_end", ended(0, 4)),
    ],
    "topic-id-not-checked": [Catch(f"{STATE}::test_a_topic_made_anew_that_others_have_filled", ended(0, 4))],
    "job-not-compared": [
        Catch(f"{STATE}::test_inputs_that_changed[edit]", ended(0, 4)),
        Catch(f"{STATE}::test_one_checkpoint_for_two_topics", r"the message does not say"),
    ],
    "damaged-is-new": [Catch(f"{JOB}::test_the_generation_before_is_as_good", ended(0, 4))],
    "plain-partitioner": [
        Catch(f"{INTEGRATION}/test_run.py::test_overlapping_files_become_one_order", r"not exact: .*misplaced")
    ],
    "out-of-memory-is-a-bug": [
        Catch(f"{FAULT}/test_out_of_memory.py::test_out_of_memory_in_the_middle[8388608]", r"^assert \(3 == 2")
    ],
    "save-before-ack": [Catch(f"{JOB}::test_rows_that_wait_for_a_fuller_batch_are_not_saved", LOST)],
    "ignore-failed-report": [
        Catch(f"{BROKER}::test_a_record_that_the_broker_refuses", f"{STILL_RUNNING}|{ended(0, 7)}")
    ],
    "retry-on-lost-connection": [
        Catch(f"{FAULT}/test_lost_acknowledgements.py::test_a_retry_after_the_broker_died_is_no_copy", DUPLICATED)
    ],
    "lost-connection-is-the-end": [
        Catch(f"{BROKER}::test_a_broker_killed_and_restarted_is_waited_for", f"{ended(7, 0)}|no 'trying for another'")
    ],
    "epoch-bump-ignored": [
        Catch(
            f"{UNIT}/test_deliver.py::test_a_new_epoch_ends_this_producer_and_nothing_is_drained[log]", "DID NOT RAISE"
        )
    ],
    "no-deadline": [Catch(f"{BROKER}::test_a_broker_that_hangs_for_too_long", STILL_RUNNING)],
    "flush-without-limit": [Catch(f"{BROKER}::test_a_broker_that_hangs_for_too_long", STILL_RUNNING)],
    "second-signal-ignored": [Catch(f"{BROKER}::test_a_second_signal_ends_the_drain", STILL_RUNNING)],
    "no-lock": [
        Catch(f"{BROKER}::test_a_second_instance_is_refused_and_the_first_unharmed", ended(r"\d+", 6)),
        Catch(f"{INSTANCES}::test_progress_is_read_after_the_others_are_fenced", ended(r"\d+", 6)),
    ],
    "no-fsync": [Catch(f"{JOB}::test_the_power_fails", ended(4, 0))],
    "no-folder-fsync": [
        Catch(f"{JOB}::test_the_power_fails_after_a_clean_stop_and_a_resume", DUPLICATED),
    ],
    "not-atomic-save": [
        Catch(f"{JOB}::test_killed_at_an_exact_place[amid write 1 of save 3]", ended(4, 0)),
        Catch(f"{DISK}::test_a_disk_that_fails[before write 1]", r"assert b'' == b'"),
    ],
    "always-clean": [
        Catch(f"{JOB}::test_killed_at_an_exact_place[after report 5000]", DUPLICATED),
        Catch(f"{BROKER}::test_a_stop_while_the_broker_is_down_is_heard_at_once", r"assert 'clean' == 'running'"),
    ],
    "save-errors-ignored": [
        Catch(f"{DISK}::test_a_full_disk", ended(0, 8)),
        Catch(f"{DISK}::test_a_disk_that_fails[before fsync 1]", ended(0, 8)),
        Catch(f"{DISK}::test_a_full_disk_and_the_very_first_save", ended(0, 8)),
    ],
    "init-after-read": [Catch(f"{INSTANCES}::test_progress_is_read_after_the_others_are_fenced", DUPLICATED)],
    "progress-uncommitted": [Catch(f"{TRANSACTIONAL}::test_killed_at_an_exact_place[before commit 4]", LOST)],
    "file-over-kafka": [Catch(f"{TRANSACTIONAL}::test_killed_at_an_exact_place[after commit 4]", DUPLICATED)],
    "no-owner-check": [Catch(f"{TRANSACTIONAL}::test_a_zombie_is_fenced", ended(0, 6))],
    "commit-not-checked": [Catch(f"{INSTANCES}::test_a_commit_that_comes_too_late", ended(0, 6))],
    "save-before-commit": [Catch(f"{TRANSACTIONAL}::test_killed_at_an_exact_place[before commit 4]", ended(4, 0))],
    "progress-in-another-transaction": [
        Catch(f"{TRANSACTIONAL}::test_killed_at_an_exact_place[after commit 4]", DUPLICATED)
    ],
}


def test_every_break_has_its_tests_and_still_finds_what_it_breaks() -> None:
    """Broken: the tool changed, and a break that is not one any more would prove nothing."""
    assert CAUGHT_BY.keys() == BREAKS.keys()
    for name, plant in BREAKS.items():
        assert plant.__doc__, name
        with pytest.MonkeyPatch.context() as patch:
            plant(patch)  # raises where there is nothing to replace


@pytest.fixture(scope="module")
def table() -> Callable[..., None]:
    """Prints a row."""

    def row(*cells: str) -> None:
        print("\n| " + " | ".join(cells) + " |", end="", flush=True)

    row("break", "what it breaks", "caught by")
    row("---", "---", "---")
    return row


def failures(name: str, tests: list[str], folder: Path) -> dict[str, str]:
    """These tests with this break: what pytest says of those that failed, by the tests' names."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *tests]
    ran = subprocess.run(
        command, cwd=ROOT, env={**os.environ, BREAK: name}, capture_output=True, text=True, check=False
    )
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert len(cases) == len(tests), ran.stdout
    found = {case.attrib["name"]: case.find("failure") for case in cases}
    return {test: _message(failure.text or "") for test, failure in found.items() if failure is not None}


def _message(report: str) -> str:
    """The lines that tell of the error, without those that show code: pytest marks them with an E."""
    return "\n".join(line[1:].strip() for line in report.splitlines() if line.startswith("E "))


@pytest.mark.broken
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_build_is_noticed(name: str, table: Callable[..., None], tmp_path: Path) -> None:
    """Broken: these tests would pass, or fail of something else, whatever the tool does."""
    catches = CAUGHT_BY[name]
    failed = failures(name, [catch.test for catch in catches], tmp_path)
    for catch in catches:
        test = catch.test.rpartition("::")[2]
        assert test in failed, f"{catch.test} passes"
        assert re.search(catch.says, failed[test], re.MULTILINE), (
            f"{catch.test} fails of something else:\n{failed[test]}"
        )
    noticed = ", ".join(f"`{catch.test.rpartition('::')[2]}`" for catch in catches)
    table(f"`{name}`", (BREAKS[name].__doc__ or "").strip(), noticed)
