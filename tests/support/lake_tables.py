"""Real lake tables: made by deltalake and pyiceberg, and what those cannot write by hand, as the specifications say."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table import Table as IcebergTable
from pyiceberg.typedef import Record
from pyroaring import BitMap64

DAY_US = 1_795_305_600_000_000  # 2026-11-22T00:00:00Z
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def trades(rows: int, first: int = 0, symbols: str = "ABCD", **more: Any) -> pa.Table:
    """Rows in order of time, each with another price; a second each."""
    numbers = range(first, first + rows)
    columns = {
        "symbol": [symbols[n % len(symbols)] for n in numbers],
        "price": [float(n) for n in numbers],
        "event_time": pa.array([DAY_US + n * 1_000_000 for n in numbers], pa.timestamp("us", "UTC")),
    }
    return pa.table({**columns, **more})


# -- Delta ------------------------------------------------------------------------------------------------


def delta(folder: Path, table: pa.Table, **how: Any) -> str:
    write_deltalake(folder, table, **how)
    return str(folder)


def commit(folder: Path, *actions: dict[str, Any]) -> int:
    """The next version of a Delta table, with these actions."""
    number = DeltaTable(folder).version() + 1
    lines = [json.dumps(action) for action in ({"commitInfo": {"timestamp": int(time.time() * 1_000)}}, *actions)]
    (folder / "_delta_log" / f"{number:020}.json").write_text("\n".join(lines) + "\n")
    return number


def actions(folder: Path, kind: str) -> list[dict[str, Any]]:
    """All actions of a kind in the log, the oldest first."""
    lines = [line for path in sorted((folder / "_delta_log").glob("*.json")) for line in path.read_text().splitlines()]
    return [each[kind] for each in map(json.loads, lines) if kind in each]


def with_features(folder: Path, *features: str, **configuration: str) -> None:
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [*features, "timestampNtz"]}
    metadata = actions(folder, "metaData")[-1]
    metadata["configuration"] = {**metadata["configuration"], **configuration}
    commit(folder, {"protocol": {**protocol, "writerFeatures": protocol["readerFeatures"]}}, {"metaData": metadata})


def with_mapped_columns(folder: Path) -> None:
    """Column mapping by name, as Spark writes it: each field has a number and a physical name."""
    metadata = actions(folder, "metaData")[-1]
    schema = json.loads(metadata["schemaString"])
    for number, field in enumerate(schema["fields"], 1):
        field["metadata"] = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": field["name"]}
    features = ["columnMapping", "timestampNtz"]
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}
    metadata |= {"schemaString": json.dumps(schema), "configuration": {"delta.columnMapping.mode": "name"}}
    commit(folder, {"protocol": protocol}, {"metaData": metadata})


def delete_by_vector(folder: Path, rows: list[int]) -> None:
    """A deletion vector for the only file, in the log itself, as Spark writes small ones."""
    with_features(folder, "deletionVectors", **{"delta.enableDeletionVectors": "true"})
    add = actions(folder, "add")[-1]
    body = struct.pack("<i", 1_681_511_377) + BitMap64(rows).serialize()
    body += b"\0" * (-len(body) % 4)
    vector = {"storageType": "i", "pathOrInlineDv": z85(body), "sizeInBytes": len(body), "cardinality": len(rows)}
    removed = {"path": add["path"], "deletionTimestamp": int(time.time() * 1_000), "dataChange": True}
    commit(folder, {"remove": removed}, {"add": {**add, "deletionVector": vector}})


def z85(data: bytes) -> str:
    text = ""
    for (number,) in struct.iter_unpack(">I", data):
        text += "".join(_Z85[number // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return text


# -- Iceberg ----------------------------------------------------------------------------------------------


def iceberg(warehouse: Path, table: pa.Table, partition: str | None = None, **properties: str) -> IcebergTable:
    """A table in a catalog of its own, in a file; `.location()` is its folder."""
    warehouse.mkdir(parents=True, exist_ok=True)
    catalog = SqlCatalog("lake", uri=f"sqlite:///{warehouse}/catalog.db", warehouse=f"file://{warehouse}")
    catalog.create_namespace_if_not_exists("n")
    made = catalog.create_table("n.trades", schema=table.schema, properties=properties)
    if partition is not None:
        with made.update_spec() as spec:
            spec.add_identity(partition)
    made.append(table)
    return made


def folder_of(table: IcebergTable) -> str:
    return table.location().removeprefix("file://")


class _Deletes(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES


def delete_by_file(table: IcebergTable, rows: list[int], kind: DataFileContent) -> str:
    """A delete file for the only data file, and the metadata file of the snapshot that has it, as Spark and Flink write
    them; where that is."""
    folder = Path(folder_of(table))
    (task,) = table.scan().plan_files()
    path = folder / "data" / "deletes.parquet"
    if kind is DataFileContent.POSITION_DELETES:
        columns = {"file_path": [task.file.file_path] * len(rows), "pos": pa.array(rows, pa.int64())}
    else:
        columns = {"price": [float(row) for row in rows]}
    pq.write_table(pa.table(columns), path)
    old = table.current_snapshot()
    assert old is not None
    number, sequence = old.snapshot_id + 1, (old.sequence_number or 0) + 1
    file = DataFile.from_args(
        content=kind, file_path=f"file://{path}", file_format=FileFormat.PARQUET, partition=Record(),
        record_count=len(rows), file_size_in_bytes=path.stat().st_size, spec_id=0,
        equality_ids=[2] if kind is DataFileContent.EQUALITY_DELETES else None,
        column_sizes={}, value_counts={}, null_value_counts={}, nan_value_counts={}, lower_bounds={}, upper_bounds={},
    )  # fmt: skip
    file.spec_id = 0
    manifest_path, list_path = (f"file://{folder}/metadata/deletes-{part}.avro" for part in ("m", "list"))
    writer = _Deletes(table.spec(), table.schema(), table.io.new_output(manifest_path), number, "null")
    with writer:
        writer.add_entry(
            ManifestEntry.from_args(
                status=ManifestEntryStatus.ADDED, snapshot_id=number, sequence_number=sequence,
                file_sequence_number=sequence, data_file=file,
            )
        )  # fmt: skip
    manifests = [*old.manifests(table.io), writer.to_manifest_file()]
    with write_manifest_list(2, table.io.new_output(list_path), number, old.snapshot_id, sequence, "null") as listed:
        listed.add_manifests(manifests)
    last = Path(table.metadata_location.removeprefix("file://"))
    said = json.loads(last.read_text())
    snapshot = {
        "snapshot-id": number, "parent-snapshot-id": old.snapshot_id, "sequence-number": sequence,
        "timestamp-ms": said["last-updated-ms"] + 1, "manifest-list": list_path,
        "summary": {"operation": "delete"}, "schema-id": said["current-schema-id"],
    }  # fmt: skip
    said["snapshots"].append(snapshot)
    said["snapshot-log"].append({"snapshot-id": number, "timestamp-ms": snapshot["timestamp-ms"]})
    said |= {"current-snapshot-id": number, "last-sequence-number": sequence}
    said["last-updated-ms"] = snapshot["timestamp-ms"]
    said["refs"]["main"]["snapshot-id"] = number
    new = last.with_name(f"{int(last.name[:5]) + 1:05}-by-hand.metadata.json")
    new.write_text(json.dumps(said))
    return str(new)
