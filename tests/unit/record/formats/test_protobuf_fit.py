"""A given schema with columns bound to its fields: what goes where, what reads back, what is a misfit or refused."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest

from replay.errors import InputError
from replay.model import SymbolTable
from replay.record.formats import protobuf
from replay.record.formats.base import Column
from replay.record.options import DecimalAs
from tests.unit.record.formats.protobuf_reading import Case, as_integers, columns_of, trade_with

PROTO2 = 'syntax = "proto2";'
SIDE = "enum Side { option allow_alias = true; NONE = 0; BUY = 1; B = 1; SELL = -2; }"
TOP = {32: 2**31 - 1, 64: 2**63 - 1}
INTEGERS = {
    "int32": (-TOP[32] - 1, TOP[32]),
    "sint32": (-TOP[32] - 1, TOP[32]),
    "sfixed32": (-TOP[32] - 1, TOP[32]),
    "int64": (-TOP[64] - 1, TOP[64]),
    "sint64": (-TOP[64] - 1, TOP[64]),
    "sfixed64": (-TOP[64] - 1, TOP[64]),
    "uint32": (0, 2**32 - 1),
    "fixed32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
    "fixed64": (0, 2**64 - 1),
}
KINDS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]


def misfits_of(case: Case, column: pa.Array, name: str = "x") -> list[bool]:
    found = case.form.misfits(name, column)
    return [False] * len(column) if found is None else found.tolist()


def read_back(text: str, column: pa.Array, misfits: list[bool] | None = None, name: str = "x") -> list[Any]:
    """What is read of the field; every other value is told as a misfit and left out."""
    case = Case({name: column.type}, text=text)
    misfits = misfits or [False] * len(column)
    assert misfits_of(case, column, name) == misfits
    kept = column.filter(pa.array([not misfit for misfit in misfits]))
    payloads = case.write({name: kept})
    messages = case.read(payloads)
    assert [message.SerializeToString() for message in messages] == payloads  # as protobuf itself writes them
    has = [not message.DESCRIPTOR.fields_by_name[name].has_presence or message.HasField(name) for message in messages]
    return [getattr(message, name) if there else None for message, there in zip(messages, has, strict=True)]


def with_each(fields: Iterable[str]) -> str:
    """One schema for many cases, with a field for each of these types, in order: x20, x21, …; protoc costs time."""
    return trade_with(
        *(f"{field} x{number} = {number};" for number, field in enumerate(fields, 20)),
        imports=["google/type/decimal.proto", "google/protobuf/wrappers.proto"],
        outside=f"{SIDE} message Leg {{ oneof one {{ int32 a = 1; int32 b = 2; }} }}",
    )


# -- scalars ----------------------------------------------------------------------------------------------


NUMBERS = [f"{label}{field}" for label in ("", "optional ") for field in (*INTEGERS, "double", "float")]


def around(kind: pa.DataType, *edges: int) -> list[int]:
    """Integers of the type at these and at its own edges."""
    limits = np.iinfo(kind.to_pandas_dtype())
    low, high = int(limits.min), int(limits.max)
    return sorted({edge + by for edge in (0, low, high, *edges) for by in (-1, 0, 1) if low <= edge + by <= high})


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_integer_goes_into_a_number_where_it_is_the_same_there(field, kind):
    """Broken: a number beyond its field would be sent as another one, or without its last digits; or be refused."""
    name = field.rpartition(" ")[2]
    low, high = INTEGERS.get(name, (-(2**64), 2**64))
    values = around(kind, low, high, 2**24, -(2**24), 2**53, -(2**53), 2**53 + 2, 2**62 + 2**30)
    as_float = struct.Struct("<f" if name == "float" else "<d")

    def is_same(value: int) -> bool:
        return low <= value <= high and (name in INTEGERS or as_float.unpack(as_float.pack(value))[0] == value)

    misfits = [not is_same(value) for value in values]
    read = read_back(with_each(NUMBERS), pa.array(values, kind), misfits, f"x{20 + NUMBERS.index(field)}")
    assert read == [value for value in values if is_same(value)]


ODD_FLOATS = [0.0, -0.0, 1.5, math.nan, math.inf, -math.inf, 5e-324, 65504.0]


def bits(value: float) -> bytes:
    return b"nan" if math.isnan(value) else struct.pack("<d", value)


@pytest.mark.parametrize("label", ["", "optional "])
@pytest.mark.parametrize(
    ("field", "kind"),
    [("double", pa.float64()), ("double", pa.float32()), ("float", pa.float32()), ("float", pa.float16())],
)
def test_floats_keep_every_bit_also_those_of_minus_zero(label, field, kind):
    """Broken: -0.0 would become 0.0 where the field has no presence; NaN would vanish."""
    column = pa.array([float(pa.scalar(value, pa.float64()).as_py()) for value in ODD_FLOATS], pa.float64()).cast(
        pa.float32()
    )
    column = pa.array(ODD_FLOATS, kind) if kind == pa.float64() else column.cast(kind, safe=False)
    expected = [bits(value) for value in column.to_pylist()]
    assert [bits(value) for value in read_back(trade_with(f"{label}{field} x = 1;"), column)] == expected


def test_a_signalling_nan_is_the_same_from_both_ways():
    """Broken: the bytes would depend on the library; a resume on another machine would double the row."""
    column = pa.array([0x7F800001, 0x7FC00000], pa.uint32()).view(pa.float32())
    one, other = Case({"x": pa.float32()}, text=trade_with("float x = 1;")).write({"x": column})
    assert one == other


@pytest.mark.parametrize(
    ("field", "column", "expected"),
    [
        ("string x", pa.array(["", "ü€😀", "\0"]), ["", "ü€😀", "\0"]),
        ("string x", pa.array([Decimal("1.50"), Decimal("-0.01")], pa.decimal128(9, 2)), ["1.50", "-0.01"]),
        ("string x", pa.array([Decimal("12E3")], pa.decimal128(9, -3)), ["12000"]),
        (
            "string x",
            pa.array([Decimal("1E-40"), Decimal(0)], pa.decimal256(76, 40)),
            ["0." + "0" * 39 + "1", "0." + "0" * 40],
        ),
        ("string x", pa.array([Decimal(10**75 + 1)], pa.decimal256(76, 0)), [str(10**75 + 1)]),
        ("string x", pa.array([UUID(int=1).bytes], pa.binary(16)).cast(pa.uuid()), [str(UUID(int=1))]),
        ("bytes x", pa.array([b"", b"\xff\0"]), [b"", b"\xff\0"]),
        ("bool x", pa.array([True, False]), [True, False]),
        ("Side x", pa.array(["NONE", "BUY", "B", "SELL"]), [0, 1, 1, -2]),
        ("Side x", pa.array([0, 1, -2], pa.int64()), [0, 1, -2]),
        ("Side x", pa.array([0, 1], pa.uint8()), [0, 1]),
    ],
)
@pytest.mark.parametrize("label", ["", "optional "])
def test_other_scalars_read_back(label, field, column, expected):
    """Broken: text, bytes or names of an enum would reach consumers changed."""
    assert read_back(trade_with(f"{label}{field} = 1;", outside=SIDE), column) == expected


def test_an_enum_takes_only_values_that_it_has():
    """Broken: an unknown name would be sent as the enum's 0."""
    text = trade_with("Side x = 1;", outside=SIDE)
    assert read_back(text, pa.array(["BUY", "buy", "", "SELL"]), [False, True, True, False]) == [1, -2]
    assert read_back(text, pa.array([1, 2, -2, -1]), [False, True, False, True]) == [1, -2]
    assert read_back(text, pa.array([1, 254], pa.uint8()), [False, True]) == [1]


