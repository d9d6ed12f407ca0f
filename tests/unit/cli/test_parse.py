"""Text forms of options: text that means something is understood, all else is refused by the name of its option."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.cli import parse
from replay.cli.options.source import Input
from replay.errors import UsageError
from replay.kafka.options import TopicSpec
from replay.source.options import Columns


@pytest.mark.parametrize(("text", "spec"), [("6", TopicSpec(6)), ("6:3", TopicSpec(6, 3))])
def test_topic_specs(text, spec):
    assert parse.parse_topic_spec(text) == spec


@pytest.mark.parametrize("text", ["0", "6:0", "6:", ":3", "6:3:1"])
def test_topic_specs_that_no_broker_could_follow(text):
    with pytest.raises(UsageError):
        parse.parse_topic_spec(text)


def test_an_assignment_may_hold_more_equal_signs():
    """Passwords and JAAS lines do."""
    assert parse.parse_assignments(["a=b=c", " d = e ", "f="], "-X") == {"a": "b=c", "d": "e", "f": ""}


@pytest.mark.parametrize("texts", [["a"], ["=b"], ["a=1", "a=2"]])
def test_assignments_without_name_or_value_or_given_twice(texts):
    with pytest.raises(UsageError):
        parse.parse_assignments(texts, "-X")


def test_a_secret_is_never_repeated_in_an_error():
    with pytest.raises(UsageError) as caught:
        parse.parse_assignments(["sasl.password=geheim", "sasl.password=geheim"], "-X")
    assert "geheim" not in str(caught.value)


def test_columns():
    assert parse.parse_columns(Input()) == Columns()
    given = Input(maps=["symbol=s", "event_time=ts"], fields="id, qty")
    assert parse.parse_columns(given) == Columns("s", "price", "ts", ("id", "qty"))
    assert parse.parse_columns(Input(symbol="BTCUSDT")).constant_symbol == "BTCUSDT"


@pytest.mark.parametrize(
    ("maps", "fields", "symbol"),
    [
        (["size=qty"], None, None),
        (["symbol=s"], None, "X"),
        ([], None, ""),
        ([], "a,,b", None),
        ([], "a,a", None),
        ([], "price", None),
    ],
)
def test_columns_that_cannot_be_meant(maps, fields, symbol):
    with pytest.raises(UsageError):
        parse.parse_columns(Input(maps=maps, fields=fields, symbol=symbol))


@pytest.mark.parametrize("name", ["trades", "a.b_c-9", "x" * 249])
def test_topic_names(name):
    assert parse.check_topic_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "x" * 250, "a\n"])
def test_topic_names_that_kafka_refuses(name):
    with pytest.raises(UsageError):
        parse.check_topic_name(name)


@pytest.mark.parametrize("text", ["", "-1", "1e5", "five", "5 5", "0x10", "nan", "1,000", "5\n5"])
def test_a_topic_spec_that_means_nothing_is_refused(text):
    """A wrong guess would make a topic with another number of partitions, unnoticed."""
    with pytest.raises(UsageError):
        parse.parse_topic_spec(text)


@given(text=st.one_of(st.text(max_size=12), st.from_regex(r"\d{1,200}(:\d{1,200})?", fullmatch=True)))
def test_no_text_at_all_makes_the_parser_fail_otherwise(text):
    try:
        parse.parse_topic_spec(text)
    except UsageError as error:
        assert error.where.startswith("--")  # noqa: PT017
