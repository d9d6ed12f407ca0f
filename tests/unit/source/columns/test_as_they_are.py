"""Bytes and headers of a dump, of every type that a file may have for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.fate import Fate
from replay.model import KEY, PARTITION, VALUE
from replay.record.headers import HEADERS_TYPE, header_bytes, header_lists
from replay.record.options import Records
from replay.source.columns.as_they_are import bytes_type, headers_type, to_bytes, to_headers
from replay.source.columns.record_columns import converters
from replay.source.columns.schema import FileLayout

BYTES = [b"a", None, b"", b"\xff\0x", b"a"]
TEXTS = ["a", None, "", "ä\0x", "a"]
AS_BYTES = [None if text is None else text.encode() for text in TEXTS]


def not_utf8(kind: pa.DataType) -> pa.Array:
    """A column of texts that holds bytes that are none: what writers make that annotate whatever they are given."""
    raw = pa.array([b"\xff", b"ab"], pa.large_binary() if pa.types.is_large_string(kind) else pa.binary())
    return pa.Array.from_buffers(kind, 2, raw.buffers())


COLUMNS: list[tuple[pa.Array, list[bytes | None]]] = [
    *((pa.array(BYTES, kind), BYTES) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())),
    *((pa.array(TEXTS, kind), AS_BYTES) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    (pa.array([b"ab", None, b"\xffd"], pa.binary(2)), [b"ab", None, b"\xffd"]),
    (pa.array(BYTES).dictionary_encode(), BYTES),
    (pa.array(TEXTS).dictionary_encode(), AS_BYTES),
    (pa.array(TEXTS, pa.large_string()).dictionary_encode(), AS_BYTES),
    (pa.nulls(2), [None, None]),
    (not_utf8(pa.string()), [b"\xff", b"ab"]),
    (not_utf8(pa.large_string()), [b"\xff", b"ab"]),
    (pa.DictionaryArray.from_arrays(pa.array([1, 0, 1]), not_utf8(pa.string())), [b"ab", b"\xff", b"ab"]),
]


@pytest.mark.parametrize(("column", "values"), COLUMNS, ids=lambda each: str(getattr(each, "type", "")))
def test_bytes_of_any_column_are_its_own(column: pa.Array, values: list[bytes | None]) -> None:
    """Broken: a value goes out with other bytes than the topic had, or a null as an empty one."""
    assert bytes_type(column.type) == pa.binary()
    taken = to_bytes(column)
    assert (taken.type, taken.to_pylist()) == (pa.binary(), values)
    assert to_bytes(column[1:]).to_pylist() == values[1:]


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.float64(), pa.timestamp("ms"), pa.list_(pa.binary()), pa.uuid(), pa.decimal128(5, 2)]
)
def test_what_has_no_bytes_of_its_own_is_no_value(kind: pa.DataType) -> None:
    """Broken: numbers go out in some form that nobody asked for."""
    assert bytes_type(kind) is None


# -- headers ------------------------------------------------------------------------------------------------

Header = tuple[str, bytes | None]
NAME = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=3)
HEADERS = st.lists(st.tuples(NAME, st.none() | st.binary(max_size=3)), max_size=3)
BINARY, TEXT = pa.binary(), pa.string()


def structs(lists: Sequence[list[Header] | None], name: str = "key", names: pa.DataType = TEXT) -> pa.Array:
    """As Spark has them."""
    kind = pa.list_(pa.struct([(name, names), ("value", pa.binary())]))
    as_bytes = pa.types.is_binary(names)
    return pa.array(
        [
            None if each is None else [{name: own.encode() if as_bytes else own, "value": value} for own, value in each]
            for each in lists
        ],
        kind,
    )


@given(st.lists(st.none() | HEADERS, max_size=6), st.integers(0, 2), st.sampled_from(["key", "name"]))
def test_headers_are_those_of_each_row(lists: list[list[Header] | None], front: int, name: str) -> None:
    """Broken: a record has another's headers; or they lose their order, a repeated name, or the null."""
    more: list[list[Header] | None] = [[("x", b"y")]] * front
    column = structs(more + lists, name)[front:]
    assert headers_type(column.type) == HEADERS_TYPE
    taken, found = to_headers(column)
    taken.validate(full=True)
    assert (taken.type, not found.any()) == (HEADERS_TYPE, True)
    wanted: list[list[Header]] = [each or [] for each in lists]
    assert header_lists(taken) == wanted
    assert header_lists(taken[1:]) == wanted[1:]
    sizes = [sum(len(own.encode()) + len(value or b"") + 10 for own, value in each) for each in wanted]
    assert header_bytes(taken).tolist() == sizes


SOME: list[list[Header] | None] = [[("a", b"1"), ("a", None)], None, [], [("b", b"\xff")]]