def test_symbols_go_into_an_enum_by_name():
    """Broken: misfits of symbols are told of the distinct ones; each would be looked up as an id, or not at all."""
    text = trade_with().replace("string symbol", "Symbol symbol") + "enum Symbol { NONE = 0; BTCUSDT = 5; }"
    case = Case({}, text=text)
    assert misfits_of(case, pa.array(["BTCUSDT", "ETHUSDT"]), "symbol") == [False, True]
    (message,) = case.read(case.write({}))
    assert message.symbol == 5


# -- presence ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", ['syntax = "proto3";', PROTO2, 'edition = "2023";'])
def test_null_and_zero_stay_apart_where_the_field_has_presence(syntax):
    """Broken: a missing value would read as 0, or a 0 as missing."""
    label = "" if "edition" in syntax else "optional "
    fields = [f"{label}int32 x = 1;", f"{label}string y = 2;", f"{label}Inner z = 3;"]
    text = trade_with(*fields, outside=f"message Inner {{ {label}int32 a = 1; }}", syntax=syntax)
    columns = {
        "x": pa.array([0, None], pa.int32()),
        "y": pa.array(["", None]),
        "z": pa.array([{"a": None}, None], pa.struct([("a", pa.int32())])),
    }
    case = Case({name: column.type for name, column in columns.items()}, text=text)
    assert not any(any(misfits_of(case, column, name)) for name, column in columns.items())
    there, missing = case.read(case.write(columns))
    assert [there.HasField(name) for name in "xyz"] == [True] * 3
    assert [missing.HasField(name) for name in "xyz"] == [False] * 3
    assert not there.z.HasField("a")


