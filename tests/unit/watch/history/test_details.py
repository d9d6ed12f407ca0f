"""What is kept of a run beyond its figures."""

from __future__ import annotations

from replay.watch.history.details import NAME_MAX, shortened_verdict


def test_what_records_hold_is_not_kept() -> None:
    """Broken: prices, keys or payloads lie in a database and in reports that more people read than the topic."""
    place = {"kind": "changed", "row": 7, "symbol": "x" * 900, "partition": 0, "offset": 41}
    contents = {"expected": {"value": "secret"}, "found": {"value": "secret"}, "differs": ["a: secret, expected b"]}
    kept = shortened_verdict({"exact": False, "starts": [0], "ends": [9], "examples": [{**place, **contents}]})
    assert kept == {"exact": False, "examples": [{**place, "symbol": "x" * (NAME_MAX - 1) + "…"}]}
