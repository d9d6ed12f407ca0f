"""arrow-kafka-pyo3 at its best on the same trades: whole batches in Rust, Avro records under a schema that it sends to
the registry.

`python -m tests.bench.arrow_sink FOLDER TOPIC BOOTSTRAP_SERVERS REGISTRY_URL COMPRESSION`

Columns that may not be null and times in UTC give the schema that a replay makes of the same columns, and the same
bytes; the record has another name.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("price", pa.float64(), nullable=False),
        pa.field("event_time", pa.timestamp("us", "UTC"), nullable=False),
    ]
)


def main(folder: str, topic: str, bootstrap_servers: str, registry_url: str, compression: str) -> None:
    from arrow_kafka_pyo3 import ArrowKafkaSink

    sink = ArrowKafkaSink(
        kafka_servers=bootstrap_servers,
        schema_registry_url=registry_url,
        enable_idempotence=True,
        max_in_flight=5,
        acks="all",
        linger_ms=50,
        batch_size=1_000_000,
        compression_type=compression,
    )
    for path in sorted(Path(folder).glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(65_536, columns=SCHEMA.names):
            table = pa.Table.from_batches([batch]).cast(SCHEMA)
            sink.consume_arrow(table=table, topic=topic, key_cols=["symbol"])
    sink.flush(timeout_ms=120_000)
    sink.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