@pytest.mark.parametrize(
    ("syntax", "field"),
    [
        ('syntax = "proto3";', "int32 x = 1;"),
        ('edition = "2023";', "int32 x = 1 [features.field_presence = IMPLICIT];"),
        ('edition = "2023";', "int32 x = 1 [features.field_presence = LEGACY_REQUIRED];"),
        (PROTO2, "required int32 x = 1;"),
    ],
)
def test_null_has_no_place_where_the_field_has_no_presence(syntax, field):
    """Broken: a missing value would be sent as 0, or as a message that readers refuse."""
    assert read_back(trade_with(field, syntax=syntax), pa.array([0, None, 5], pa.int32()), [False, True, False]) == [
        0,
        5,
    ]


def test_a_zero_without_presence_is_not_written_and_one_with_presence_is():
    """Broken: other bytes than protobuf's own for the same message."""
    text = trade_with("int32 x = 1;", "optional int32 y = 2;")
    column = pa.array([0], pa.int32())
    (payload,) = Case({"x": column.type, "y": column.type}, text=text).write({"x": column, "y": column})
    assert payload.startswith(b"\x10\x00\x52")  # y = 0, then the symbol


def test_fields_without_a_column_are_not_set_but_required_ones_take_their_default():
    """Broken: readers refuse a message that lacks a required field."""
    fields = (
        *('required string a = 1 [default = "ü"];', "required sint64 b = 2 [default = -5];"),
        *("required float c = 3 [default = 1.5];", "required Side d = 4 [default = SELL];"),
        *(r'required bytes e = 5 [default = "\xff"];', "required bool f = 6 [default = true];"),
        *(
            "optional int32 g = 7 [default = 9];",
            "repeated int32 h = 8;",
            "required fixed64 i = 9 [default = 18446744073709551615];",
        ),
    )
    case = Case({}, text=trade_with(*fields, outside=SIDE, syntax=PROTO2))
    (message,) = case.read(case.write({}))
    assert (message.a, message.b, message.c, message.d, message.e, message.f) == ("ü", -5, 1.5, -2, b"\xff", True)
    assert (message.g, message.HasField("g"), list(message.h), message.i) == (9, False, [], 2**64 - 1)


def test_required_fields_within_take_their_default_too():
    """Broken: as above, for a struct."""
    text = trade_with(
        "optional Leg x = 1;",
        outside="message Leg { optional int32 a = 1; required int32 b = 2 [default = 7]; }",
        syntax=PROTO2,
    )
    kind = pa.struct([("a", pa.int32())])
    first, second, none = read_back(text, pa.array([{"a": 1}, {"a": None}, None], kind))
    assert (first.a, first.b, second.HasField("a"), second.b, none) == (1, 7, False, 7, None)


@pytest.mark.parametrize("kind", [pa.null(), pa.int32()])
def test_a_column_of_nulls_goes_into_any_field_with_presence(kind):
    """Broken: a column that is empty on one day would end that day's replay."""
    assert read_back(trade_with("optional int32 x = 1;"), pa.nulls(2, kind)) == [None, None]


# -- messages ---------------------------------------------------------------------------------------------

TIMESTAMP, DURATION = "google.protobuf.Timestamp", "google.protobuf.Duration"
DATE, CLOCK = "google.type.Date", "google.type.TimeOfDay"
DAY = 86_400