@pytest.mark.parametrize(
    "column",
    [
        structs(SOME, "name"),
        structs(SOME, names=pa.binary()),
        structs(SOME).cast(pa.large_list(pa.struct([("key", pa.large_string()), ("value", pa.large_binary())]))),
        pa.array(SOME, pa.map_(pa.string(), pa.binary())),
    ],
    ids=["names", "binary names", "large", "map"],
)
def test_headers_of_any_form(column: pa.Array) -> None:
    """Broken: the dumps of one tool go back without their headers."""
    taken, found = to_headers(column)
    assert (header_lists(taken), found.tolist()) == ([each or [] for each in SOME], [0] * 4)


def test_headers_of_texts_and_those_that_nobody_has() -> None:
    """Broken: values of headers that are texts are refused; or a column without a single header is."""
    column = pa.array(
        [[{"key": "a", "value": "ä"}]], pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
    )
    assert header_lists(to_headers(column)[0]) == [[("a", "ä".encode())]]
    assert header_lists(to_headers(pa.nulls(2))[0]) == [[], []]
    nothing = pa.array(
        [[{"key": "a", "value": None}]], pa.list_(pa.struct([("key", pa.string()), ("value", pa.null())]))
    )
    assert header_lists(to_headers(nothing)[0]) == [[("a", None)]]


def test_a_header_without_a_name_makes_its_row_bad_and_no_other() -> None:
    """Broken: the client would end the name at a NUL; or the wrong row is left out."""
    names: list[bytes | None] = [b"a", b"x\0y", b"b", None, b"\xff", b"c"]
    kind = pa.list_(pa.struct([("key", pa.binary()), ("value", pa.binary())]))
    rows: Any = [[], [{"key": b"z", "value": b""}, {"key": names[1], "value": b""}]]
    rows += [None, *([{"key": name, "value": b"v"}] for name in names[2:]), [None]]
    taken, found = to_headers(pa.array(rows, kind))
    bad = Fate.RECORD_HEADER_NAME
    assert found.tolist() == [0, bad, 0, 0, bad, bad, 0, bad]
    assert [each for each, fate in zip(header_lists(taken), found, strict=True) if not fate] == [
        [],
        [],
        [("b", b"v")],
        [("c", b"v")],
    ]


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.list_(pa.string()),
        pa.list_(pa.struct([("key", pa.string())])),
        pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary()), ("more", pa.binary())])),
        pa.list_(pa.struct([("key", pa.int64()), ("value", pa.binary())])),
        pa.list_(pa.struct([("name", pa.string()), ("key", pa.string())])),
        pa.map_(pa.string(), pa.int64()),
        pa.struct([("a", pa.binary())]),
    ],
    ids=str,
)
def test_what_are_no_headers(kind: pa.DataType) -> None:
    """Broken: an error in the middle of a run instead of one before it."""
    assert headers_type(kind) is None


# -- partitions, keys and ids -------------------------------------------------------------------------------


def converted(
    part: str, column: pa.Array, kind: pa.DataType, records: Records | None = None, *, has_symbol: bool = True
) -> tuple[list[Any], list[int]]:
    """What becomes of a column as this part of records, and what is wrong with its rows."""
    values, found = converters(records or Records(), has_symbol=has_symbol)[part](column, kind, FileLayout(None, None))
    return values.to_pylist(), found.tolist()


def test_partitions_as_text_are_numbers() -> None:
    """Broken: `partition=3`, a folder of Kafka Connect, says nothing of the partition."""
    column = pa.array(["0", "12", None, "", "-1", "1.5", "9" * 11, "٣"]).dictionary_encode()
    numbers, found = converted(PARTITION, column, pa.int64())
    assert numbers[:2] == [0, 12]
    assert found == [0, 0, *[Fate.PARTITION_WRONG] * 6]


@pytest.mark.parametrize(
    ("records", "has_symbol", "bad"),
    [
        (Records(own_key_column="k"), True, False),
        (Records(own_key_column="k", partitioner="column:p"), False, False),
        (Records(own_key_column="k"), False, True),
    ],
)
def test_a_null_is_no_key_where_something_else_says_the_partition(
    records: Records, has_symbol: bool, bad: bool
) -> None:
    """Broken: records without a key all go to some partition that nobody named."""
    keys, found = converted(KEY, pa.array([b"a", None]), BINARY, records, has_symbol=has_symbol)
    assert keys == [b"a", None]
    assert found == [0, Fate.KEY_NEEDED if bad else 0]


def test_a_schema_id_that_is_not_told_makes_its_row_bad() -> None:
    """Broken: a value goes out with the id of another registry, and every consumer fails on it."""
    values = pa.array([b"\0\0\0\0\x05x", b"\0\0\0\0\x06x", None, b"{}", b"\0"])
    of_values, of_keys = Records(value_ids=((5, 9),)), Records(own_key_column="k", key_ids=((5, 9),))
    assert converted(VALUE, values, BINARY, of_values)[1] == [0, Fate.VALUE_SCHEMA_ID, 0, 0, 0]
    assert converted(KEY, values, BINARY, of_keys)[1] == [0, Fate.KEY_SCHEMA_ID, 0, 0, 0]
    assert converted(VALUE, values, BINARY)[1] == [0] * 5
