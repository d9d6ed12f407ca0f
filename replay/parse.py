"""The text forms of options: text in, values out, `UsageError` where a value cannot work. Pure."""

from __future__ import annotations

import math
import re

from replay.config import ALL_FIELDS, CRC32, MURMUR2, Columns, Pace, SymbolCase, TopicSpec
from replay.errors import UsageError

_NUMBER = r"(\d+(?:_\d{3})*(?:\.\d+)?|\.\d+)"
_SCALES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_BYTE_SCALES = {
    "": 1,
    "b": 1,
    "kb": 1_000,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
}
_SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def _parse(text: str, pattern: str, option: str, forms: str) -> re.Match[str]:
    match = re.fullmatch(pattern, text.strip(), re.IGNORECASE)
    if match is None:
        raise UsageError(f"cannot read {text!r}", where=option, todo=f"write it like {forms}")
    return match


def _number(text: str, option: str) -> float:
    number = float(text.replace("_", ""))
    if number > 1e15:  # far beyond any use, and within what floats count exactly
        raise UsageError(f"{text[:20]}... is too large", where=option, todo="give at most 1e15")
    return number


Bounds = tuple[float, float]
"""Smallest and largest value of an option; the upper ones are librdkafka's."""

BATCH_ROWS: Bounds = (1, 1_000_000)
BATCH_BYTES: Bounds = (1, 2_147_483_647)
LINGER_S: Bounds = (0, 900)
IN_FLIGHT_ROWS: Bounds = (1, 2_000_000)  # librdkafka's own limit is 10 million; a row costs about 400 bytes there
IN_FLIGHT_BYTES: Bounds = (1, 512 << 30)
ANY: Bounds = (0, 1e15)
ONE_OR_MORE: Bounds = (1, 1e15)
WATCH_S: Bounds = (0.2, 86_400)
SORT_MEMORY: Bounds = (16 << 20, 1 << 40)  # below this, runs are too many to be merged well


def _within(bounds: Bounds, value: float, option: str) -> None:
    if not bounds[0] <= value <= bounds[1]:
        raise UsageError(f"{value:g} is out of range", where=option, todo=f"give {bounds[0]:g} to {bounds[1]:g}")


def parse_rate(text: str, option: str = "--rate") -> float | None:
    """`5000/s`, `5k/s`, `300000/m`, a bare number (rows per second); `max` is None."""
    if text.strip().lower() == "max":
        return None
    match = _parse(text, _NUMBER + r"\s*([km]?)\s*(?:/\s*(s|m|h))?", option, "5000/s, 5k/s, 300k/m or max")
    rate = _number(match[1], option) * _SCALES[match[2].lower()] / _SECONDS[(match[3] or "s").lower()]
    if rate <= 0:
        raise UsageError("a rate must be above zero", where=option, todo="write it like 5000/s, or max")
    return rate


def parse_speed(text: str, option: str = "--speed") -> float:
    """`60x` or `60`: how many times faster than the event times."""
    speed = _number(_parse(text, _NUMBER + r"\s*x?", option, "60x or 0.5x")[1], option)
    if speed <= 0:
        raise UsageError("a speed must be above zero", where=option, todo="write it like 60x")
    return speed


def parse_duration_s(text: str, option: str, bounds: Bounds = ANY) -> float:
    """`250ms`, `90s`, `5m`, `2h`; a bare number is seconds."""
    match = _parse(text, _NUMBER + r"\s*(ms|s|min|m|h|d)?", option, "250ms, 90s, 5m or 2h")
    seconds = _number(match[1], option) * _SECONDS[(match[2] or "").lower()]
    if not math.isfinite(seconds) or seconds > 10 * 365 * 86400:
        raise UsageError(f"{text!r} is too long", where=option, todo="give at most ten years")
    _within(bounds, seconds, option)
    return seconds


def parse_rows(text: str, option: str, bounds: Bounds = ANY) -> int:
    """`10M`, `500k`, `100000`."""
    match = _parse(text, _NUMBER + r"\s*([kmg]?)", option, "100000, 500k or 10M")
    rows = round(_number(match[1], option) * _SCALES[match[2].lower()])
    _within(bounds, rows, option)
    return rows


def parse_bytes(text: str, option: str, bounds: Bounds = ANY) -> int:
    """`64MiB`, `1MB`, `1000000`."""
    match = _parse(text, _NUMBER + r"\s*((?:[kmg]i?)?b)?", option, "64MiB, 1MB or 1000000")
    size = round(_number(match[1], option) * _BYTE_SCALES[(match[2] or "").lower()])
    _within(bounds, size, option)
    return size