TIMES = [
    (TIMESTAMP, pa.timestamp("ns"), {1: (0, 1), -1: (-1, 999_999_999), 0: (0, 0)}),
    (TIMESTAMP, pa.timestamp("ns"), {-(2**63): (-9_223_372_037, 145_224_192)}),
    (TIMESTAMP, pa.timestamp("ns"), {2**63 - 1: (9_223_372_036, 854_775_807)}),
    (TIMESTAMP, pa.timestamp("us"), {-1: (-1, 999_999_000), 1_700_000_000_000_001: (1_700_000_000, 1000)}),
    (TIMESTAMP, pa.timestamp("ms"), {-1: (-1, 999_000_000), 1: (0, 1_000_000)}),
    (TIMESTAMP, pa.timestamp("s"), {-62_135_596_801: None, -62_135_596_800: (-62_135_596_800, 0)}),
    (TIMESTAMP, pa.timestamp("s"), {253_402_300_799: (253_402_300_799, 0), 253_402_300_800: None, None: ()}),
    (DURATION, pa.duration("ns"), {-1: (0, -1), 1: (0, 1), -1_500_000_000: (-1, -500_000_000), -(10**9): (-1, 0)}),
    (DURATION, pa.duration("ns"), {-(2**63): (-9_223_372_036, -854_775_808)}),
    (DURATION, pa.duration("us"), {-1_500_000: (-1, -500_000_000), None: ()}),
    (DURATION, pa.duration("ms"), {-1: (0, -1_000_000), 315_576_000_000_000: (315_576_000_000, 0)}),
    (DURATION, pa.duration("ms"), {315_576_000_000_001: None, -315_576_000_000_001: None}),
    (DURATION, pa.duration("s"), {-315_576_000_000: (-315_576_000_000, 0), 315_576_000_001: None, 2**63 - 1: None}),
    (DATE, pa.date32(), {0: (1970, 1, 1), -1: (1969, 12, 31), 11_016: (2000, 2, 29)}),
    (DATE, pa.date32(), {-719_163: None, -719_162: (1, 1, 1), 2_932_896: (9999, 12, 31), 2_932_897: None}),
    (DATE, pa.date64(), {0: (1970, 1, 1), DAY * 1000: (1970, 1, 2), -DAY * 1000: (1969, 12, 31), 1: None, None: ()}),
    (CLOCK, pa.time32("s"), {0: (0, 0, 0, 0), DAY - 1: (23, 59, 59, 0), DAY: None, -1: None}),
    (CLOCK, pa.time32("ms"), {45_296_789: (12, 34, 56, 789_000_000)}),
    (CLOCK, pa.time64("us"), {1: (0, 0, 0, 1000), DAY * 10**6: None}),
    (CLOCK, pa.time64("ns"), {DAY * 10**9 - 1: (23, 59, 59, 999_999_999), DAY * 10**9: None}),
]
"""What is read of each value: the fields of its message, or nothing of null. None: a misfit."""


@pytest.mark.parametrize(("message", "kind", "expected"), TIMES)
def test_times_go_into_googles_messages(message, kind, expected):
    """Broken: a time would reach consumers as another one: before 1970, at the ends of what the message holds, or
    1970-01-01 as no date at all."""
    text = trade_with(
        f"{message} x = 1;",
        imports=["google/protobuf/duration.proto", "google/type/date.proto", "google/type/timeofday.proto"],
    )
    read = read_back(text, as_integers(kind, list(expected)), [one is None for one in expected.values()])
    parts = [() if one is None else tuple(getattr(one, field.name) for field in one.DESCRIPTOR.fields) for one in read]
    assert parts == [one for one in expected.values() if one is not None]


def test_decimals_go_into_googles_message_digit_by_digit():
    """Broken: digits of a decimal lost or added, or a price that is text refused."""
    text = trade_with("google.type.Decimal x = 1;", imports=["google/type/decimal.proto"])
    column = pa.array([Decimal("1.50"), None, Decimal("-0.05")], pa.decimal128(9, 2))
    assert [one and one.value for one in read_back(text, column)] == ["1.50", None, "-0.05"]
    prices = Case({}, text=text.replace("double price", "google.type.Decimal price"), price=pa.string())
    (message,) = prices.read(prices.write({}, pa.array(["1.5e3"])))
    assert message.price.value == "1.5e3"


