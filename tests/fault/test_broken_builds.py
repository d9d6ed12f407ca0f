"""Would the tests notice? Each break of tests/support/broken_builds.py, and the tests that have to fail of it.

`pytest -m broken tests/fault` runs the tests of tests/fault/caught_by.py once for each break, in a pytest of its own,
with the tool broken in the jobs and in the tests' own process. Every one of them has to fail, and for the right reason:
`says` is looked for in the failure's message. It ends with a table. That they pass without a break is what the normal
run shows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from tests.fault.caught_by import CAUGHT_BY, NO_FAULT, Catch
from tests.fault.conftest import BREAK_TABLE
from tests.support.broken_builds import BREAKS
from tests.support.process import BREAK, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROUNDS = 3
"""So often a test may be run until it notices: a kill that is aimed at a moment hits it nearly always, not always."""


def test_every_break_has_its_tests_and_still_finds_what_it_breaks() -> None:
    """Broken: the tool changed, and a break that is not one any more would prove nothing."""
    assert CAUGHT_BY.keys() == BREAKS.keys()
    for name, plant in BREAKS.items():
        assert plant.__doc__, name
        with pytest.MonkeyPatch.context() as patch:
            plant(patch)  # raises where there is nothing to replace


def test_every_fault_has_a_break_that_its_test_notices() -> None:
    """Broken: a fault's test might pass whatever the tool does, and nobody would know."""
    here = Path(__file__)
    written = {
        f"tests/fault/{file.name}::{name}"
        for file in {*here.parent.glob("test_*.py")} - {here}
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
        if not name.endswith("_many_times")  # another test has the same fault once
    }
    caught = {catch.test.partition("[")[0] for catches in CAUGHT_BY.values() for catch in catches}
    assert written - caught == NO_FAULT


def failures(name: str, tests: list[str], folder: Path) -> dict[str, str]:
    """These tests with this break: what pytest says of those that failed, by the tests' names."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    command += ["-m", "soak or not soak"]
    command += [f"--junitxml={report}", *tests]
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


def _notices(catch: Catch, failed: Mapping[str, str]) -> bool:
    return re.search(catch.says, failed.get(catch.test.rpartition("::")[2], ""), re.MULTILINE) is not None


@pytest.mark.broken
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_build_is_noticed(name: str, record_property: Callable[[str, object], None], tmp_path: Path) -> None:
    """Broken: these tests would pass, or fail of something else, whatever the tool does."""
    catches, failed = CAUGHT_BY[name], dict[str, str]()
    unnoticed = catches
    for _ in range(ROUNDS):
        # All of them again: alone, it meets a new broker, whose first acknowledgement takes a second.
        failed |= failures(name, [catch.test for catch in catches], tmp_path)
        unnoticed = [catch for catch in unnoticed if not _notices(catch, failed)]
        if not unnoticed:
            break
    for catch in unnoticed:
        test = catch.test.rpartition("::")[2]
        assert test in failed, f"{catch.test} passes"
        raise AssertionError(f"{catch.test} fails of something else:\n{failed[test]}")
    noticed = ", ".join(f"`{catch.test.rpartition('::')[2]}`" for catch in catches)
    record_property(BREAK_TABLE, f"`{name}` | {(BREAKS[name].__doc__ or '').strip()} | {noticed}")