def parse_offsets(text: str, option: str) -> list[int]:
    """`0,0,12`: an offset a partition."""
    _parse(text, r"\d+(\s*,\s*\d+)*", option, "0,0,12 (an offset for each partition)")
    return [int(part) for part in text.split(",")]


def parse_topic_spec(text: str, option: str = "--create-topic") -> TopicSpec:
    """`6` or `6:3`: partitions and replication."""
    match = _parse(text, r"(\d+)(?::(\d+))?", option, "6 or 6:3 (partitions:replication)")
    spec = TopicSpec(int(match[1]), int(match[2]) if match[2] else None)
    if spec.partitions < 1 or spec.replication == 0:
        raise UsageError("partitions and replication start at 1", where=option, todo="write it like 6:3")
    return spec


def parse_assignments(texts: list[str], option: str) -> dict[str, str]:
    """Repeated `key=value` options; the value may hold further `=`. The value is never repeated in an error."""
    pairs: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        key = key.strip()
        if not sign or not key:
            name = re.match(r"[\w.-]*", text)  # whatever follows may be a secret, written with a colon or a blank
            raise UsageError(
                f"an assignment needs a name and a value (got {name[0] if name else ''!r} and no =)",
                where=option,
                todo=f"write {option} name=value",
            )
        if key in pairs:
            raise UsageError(f"{key} is given twice", where=option, todo="keep one of them")
        pairs[key] = value.strip()
    return pairs


EVENT_FIELDS = ("symbol", "price", "event_time")


def parse_columns(
    maps: list[str],
    fields: str | None,
    symbol: str | None,
    *,
    rename: list[str] | None = None,
    symbol_from: str | None = None,
    symbol_case: SymbolCase | None = None,
    time_unit: str | None = None,
    price_scale: int | None = None,
    preset: str | None = None,
) -> Columns:
    """From `--map event_time=timestamp`, `--fields a,b`, `--symbol BTCUSDT` and their like."""
    mapping = parse_assignments(maps, "--map")
    if "" in mapping.values():
        raise UsageError("a column name is empty", where="--map", todo="write event_time=COLUMN")
    if unknown := set(mapping) - set(EVENT_FIELDS):
        raise UsageError(
            f"{', '.join(sorted(unknown))} is no event field",
            where="--map",
            todo="write event_time=COLUMN, price=COLUMN or symbol=COLUMN; further columns go out with --fields",
        )
    sources = {"--map symbol=…": "symbol" in mapping, "--symbol": symbol is not None, "--symbol-from": symbol_from}
    if len(given := [option for option, value in sources.items() if value]) > 1:
        raise UsageError("symbols come from one place", where=given[0], todo=f"drop {' or '.join(given)}")
    _check_symbol(symbol)
    renamed = parse_assignments(rename or [], "--rename")
    return Columns(
        symbol=mapping.get("symbol", "symbol"),
        price=mapping.get("price", "price"),
        event_time=mapping.get("event_time", "event_time"),
        fields=_fields(fields, renamed) if fields else (),
        rename=tuple(sorted(renamed.items())),
        constant_symbol=symbol,
        symbol_from=(symbol_from,) if symbol_from else (),
        symbol_case=symbol_case or SymbolCase.KEEP,
        time_unit=time_unit,
        price_scale=price_scale,
        preset=preset,
    )


def _check_symbol(symbol: str | None) -> None:
    if symbol is None:
        return
    if not symbol:
        raise UsageError("the symbol is empty", where="--symbol", todo="give a name such as BTCUSDT")
    try:
        symbol.encode()
    except UnicodeEncodeError:
        raise UsageError("the symbol is not UTF-8", where="--symbol", todo="give a name such as BTCUSDT") from None


def _fields(text: str, renamed: dict[str, str]) -> tuple[str, ...]:
    if text.strip() == "all":
        return ALL_FIELDS
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if not name or names.count(name) > 1 or renamed.get(name, name) in EVENT_FIELDS:
            raise UsageError(
                f"{name!r} is empty, given twice, or always part of the event",
                where="--fields",
                todo="name each further column once: --fields trade_id,quantity",
            )
    return names


def parse_time_unit(text: str | None) -> str | None:
    if text is not None and text not in ("s", "ms", "us", "ns"):
        raise UsageError(f"{text[:20]!r} is no unit of time", where="--time-unit", todo="give s, ms, us or ns")
    return text