@pytest.mark.parametrize(
    ("wrapper", "column"),
    [
        ("Double", pa.array([0.0, -0.0, None, 1.5])),
        ("Float", pa.array([0.0, None, 1.5], pa.float32())),
        ("Int64", pa.array([0, None, -(2**63)])),
        ("UInt64", pa.array([0, None, 2**64 - 1], pa.uint64())),
        ("Int32", pa.array([0, None, -5], pa.int32())),
        ("UInt32", pa.array([0, None, 5], pa.uint8())),
        ("Bool", pa.array([False, None, True])),
        ("String", pa.array(["", None, "a"])),
        ("Bytes", pa.array([b"", None, b"a"])),
    ],
)
def test_wrappers_tell_null_and_zero_apart(wrapper, column):
    """Broken: null would read as 0; or 0 be written in other bytes than protobuf's own."""
    text = trade_with(f"google.protobuf.{wrapper}Value x = 1;", imports=["google/protobuf/wrappers.proto"])
    assert [one and one.value for one in read_back(text, column)] == column.to_pylist()


def test_a_wrapper_has_the_misfits_of_its_value():
    """Broken: a number beyond the wrapper's would be sent as another one."""
    text = trade_with("google.protobuf.Int32Value x = 1;", imports=["google/protobuf/wrappers.proto"])
    read = read_back(text, pa.array([2**31, None, 5, -(2**31)]), [True, False, False, False])
    assert [one and one.value for one in read] == [None, 5, -(2**31)]


def test_a_struct_goes_into_a_message_by_the_names_of_its_fields():
    """Broken: values would go into fields of other names where the order differs."""
    leg = "message Leg { optional int32 b = 2; optional int32 a = 1; optional int32 unused = 3; Leg deeper = 4; }"
    text = trade_with("Leg x = 1;", outside=leg)
    kind = pa.struct([("b", pa.int64()), ("a", pa.int8()), ("deeper", pa.struct([("a", pa.int32())]))])
    values = [
        {"a": 1, "b": 2, "deeper": {"a": 3}},
        None,
        {"a": 1, "b": 2**31, "deeper": None},
        {"a": None, "b": None, "deeper": None},
    ]
    first, second, third = read_back(text, pa.array(values, kind), [False, False, True, False])
    assert (first.a, first.b, first.deeper.a, first.HasField("unused")) == (1, 2, 3, False)
    assert second is None
    assert not third.ListFields()


def test_lists_and_maps_have_misfits_where_protobuf_has_no_null():
    """Broken: a null item would vanish, and all behind it move up; of two equal keys one would be lost."""
    text = trade_with("repeated int32 x = 1;")
    lists = pa.array([[1, 2], [], None, [1, None], [2**31]], pa.list_(pa.int64()))
    assert [list(one) for one in read_back(text, lists, [False, False, True, True, True])] == [[1, 2], []]
    text = trade_with("map<string, int32> x = 1;")
    pairs = [[("a", 1)], [], None, [("a", None)], [("a", 1), ("b", 2), ("a", 1)], [("a", 2**40)]]
    maps = pa.array(pairs, pa.map_(pa.string(), pa.int64()))
    assert [dict(one) for one in read_back(text, maps, [False, False, True, True, True, True])] == [{"a": 1}, {}]


def test_entries_of_a_map_stand_in_the_order_of_the_column_and_are_complete():
    """Broken: bytes that depend on how a library keeps maps; or an entry without its key, which some readers refuse."""
    text = trade_with("map<string, int32> x = 1;")
    maps = pa.array([[("b", 0), ("", 5), ("a", 1)]], pa.map_(pa.string(), pa.int32()))
    (payload,) = Case({"x": maps.type}, text=text).write({"x": maps})
    assert payload.startswith(b"\x0a\x05\x0a\x01b\x10\x00" + b"\x0a\x04\x0a\x00\x10\x05" + b"\x0a\x05\x0a\x01a\x10\x01")


@pytest.mark.parametrize(
    ("key", "kind"), [("bool", pa.bool_()), ("sint64", pa.int8()), ("fixed32", pa.uint32()), ("string", pa.string())]
)
def test_maps_have_keys_of_any_type_that_protobuf_has(key, kind):
    """Broken: maps with such keys could not be sent."""
    keys = [True, False] if pa.types.is_boolean(kind) else ["a", ""] if pa.types.is_string(kind) else [1, 0]
    text = trade_with(f"map<{key}, Leg> x = 1;", outside="message Leg { int32 a = 1; }")
    kind = pa.map_(kind, pa.struct([("a", pa.int32())]))
    case = Case({"x": kind}, text=text)
    (message,) = case.read(case.write({"x": pa.array([[(keys[0], {"a": 7}), (keys[1], {"a": 0})]], kind)}))
    assert {one: message.x[one].a for one in message.x} == {keys[0]: 7, keys[1]: 0}


