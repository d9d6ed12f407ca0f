"""Parquet files made to harm whoever reads them. They are written by hand, in Thrift's compact protocol, since no
writer makes them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.bad_files import times, trades, write

_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def number(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def text(value: str) -> bytes:
    return varint(len(value.encode())) + value.encode()


def struct(*fields: tuple[int, int, bytes]) -> bytes:
    """Of fields in order: number, type, value."""
    out, before = b"", 0
    for field, kind, value in fields:
        out += bytes([(field - before) << 4 | kind]) + value
        before = field
    return out + b"\0"


def structs(items: list[bytes]) -> bytes:
    return (bytes([len(items) << 4 | _STRUCT]) if len(items) < 15 else b"\xfc" + varint(len(items))) + b"".join(items)


def column(name: str, kind: int = 2) -> bytes:
    """A flat, required column; 2 is an INT64."""
    return struct((1, _I32, number(kind)), (3, _I32, number(0)), (4, _BINARY, text(name)))


def group_of(name: str, children: int) -> bytes:
    return struct((3, _I32, number(0)), (4, _BINARY, text(name)), (5, _I32, number(children)))


def footer(schema: list[bytes], row_groups: list[bytes]) -> bytes:
    return struct(
        (1, _I32, number(2)), (2, _LIST, structs(schema)), (3, _I64, number(len(row_groups))),
        (4, _LIST, structs(row_groups)),
    )  # fmt: skip


def whole(path: Path, footer: bytes) -> Path:
    path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return path


def with_columns(path: Path, columns: int) -> Path:
    return whole(path, footer([group_of("r", columns), *[column("c")] * columns], []))


def nested(path: Path, depth: int) -> Path:
    """Structs in structs."""
    return whole(path, footer([group_of("r", 1)] * depth + [column("c")], []))


def aborting(path: Path) -> Path:
    """One bit of a good file's schema is another: a column's values are required, and its chunks say that they are not.
    pyarrow lets the exception of its C++ end the process."""
    data = write(path, trades()).read_bytes()
    price, changed = b"\x15\x0a\x25\x02\x18\x05price", b"\x15\x0a\x25\x00\x18\x05price"
    assert data.count(price) == 1
    path.write_bytes(data.replace(price, changed))
    return path


def long_footer(path: Path, footer_bytes: int) -> Path:
    """A sparse file: it takes no space, and a footer of any length."""
    with path.open("wb") as file:
        file.write(b"PAR1")
        file.truncate(footer_bytes + 100)
        file.seek(0, 2)
        file.write(footer_bytes.to_bytes(4, "little") + b"PAR1")
    return path


def bomb(path: Path, claimed_bytes: int, *, dictionary: bool) -> Path:
    """Some 40 kB, whose page of symbols (or their dictionary) says that it becomes so many bytes; from 2**27 on."""
    rows, long = 136, "\0" * (1 << 20)
    symbols = pa.array((f"{row}{long}" for row in range(rows)), pa.string())
    table = pa.table({"symbol": symbols, "price": [1.0] * rows, "event_time": times(rows)})
    pq.write_table(
        table, path, compression="zstd", use_dictionary=["symbol"] if dictionary else False, write_statistics=False,
        dictionary_pagesize_limit=1 << 30, data_page_size=1 << 30, store_schema=False,
    )  # fmt: skip
    data = path.read_bytes()
    # PageHeader: its type, then its size without compression
    kind = 2 if dictionary else 0
    begins = b"\x15" + number(kind) + b"\x15"
    place = data.index(begins) + len(begins)
    now = number(claimed_bytes)
    assert data[place + len(now) - 1] < 0x80 <= data[place + len(now) - 2], "a number of another length"
    path.write_bytes(data[:place] + now + data[place + len(now) :])
    return path
