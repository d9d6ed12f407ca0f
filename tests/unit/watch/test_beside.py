"""Work beside the replay: rounds, a last one, and a process that ends whatever hangs."""

from __future__ import annotations

import subprocess
import sys
import threading

from replay.watch.beside import Beside, within
from tests.support.process import ROOT


def test_at_once_then_every_so_often_and_once_more_at_the_end():
    """Broken: the first values come late, the last ones never."""
    rounds: list[int] = []
    third = threading.Event()

    def work() -> None:
        rounds.append(1)
        if len(rounds) == 3:
            third.set()

    beside = Beside("test", 0.01, work)
    assert beside.start(5.0)
    assert third.wait(5.0)
    before = len(rounds)
    assert beside.finish(5.0)
    assert len(rounds) > before


def test_what_hangs_is_not_waited_for():
    """Broken: a folder or a gateway that does not answer holds the replay up."""
    hang = threading.Event()

    def hangs() -> None:
        hang.wait(30)

    beside = Beside("test", 0.01, hangs)
    assert not beside.start(0.01)
    assert not beside.finish(0.01)
    assert not within(0.01, hangs)
    hang.set()
    assert beside.finish(5.0)


def test_what_hangs_does_not_keep_the_process():
    """Broken: cron finds last night's process still there, holding the lock."""
    code = (
        "import time; from replay.watch.beside import Beside, within\n"
        "Beside('test', 1.0, lambda: time.sleep(60)).start(0.01); within(0.01, lambda: time.sleep(60))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=30)