def test_a_list_goes_into_a_message_that_stands_for_one():
    """Broken: lists of lists, and lists that may be null, could not be sent."""
    outside = "message Row { repeated int32 items = 1; } message Table { map<string, Row> items = 1; }"
    rows = pa.array([[[1], []], [None]], pa.list_(pa.list_(pa.int32())))
    (read,) = read_back(trade_with("repeated Row x = 1;", outside=outside), rows, [False, True])
    assert [list(row.items) for row in read] == [[1], []]
    first, second, third = read_back(
        trade_with("Row x = 1;", outside=outside), pa.array([[1, 2], None, []], pa.list_(pa.int64()))
    )
    assert (list(first.items), second, list(third.items)) == ([1, 2], None, [])
    kind = pa.map_(pa.string(), pa.list_(pa.int8()))
    table, none = read_back(trade_with("Table x = 1;", outside=outside), pa.array([[("a", [1])], None], kind))
    assert (list(table.items["a"].items), none) == ([1], None)


@pytest.mark.parametrize("field", ["repeated sint32 x = 1 [packed = {}];", "repeated Side x = 1 [packed = {}];"])
@pytest.mark.parametrize("packed", ["true", "false"])
def test_lists_of_numbers_are_packed_where_the_schema_says_so(field, packed):
    """Broken: other bytes than the schema's; old readers do not take the other form."""
    text = trade_with(field.format(packed), outside=SIDE)
    column = pa.array([[1, -2, 0], []], pa.list_(pa.int32()))
    assert [list(one) for one in read_back(text, column)] == [[1, -2, 0], []]
    case = Case({"x": column.type}, text=text)
    assert case.form.encoder.startswith("protobuf-1 ptars" if packed == "true" else "protobuf-1 protobuf")


def test_one_field_of_a_oneof_may_have_a_column():
    """Broken: two values where a message has one: the reader would lose the first."""
    text = trade_with("oneof either { int32 x = 1; string y = 2; }")
    assert read_back(text, pa.array([0, None, 5], pa.int32())) == [0, None, 5]
    with pytest.raises(InputError, match="2 columns are for fields of the oneof 'either'") as error:
        Case({"x": pa.int32(), "y": pa.string()}, text=text)
    assert error.value.where == "com.acme.Trade"


# -- what is refused --------------------------------------------------------------------------------------


REFUSED = [
    ("float", pa.float64(), "double does not go into FIELD, which is float"),
    ("int64", pa.float32(), "float does not go into FIELD, which is int64"),
    ("int64", pa.decimal128(9, 0), "which is int64"),
    ("int64", pa.timestamp("ms"), "which is int64"),
    ("int64", pa.bool_(), "which is int64"),
    ("string", pa.int32(), "int32 does not go into FIELD, which is string"),
    ("string", pa.binary(), "which is string"),
    ("string", pa.date32(), "which is string"),
    ("bytes", pa.string(), "which is bytes"),
    ("bytes", pa.uuid(), "which is bytes"),
    ("double", pa.string(), "which is double"),
    ("double", pa.decimal128(9, 2), "which is double"),
    ("bool", pa.int8(), "which is bool"),
    ("Side", pa.float64(), "which is com.acme.Side"),
    (f"{TIMESTAMP}", pa.int64(), f"which is {TIMESTAMP}"),
    (f"{TIMESTAMP}", pa.date32(), f"which is {TIMESTAMP}"),
    (f"{TIMESTAMP}", pa.string(), f"which is {TIMESTAMP}"),
    ("google.type.Decimal", pa.string(), "which is google.type.Decimal"),
    ("google.protobuf.Int32Value", pa.string(), "which is google.protobuf.Int32Value"),
    ("repeated int32", pa.int32(), "which is repeated int32"),
    ("int32", pa.list_(pa.int32()), "list<item: int32> does not go into FIELD, which is int32"),
    ("repeated int32", pa.map_(pa.string(), pa.int32()), "which is repeated int32"),
    ("repeated int32", pa.null(), "null does not go into FIELD, which is repeated int32"),
    ("int32", pa.null(), "null does not go into FIELD, which is int32"),
    ("map<string, int32>", pa.struct([("a", pa.int32())]), "which is map<string, int32>"),
    ("map<string, int32>", pa.map_(pa.int32(), pa.int32()), "int32 does not go into the field 'key', which is string"),
    ("Leg", pa.struct([("A", pa.int32())]), "com.acme.Leg has no field 'A'"),
    ("Leg", pa.struct([("a", pa.string())]), "string does not go into the field 'a', which is int32"),
    ("Leg", pa.struct([("a", pa.int32()), ("b", pa.int32())]), "2 columns are for fields of the oneof 'one'"),
    ("Leg", pa.list_(pa.int32()), "which is com.acme.Leg"),
    ("Leg", pa.struct([("a", pa.int32()), ("a", pa.int32())]), "two fields of struct<"),
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(REFUSED)), ids=lambda at: f"{REFUSED[at][0]}-{REFUSED[at][1]}")
def test_what_needs_a_guess_is_refused_before_any_row(at):
    """Broken: values would be sent that mean something else, or the replay ends in the middle."""
    name, (_, kind, why) = f"x{20 + at}", REFUSED[at]
    with pytest.raises(InputError) as error:
        Case({name: kind}, text=with_each(field for field, _, _ in REFUSED))
    assert error.value.where == f"column 'in_{name}'"
    assert why.replace("FIELD", f"the field '{name}'") in error.value.what
    assert "--fields" in error.value.todo


