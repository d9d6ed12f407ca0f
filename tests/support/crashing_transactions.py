"""The tool with a SIGKILL built in, at the places that only a transactional replay has; see tests/support/crashing.py.

init        the producer is registered, and older instances are fenced (`after init 1`)
read        the job's progress record is looked for; `amid read 1` is between two portions of it
commit      a transaction is committed, the first of a run being the claim. Before it, the progress record is in
            Kafka's log already: nothing but the commit is missing
send, report, save, clean, done     as there
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from replay.__main__ import main
from replay.cluster import Cluster
from replay.deliver import TransactionalSink
from tests.support import crashing
from tests.support.crashing import Crash, die, replace

if TYPE_CHECKING:
    from collections.abc import Iterator


def plant(spec: str) -> None:
    crash = Crash(spec)
    crashing._plant_save(crash)
    crashing._plant_send(crash)
    crashing._plant_report(crash)
    _plant_read(crash)
    _plant_init(crash)
    _plant_commit(crash)


def _plant_read(crash: Crash) -> None:
    real = Cluster.read

    def read(self: Cluster, *args: Any, **options: Any) -> Iterator[Any]:
        crash.passed["read"] += 1
        if crash.due("before", "read"):
            die()
        for portion in real(self, *args, **options):
            yield portion
            if crash.due("amid", "read"):
                die()
        if crash.due("after", "read"):
            die()

    replace(Cluster, "read", read)


def _plant_init(crash: Crash) -> None:
    real = TransactionalSink.init

    def init(self: TransactionalSink) -> Any:
        return crash.around("init", lambda: real(self))

    replace(TransactionalSink, "init", init)


def _plant_commit(crash: Crash) -> None:
    real = TransactionalSink.commit

    def commit(self: TransactionalSink) -> None:
        crash.passed["commit"] += 1
        if crash.due("before", "commit"):
            if self._producer.flush(10):
                raise SystemExit("the progress record does not get out: this would prove nothing")
            die()
        real(self)
        if crash.due("after", "commit"):
            die()

    replace(TransactionalSink, "commit", commit)


if __name__ == "__main__":
    plant(sys.argv[1])
    assert sys.argv[2] == "--"
    sys.argv = ["replay", *sys.argv[3:]]
    main()
