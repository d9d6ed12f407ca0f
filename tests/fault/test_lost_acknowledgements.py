"""The broker appends, its acknowledgement gets lost, and then the broker dies: the retry must not be a copy.

A broker recognizes a retry by what it remembers of the producer, and after a crash it remembers only producers whose
newest record is younger than producer.id.expiration.ms (a day) by the record's own timestamp. Replayed trades are
older. Seen with `kafka-transactions.sh describe-producers`: after a kill -9 a producer of fresh records is there, one
of old records is not, and then any sequence number is accepted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.fault.conftest import proxied_node

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fault.conftest import MakeScenario
    from tests.support.scenario import Trades


# Fails while the tool leaves it to librdkafka to retry after the broker's crash. With the broker's
# producer.id.expiration.ms=2147483647 (24 days) it passed, with trades three weeks old.
def test_a_retry_after_the_broker_died_is_no_copy(tmp_path: Path, trades: Trades, scenario: MakeScenario) -> None:
    """Broken: rows that were in flight when the broker crashed are in the topic twice."""
    with proxied_node(tmp_path / "kafka") as (cluster, proxy, address):
        replay = scenario(trades, address, "--rate", "6k/s", "--checkpoint-interval", "200ms")
        job = replay.start()
        job.wait_row(replay.checkpoint, 3_000)
        proxy.swallow_answers()
        time.sleep(1)
        cluster.kill_node(0)
        proxy.cut()
        time.sleep(1)
        cluster.start_node(0)
        assert job.wait() == 0, job.log
        replay.assert_exact()
