"""Parts of records from columns: each from one place, and nothing that means nothing beside another option."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from replay.cli.options.schemas import Schemas
from replay.cli.options.source import Input
from replay.cli.parse import parse_columns
from replay.cli.records import parse_records, with_dump
from replay.cli.resolve import source_options
from replay.delivery.job_name import JobName
from replay.errors import UsageError
from replay.record.options import KEY_NONE, KeyFormat, Records, ValueFormat
from replay.source.options import Columns, SourceOptions
from tests.unit.cli.groups import options_of

NAME = JobName("j", None, Path("/s"))


def read(schemas: Schemas | None = None, **given: Any) -> SourceOptions:
    return source_options(options_of(Input(inputs=["x"], **given), schemas or Schemas()), NAME)


def test_a_dump_needs_no_symbol_and_no_price() -> None:
    """Broken: whoever restores a topic has to say what its symbols and prices are."""
    found = read(value_column="v", key_column="k", headers_column="h", partition_column="p", timestamp_column="t")
    assert found.columns == Columns(event_time="t", constant_symbol="records", has_symbol=False)
    assert found.records == Records(
        key=KEY_NONE, partitioner="column:p", value_column="v", own_key_column="k", headers_column="h"
    )


def test_a_symbol_is_one_all_the_same_where_it_is_given() -> None:
    """Broken: symbols of a dump cannot be selected, or are no keys although nothing else is."""
    for given in ({"maps": ["symbol=s"]}, {"symbol": "A"}, {"symbol_from": "{symbol}-*"}):
        found = read(value_column="v", symbols="A", **given)
        assert found.columns.has_symbol, given
        assert found.records.key == "symbol", given


def test_events_may_have_another_time_than_records() -> None:
    """Broken: rows are ordered by one column where another one was named."""
    assert read(timestamp_column="t").columns.event_time == "event_time", "of trades it is the record's time alone"
    assert read(timestamp_column="t").records.timestamp_column == "t"
    assert read(timestamp_column="event_time").records.timestamp_column is None, "they are the same"
    both = read(value_column="v", key_column="k", timestamp_column="t", maps=["event_time=e"])
    assert (both.columns.event_time, both.records.timestamp_column) == ("e", "t")


def test_two_spellings_of_one_partition_are_one() -> None:
    """Broken: a resume with the other spelling is refused as another job."""
    spellings: list[dict[str, Any]] = [
        {"partition_column": "p"},
        {"partitioner": "column:p"},
        {"partition_column": "p", "partitioner": "column:p"},
    ]
    assert len({read(**each).records for each in spellings}) == 1


def test_ids_are_read_as_numbers() -> None:
    records = read(value_column="v", key_column="k", translate_schema_ids=["5=17", " 4 = 4"]).records
    assert (records.value_ids, records.key_ids) == (((4, 4), (5, 17)), ())
    records = read(key_column="k", translate_key_schema_ids=["5=17"]).records
    assert (records.value_ids, records.key_ids) == ((), ((5, 17),))


V: dict[str, Any] = {"value_column": "v", "key_column": "k"}


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (V | {"fields": "a"}, "--fields"),
        (V | {"rename": ["a=b"]}, "--rename"),
        (V | {"maps": ["price=p"]}, "--map price="),
        (V | {"price_scale": 2}, "--price-scale"),
        (V | {"decimal_as": "string"}, "--decimal-as"),
        (V | {"preset": "binance"}, "--preset"),
        (V | {"symbols": "A"}, "--symbols"),
        (V | {"exclude_symbols": "A"}, "--exclude-symbols"),
        (V | {"sample": "1/2"}, "--sample"),
        (V | {"symbol_case": "upper"}, "--symbol-case"),
        (V | {"key": "none"}, "--key-column"),
        (V | {"key": "other"}, "--key-column"),
        ({"key_column": "k", "key": "other"}, "--key-column"),
        (V | {"partition_column": "p", "partitioner": "crc32"}, "--partition-column"),
        (V | {"partition_column": "p", "partitioner": "column:q"}, "--partition-column"),
        (V | {"timestamp_column": "t", "timestamp": "now"}, "--timestamp-column"),
        ({"value_column": "v"}, "--value-column"),
        ({"value_column": "v", "key": "none"}, "--value-column"),
        ({"translate_schema_ids": ["1=2"]}, "--translate-schema-ids"),
        ({"translate_key_schema_ids": ["1=2"]}, "--translate-key-schema-ids"),
        (V | {"translate_schema_ids": ["1"]}, "--translate-schema-ids"),
        (V | {"translate_schema_ids": ["1=x"]}, "--translate-schema-ids"),
        (V | {"translate_schema_ids": ["1=2147483648"]}, "--translate-schema-ids"),
        (V | {"translate_schema_ids": ["1=2", "01=3"]}, "--translate-schema-ids"),
        (V | {"translate_key_schema_ids": ["1=-2"]}, "--translate-key-schema-ids"),
        *(({**V, name: ""}, f"--{name.replace('_', '-')}") for name in ("value_column", "key_column")),
        *(({**V, name: ""}, f"--{name.replace('_', '-')}") for name in ("headers_column", "partition_column")),
        (V | {"timestamp_column": ""}, "--timestamp-column"),
    ],
    ids=lambda each: each if isinstance(each, str) else ",".join(each),
)
def test_what_means_nothing_together_is_refused_by_name(given: dict[str, Any], where: str) -> None:
    """Broken: one of two options is swallowed, and the topic is not what was asked for."""
    with pytest.raises(UsageError) as refused:
        read(**given)
    assert refused.value.where == where
    assert refused.value.todo


def test_bytes_that_go_out_as_they_are_have_no_format() -> None:
    """Broken: values of a dump are framed a second time."""
    for schemas, where in (
        (Schemas(value_format=ValueFormat.AVRO), "--format"),
        (Schemas(key_format=KeyFormat.AVRO), "--key-format"),
    ):
        with pytest.raises(UsageError) as refused:
            read(schemas, **V)
        assert refused.value.where == where


# -- presets ------------------------------------------------------------------------------------------------


def test_a_preset_of_a_dump_names_its_columns() -> None:
    """Broken: the options of a well-known layout have to be looked up and typed."""
    found = read(preset="kafka-replay-cli")
    assert found == read(
        value_column="value", key_column="key", partition_column="partition", timestamp_column="timestamp"
    )
    spark = read(preset="spark-kafka").records
    assert (spark.headers_column, spark.headers_optional) == ("headers", True)


@pytest.mark.parametrize(
    ("more", "part", "is_now"),
    [
        ({"value_column": "v"}, "value_column", "v"),
        ({"key": "none"}, "own_key_column", None),
        ({"partitioner": "crc32"}, "partitioner", "crc32"),
        ({"timestamp": "now"}, "timestamp_column", None),
        ({"headers_column": "h"}, "headers_optional", False),
    ],
)
def test_an_option_wins_over_the_preset_of_a_dump(more: dict[str, Any], part: str, is_now: Any) -> None:
    """Broken: with a preset nothing can be said otherwise."""
    given = with_dump(Input(inputs=["x"], preset="spark-kafka", **more))
    columns = parse_columns(given)
    assert columns.event_time == "timestamp", "rows are ordered by it all the same"
    assert getattr(parse_records(given, columns), part) == is_now