def test_a_price_that_does_not_fit_is_not_told_to_be_left_out():
    """Broken: the advice could not be followed."""
    with pytest.raises(InputError, match="string does not go into the field 'price'") as error:
        Case({}, text=trade_with(), price=pa.string())
    assert "--fields" not in error.value.todo


def test_a_group_is_refused():
    """Broken: a message in the form of another would be unreadable."""
    with pytest.raises(InputError, match="the field 'g' is a group"):
        Case(
            {"g": pa.struct([("a", pa.int32())])},
            text=trade_with("optional group G = 1 { optional int32 a = 1; }", syntax=PROTO2),
        )
    text = trade_with(
        "Leg x = 1 [features.message_encoding = DELIMITED];",
        outside="message Leg { int32 a = 1; }",
        syntax='edition = "2023";',
    )
    with pytest.raises(InputError, match="the field 'x' is a group"):
        Case({"x": pa.struct([("a", pa.int32())])}, text=text)


def test_a_column_without_a_field_is_refused_by_name():
    """Broken: a column that was asked for would be missing in every record."""
    with pytest.raises(InputError, match=r"com\.acme\.Trade has no field 'X'") as error:
        Case({"X": pa.int32()}, text=trade_with("int32 x = 1;"))
    assert error.value.where == "column 'in_X'"
    assert "--rename" in error.value.todo


@pytest.mark.parametrize("field", ["required int32 n = 1;", "required Leg n = 1;"])
def test_a_required_field_without_column_and_default_is_refused_by_name(field):
    """Broken: every reader would refuse every record."""
    with pytest.raises(InputError, match="the field 'n' is required and has no default") as error:
        Case({}, text=trade_with(field, outside="message Leg { optional int32 a = 1; }", syntax=PROTO2))
    assert error.value.where == "com.acme.Trade"


def test_fields_bind_by_their_own_name_whatever_the_batch_calls_them():
    """Broken: --rename of symbol, price or event time would be without effect."""
    text = (
        'syntax = "proto3"; import "google/protobuf/timestamp.proto";'
        "message T { google.protobuf.Timestamp ts = 1; string instrument = 2; double px = 3; }"
    )
    names = {"symbol": "instrument", "price": "px", "event_time": "ts"}
    columns = [Column(one.name, names[one.name], one.kind, False, one.source) for one in columns_of({})]
    table = SymbolTable()
    schema = protobuf.parsed(text)
    form = protobuf.bound(schema, columns, table, DecimalAs.NUMBER)
    rows = pa.RecordBatch.from_pydict(
        {
            "event_time": as_integers(pa.timestamp("us"), [1_500_000]),
            "price": pa.array([2.5]),
            "symbol": pa.array([table.id_of("ETH")], pa.int32()),
        }
    )
    (payload,) = form.payloads(rows).to_pylist()
    assert protobuf.decoded(schema, payload) == {"ts": "1970-01-01T00:00:01.500Z", "instrument": "ETH", "px": 2.5}
