"""The loop that every tutorial shows, for comparison: a dict, a JSON call and a poll a row; nothing is checkpointed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
from confluent_kafka import Producer


def main(folder: str, topic: str, bootstrap_servers: str) -> None:
    failed = 0

    def report(error: object, _: object) -> None:
        nonlocal failed
        failed += error is not None

    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "linger.ms": 50,
            "partitioner": "murmur2_random",
        }
    )
    for path in sorted(Path(folder).glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(columns=["symbol", "price", "event_time"]):
            for row in batch.to_pylist():
                time = row["event_time"]
                row["event_time"] = time.isoformat()
                while True:
                    try:
                        producer.produce(
                            topic,
                            json.dumps(row),
                            row["symbol"],
                            on_delivery=report,
                            timestamp=int(time.timestamp() * 1_000),
                        )
                        break
                    except BufferError:
                        producer.poll(0.1)
                producer.poll(0)
    producer.flush()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
