"""From what Python has to what the command line takes."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replay import ReplayOptions, UsageError
from replay.api.options import LEFT_OUT, NAMES, RUN, given
from replay.cli.options.declare import declared
from replay.delivery.options import Delivery


def test_every_option_of_the_command_is_there_and_no_other() -> None:
    """Broken: an option that was added to the command is missing in Python, or one is there that does nothing."""
    known = {NAMES.get(option.key, option.key) for group in RUN.groups for option in declared(group)}
    assert {each.name for each in fields(ReplayOptions)} == known - LEFT_OUT
    assert known >= LEFT_OUT


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("inputs", "data", ["data"]),
        ("inputs", Path("data"), ["data"]),
        ("inputs", ["a", Path("b")], ["a", "b"]),
        ("date", date(2026, 11, 1), "2026-11-01"),
        ("from_", datetime(2026, 11, 1, 9, tzinfo=UTC), "2026-11-01T09:00:00+00:00"),
        ("symbols", ["A", "B*"], "A,B*"),
        ("fields", ("side", "amount"), "side,amount"),
        ("bootstrap_servers", ["a:1", "b:2"], "a:1,b:2"),
        ("limit", 5, 5),
        ("rate", 5_000, "5000"),
        ("rate", 0.5, "0.500000"),
        ("speed", 60, "60"),
        ("broker_timeout", timedelta(minutes=5), "300.000000"),
        ("broker_timeout", 2, "2"),
        ("create_topic", 6, "6"),
        ("checkpoint", Path("c.json"), "c.json"),
        ("check", False, False),
        ("delivery", "transactional", Delivery.TRANSACTIONAL),
        ("delivery", Delivery.TRANSACTIONAL, Delivery.TRANSACTIONAL),
    ],
)
def test_values_become_those_of_the_command_line(field: str, value: Any, text: Any) -> None:
    assert given(ReplayOptions(**{field: value}))[field] == text


@pytest.mark.parametrize(
    ("name", "field", "value", "text"),
    [
        ("map", "maps", {"event_time": "ts"}, ["event_time=ts"]),
        ("header", "headers", ["a=b", "c=d"], ["a=b", "c=d"]),
        ("kafka", "settings", {"socket.keepalive.enable": True, "retries": 3}, [
            "socket.keepalive.enable=true", "retries=3",
        ]),
        ("verify", "verify_after", True, True),
    ],
)  # fmt: skip
def test_names_are_those_of_a_job_file(name: str, field: str, value: Any, text: Any) -> None:
    assert given(ReplayOptions(**{name: value}))[field] == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", 0), ("limit", 1.5), ("limit", True), ("check", 1), ("delivery", "twice"), ("symbols", ["A,B"]),
        ("metrics_port", 70_000), ("order", ["as-is", "event-time"]),
    ],
)  # fmt: skip
def test_a_value_that_cannot_work_names_its_option(name: str, value: Any) -> None:
    """Broken: a replay begins with a value that nobody meant."""
    with pytest.raises(UsageError) as error:
        given(ReplayOptions(**{name: value}))
    assert error.value.where == f"ReplayOptions.{name}"


def test_what_is_not_given_is_as_by_default() -> None:
    assert given(ReplayOptions()).texts() == {}


def test_numbers_of_numpy_are_numbers():
    """Broken: a notebook computes a limit, and it is refused."""
    limit: Any = np.int64(5)
    assert given(ReplayOptions(limit=limit))["limit"] == 5


def test_no_secret_is_shown() -> None:
    """Broken: a notebook that shows its options shows the password of the cluster."""
    options = ReplayOptions(kafka={"sasl.password": "hush"}, notify="https://hush", metrics_push="https://hush")
    assert "hush" not in repr(options)
    assert "hush" not in given(options).texts()["-X"]