def check_named(text: str, option: str) -> str:
    """A name that is not empty: an unset variable of a script is no name."""
    if not text:
        raise UsageError("the name is empty", where=option, todo="give one, or drop the option")
    return text


def check_partitioner(text: str) -> str:
    """`murmur2`, `crc32` or `column:NAME`."""
    if text not in (MURMUR2, CRC32) and not re.fullmatch(r"column:.+", text):
        raise UsageError(
            f"{text[:60]!r} is no way to choose partitions",
            where="--partitioner",
            todo="give murmur2, crc32, or column:NAME for a column that holds the partition",
        )
    return text


def parse_bad_rows_max(text: str, option: str = "--bad-rows-max") -> tuple[int | None, float]:
    """`1000` rows, or `10%` of all rows: a number, if it is one, and a share."""
    match = _parse(text, _NUMBER + r"\s*(%|[km]?)", option, "1000 or 10%")
    if match[2] != "%":
        return parse_rows(text, option), 1.0
    share = _number(match[1], option) / 100
    _within((0, 1), share, option)
    return None, share


def parse_pace(rate: str | None, speed: str | None, max_gap: str | None) -> Pace:
    if rate is not None and speed is not None:
        raise UsageError(
            "--rate and --speed exclude each other",
            where="--rate",
            todo="give rows per second (--rate) or a factor on event time (--speed)",
        )
    if max_gap is not None and speed is None:
        raise UsageError("--max-gap needs --speed", where="--max-gap", todo="add --speed 1x, or drop it")
    gap_max_s = parse_duration_s(max_gap, "--max-gap") if max_gap is not None else None
    if speed is not None:
        return Pace(speed=parse_speed(speed), gap_max_s=gap_max_s)
    return Pace(rows_per_s=parse_rate(rate) if rate is not None else None)


def check_topic_name(topic: str) -> str:
    """Kafka's own rule (org.apache.kafka.common.internals.Topic): 1 to 249 of [a-zA-Z0-9._-], not . or .. ."""
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", topic) or topic in (".", ".."):
        raise UsageError(
            f"{topic[:60]!r} is no topic name",
            where="--topic",
            todo="use 1 to 249 letters, digits, dots, dashes and underscores",
        )
    return topic


SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


def check_bootstrap_servers(servers: str, security_protocol: str = "PLAINTEXT") -> str:
    """`host:port` pairs, comma-separated; a missing port is Kafka's 9092.

    A scheme before an address, as listeners are written (`SASL_SSL://host:9093`), must be the security.protocol that
    the clients use: librdkafka would leave such an address out, and then look for a broker in vain.
    """
    for server in servers.split(","):
        match = re.fullmatch(
            r"\s*(?:([^:/\s]+)://)?(\[[0-9a-fA-F:.%]+\]|[^:/\s\[\]]+)(?::(\d{1,5}))?\s*", server, re.ASCII
        )
        if match is None or (match[3] is not None and not 1 <= int(match[3]) <= 65535):
            raise UsageError(
                f"{server.strip()!r} is no broker address",
                where="--bootstrap-servers",
                todo="write host:port[,host:port…] with ports from 1 to 65535",
            )
        if match[1] is not None:
            _check_scheme(match[1], server.strip(), security_protocol)
    return servers


def _check_scheme(scheme: str, server: str, security_protocol: str) -> None:
    bare = server.partition("://")[2]
    if scheme.upper() not in SECURITY_PROTOCOLS:
        raise UsageError(
            f"{server!r}: {scheme} is no protocol of Kafka's",
            where="--bootstrap-servers",
            todo=f"write {bare}; TLS and SASL are set with -X security.protocol=SSL, SASL_PLAINTEXT or SASL_SSL",
        )
    if scheme.upper() != security_protocol.upper():
        raise UsageError(
            f"{server!r} asks for {scheme.upper()}, but security.protocol is {security_protocol.upper()}",
            where="--bootstrap-servers",
            todo=f"add -X security.protocol={scheme.upper()}, or write {bare}",
        )


def broker_addresses(servers: str) -> list[tuple[str, int]]:
    """Host and port of each, of servers that `check_bootstrap_servers` took."""
    found = []
    for server in servers.split(","):
        bare = server.strip().rpartition("://")[2]
        host, colon, port = bare.rpartition(":")
        if not colon or bare.endswith("]"):
            host, port = bare, "9092"
        found.append((host.strip("[]"), int(port)))
    return found
