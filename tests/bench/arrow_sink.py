"""arrow-kafka-pyo3 at its best on the same trades: whole batches in Rust, Avro records, a schema registry that agrees.

`python -m tests.bench.arrow_sink FOLDER TOPIC BOOTSTRAP_SERVERS COMPRESSION`
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


class Registry(BaseHTTPRequestHandler):
    """Takes every schema, and knows it as number 1."""

    schema = ""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Registry.schema = body.get("schema", "")
        self._answer({"id": 1, "version": 1, "schema": Registry.schema})

    def do_GET(self) -> None:
        self._answer({"id": 1, "version": 1, "schema": Registry.schema})

    def _answer(self, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None: ...


def main(folder: str, topic: str, bootstrap_servers: str, compression: str) -> None:
    from arrow_kafka_pyo3 import ArrowKafkaSink

    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    Thread(target=server.serve_forever, daemon=True).start()
    sink = ArrowKafkaSink(
        kafka_servers=bootstrap_servers,
        schema_registry_url=f"http://127.0.0.1:{server.server_port}",
        enable_idempotence=True,
        max_in_flight=5,
        acks="all",
        linger_ms=50,
        batch_size=1_000_000,
        compression_type=compression,
    )
    for path in sorted(Path(folder).glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(65_536, columns=["symbol", "price", "event_time"]):
            table = pa.table({"symbol": batch.column("symbol").cast(pa.string()), **_others(batch)})
            sink.consume_arrow(table=table, topic=topic, key_cols=["symbol"])
    sink.flush(timeout_ms=120_000)
    sink.close()


def _others(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    return {name: batch.column(name) for name in ("price", "event_time")}


if __name__ == "__main__":
    main(*sys.argv[1:])
