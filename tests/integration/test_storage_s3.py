"""Input from a bucket, of a real S3 server: found, opened, read, and what its faults look like."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.errors import ExitCode, InputError, exit_code
from replay.source.files import remote
from replay.source.files.endings import OtherEndings
from replay.source.files.find import find
from replay.source.files.input_path import InputPath, read_footer
from tests.support.s3_server import REGION, Request, S3Server

GROUP_ROWS, GROUPS = 20_000, 10
TABLE = pa.table(
    {"price": pa.array(range(GROUP_ROWS * GROUPS), pa.int64()), "more": pa.array([0.5] * GROUP_ROWS * GROUPS)}
)
KEYS = (
    "t/symbol=A/date=2026-11-2/p.parquet",
    "t/symbol=A/date=2026-11-10/p.parquet",
    "t/symbol=B%2FC/date=2026-11-10/p.parquet",
    "t/symbol=B%2FC/date=2026-11-10/_SUCCESS",
    "t/symbol=B%2FC/date=2026-11-10/_temporary/0/p.parquet",
    "t/symbol=B%2FC/date=2026-11-10/p.parquet.tmp",
    "spark/day.parquet/part-0 é.parquet",
    "other/note.txt",
)
SECRET = "+a/secret=of%someone"


def parquet() -> bytes:
    target = io.BytesIO()
    pq.write_table(TABLE, target, row_group_size=GROUP_ROWS, use_dictionary=False, compression="none")
    return target.getvalue()


@pytest.fixture(scope="module")
def filled() -> Iterator[S3Server]:
    server = S3Server()
    client = server.client()
    for bucket in ("trades", "empty"):
        client.create_bucket(Bucket=bucket)
    for key in KEYS:
        client.put_object(Bucket="trades", Key=key, Body=b"x" * len(key))
    client.put_object(Bucket="trades", Key="big.parquet", Body=parquet())
    yield server
    server.stop()


@pytest.fixture
def server(filled: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    for name, value in {
        "AWS_ENDPOINT_URL": filled.endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "reader",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setattr(remote, "S3_ATTEMPTS", 2)  # up to a second in between, not fifteen
    monkeypatch.setattr(remote, "S3_SILENCE_S", 1.0)
    filled.forget()
    yield filled
    filled.heal()


def listing(requests: list[Request]) -> list[Request]:
    """All requests but those that ask for a table's folder: they are few, and go to no data."""
    names = ("_delta_log", ".hoodie", "metadata")
    return [each for each in requests if not any(name in each.path + each.query for name in names)]


def shown(*given: str) -> list[str]:
    return [path.shown for path in find(given)]


def one(given: str) -> InputPath:
    (path,) = find([given])
    return path


A2, A10, BC = (f"s3://trades/{key}" for key in KEYS[:3])
SPARK = f"s3://trades/{KEYS[6]}"

# -- finding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (A2, [A2]),
        (
            "s3a://trades/other/note.txt",
            ["s3a://trades/other/note.txt"],
        ),  # named itself: its reader will say what it is
        ("s3://trades/t", [A2, A10, BC]),
        ("s3://trades/t/symbol=A/", [A2, A10]),
        ("s3://trades/t/symbol=B%2FC", [BC]),
        ("s3://trades", ["s3://trades/big.parquet", SPARK, A2, A10, BC]),
        ("s3://trades/spark/day.parquet", [SPARK]),
        ("s3://trades/spark/*.parquet", [SPARK]),
        ("s3://trades/*.parquet", ["s3://trades/big.parquet"]),
        ("s3://trades/t/*/date=2026-11-1?/*.parquet", [A10, BC]),
        ("s3://trades/t/symbol=[!A]*", [BC]),
        ("s3://trades/**/p.parquet", [A2, A10, BC]),
        ("s3://trades/t/symbol=A/**", [A2, A10]),
    ],
)
@pytest.mark.usefixtures("server")
def test_files_folders_and_patterns_of_a_bucket(given, found):
    """Broken: a bucket's data is replayed in part, or with what is no data."""
    assert shown(given) == found


@pytest.mark.usefixtures("server")
def test_what_is_left_out_because_of_its_ending_is_counted():
    """Broken: half of a bucket's folder passes for the whole; or what lies there unfinished is an alarm."""
    others = OtherEndings()
    assert len(find(["s3://trades"], others)) == 5
    assert str(others) == "1 file does not end in .parquet, .parq or .pq (1 in .txt)"
    with pytest.raises(InputError, match="no Parquet file here"):
        find(["s3://trades/other"], others)


@pytest.mark.usefixtures("server")
def test_a_file_of_a_bucket_is_known_as_a_local_one_is():
    """Broken: a data set copied into a bucket is another job, or loses its symbols."""
    path = one(BC)
    assert path.name == "symbol=B%2FC/date=2026-11-10/p.parquet"
    assert path.keys == (("symbol", "B/C"), ("date", "2026-11-10"))
    assert path.size_bytes == len(KEYS[2])


def test_a_key_counts_once_however_it_is_named(server):
    """Broken: rows are sent twice."""
    options = f"?region={REGION}&scheme=http&endpoint_override={server.endpoint}"
    every = [A2, "s3://trades//t/symbol=A/date=2026-11-2/", A2.replace("s3:", "s3a:"), f"{A2}?region={REGION}",
             "s3://trades/t", f"s3://trades/t/**/p.parquet{options}", f"s3://reader:x@trades/t{options}"]  # fmt: skip
    assert shown(*every) == [A2, A10, BC]


def test_all_pages_of_a_long_listing_are_read(server):
    """Broken: of more than 1,000 files the rest is left out."""
    from moto.s3.models import s3_backends

    store = s3_backends["123456789012"]["aws"]  # moto's own account; 1,100 uploads would take 5 s
    store.create_bucket("many", REGION)
    for day in range(1_100):
        store.put_object("many", f"d/day-{day}.parquet", b"x")
    expected = [f"s3://many/d/day-{day}.parquet" for day in range(1_100)]
    server.forget()
    assert shown("s3://many/d") == expected
    assert len(listing(server.requests)) == 4  # is it a file, is it a folder, two pages
    assert shown("s3://many/d/day-*.parquet") == expected
    assert shown("s3://many/*/day-*[05].parquet") == expected[::5]


def test_only_what_lies_below_the_spelled_out_part_is_listed(server):
    """Broken: a pattern for a day lists a bucket of years."""
    shown("s3://trades/t/symbol=A/*")
    listings = [request.query for request in listing(server.requests) if request.query]
    assert listings
    assert all("prefix=t%2Fsymbol%3DA%2F" in query for query in listings)


def test_two_keys_that_read_alike_are_not_taken_for_one(server):
    """Broken: `a//b.parquet` is dropped as another name of `a/b.parquet`."""
    client = server.client()
    client.create_bucket(Bucket="odd")
    for key in ("a/b.parquet", "a//b.parquet"):
        client.put_object(Bucket="odd", Key=key, Body=b"x")
    with pytest.raises(InputError, match="has no name") as caught:
        find(["s3://odd/a"])
    assert caught.value.where == "s3://odd/a//b.parquet"


TABLES = {
    "Delta": "_delta_log/00000000000000000000.json",
    "Iceberg": "metadata/v1.metadata.json",
    "Hudi": ".hoodie/hoodie.properties",
}


@pytest.mark.parametrize("format", TABLES)
@pytest.mark.parametrize(
    "given",
    ["lake", "lake/", "lake/x/*", "lake/x/trades/d=1", "lake/x/trades/d=1/*.parquet", "lake/x/*/d=*",
     "lake/x/trades/d=1/p.parquet", "lake/**/*.parquet"],
)  # fmt: skip
def test_a_table_in_a_bucket_is_noticed_from_wherever_it_is_named(server, format, given):
    """Broken: both generations of a rewritten table are sent."""
    client = server.client()
    bucket = f"tables-{format.lower()}"
    if bucket not in {each["Name"] for each in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=bucket)
        for key in ("d=1/p.parquet", "d=2/p.parquet", TABLES[format]):
            client.put_object(Bucket=bucket, Key=f"lake/x/trades/{key}", Body=b"x")
        client.put_object(Bucket=bucket, Key="lake/y/metadata/note.json", Body=b"x")
        client.put_object(Bucket=bucket, Key="lake/y/p.parquet", Body=b"x")
    with pytest.raises(InputError, match=f"{format} table s3://{bucket}/lake/x/trades") as caught:
        find([f"s3://{bucket}/{given}"])
    assert exit_code(caught.value) == ExitCode.INPUT
    assert shown(f"s3://{bucket}/lake/y") == [f"s3://{bucket}/lake/y/p.parquet"]


# -- what is not there, or not allowed --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("s3://trades/t/none.parquet", "no such file"),
        ("s3://trades/none/*.parquet", "no such file"),
        ("s3://trades/t/symbol=A/none-*.parquet", "no Parquet file here"),
        ("s3://trades/other", "no Parquet file here"),
        ("s3://empty", "no Parquet file here"),
        ("s3://missing-bucket", "no such bucket"),
        ("s3://missing-bucket/k.parquet", "no such bucket"),
        ("s3://missing-bucket/*.parquet", "no such bucket"),
    ],
)
@pytest.mark.usefixtures("server")
def test_what_names_nothing_is_an_error(given, what):
    """Broken: a typo is an empty replay."""
    with pytest.raises(InputError, match=what) as caught:
        find([given])
    assert caught.value.where == given
    assert caught.value.todo


def test_credentials_are_needed_and_never_shown(server, monkeypatch):
    """Broken: the right key is refused, or a wrong one is on the screen."""
    iam = server.client("iam")
    iam.create_user(UserName="reader")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    right, wrong = quote(key["SecretAccessKey"], safe=""), quote(SECRET, safe="")
    server.demand_credentials(True)
    try:
        assert one(f"s3://{key['AccessKeyId']}:{right}@trades/t/symbol=A/date=2026-11-2/p.parquet").shown == A2
        for given in (A2, "s3://trades/t/*.parquet", f"s3://{key['AccessKeyId']}:{wrong}@trades/t"):
            with pytest.raises(InputError, match="access was denied") as caught:
                find([given])
            told = f"{caught.value} {caught.value!r}"
            assert not any(secret in told for secret in (SECRET, wrong, key["AccessKeyId"]))
            assert "AWS_ACCESS_KEY_ID" in caught.value.todo
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        path = one(A2)
        path.open().close()
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "expired")
        with pytest.raises(InputError, match="access was denied"):
            path.open()
    finally:
        server.demand_credentials(False)


# -- reading ----------------------------------------------------------------------------------------------


def asked_bytes(request: Request) -> int:
    first, last = request.bytes_range.removeprefix("bytes=").split("-")
    return int(last) - int(first) + 1


def test_only_what_is_needed_is_fetched(server):
    """Broken: a selection or a resume fetches whole files."""
    path = one("s3://trades/big.parquet")
    server.forget()
    with path.open() as file:
        footer = read_footer(path, file)
        metadata = pq.ParquetFile(pa.BufferReader(b"PAR1" + footer)).metadata
        parquet_file = pq.ParquetFile(file, metadata=metadata, pre_buffer=False)
        assert [request.method for request in server.requests] == ["HEAD", "GET"]
        assert asked_bytes(server.requests[1]) == 64 << 10
        server.forget()
        batches = list(parquet_file.iter_batches(row_groups=[7], columns=["price"], batch_size=1_000))
    assert pa.Table.from_batches(batches).equals(TABLE.select(["price"]).slice(7 * GROUP_ROWS, GROUP_ROWS))
    column_bytes = metadata.row_group(7).column(0).total_compressed_size
    assert sum(map(asked_bytes, server.requests)) < 1.1 * column_bytes < path.size_bytes / 10


def test_a_key_that_changes_or_goes_after_it_was_found_is_refused(server):
    """Broken: another file is replayed than the one that was checked."""
    client = server.client()
    client.put_object(Bucket="trades", Key="change/x.parquet", Body=b"12345")
    path = one("s3://trades/change/x.parquet")
    client.put_object(Bucket="trades", Key="change/x.parquet", Body=b"123456")
    with pytest.raises(InputError, match="had 5 bytes and now has 6"):
        path.open()
    client.delete_object(Bucket="trades", Key="change/x.parquet")
    with pytest.raises(InputError, match="no such file") as caught:
        path.open()
    assert caught.value.where == "s3://trades/change/x.parquet"


@pytest.mark.usefixtures("server")
def test_a_half_written_key_is_refused():
    """Broken: a part of a day is replayed as the day."""
    path = one(A2)
    with path.open() as file, pytest.raises(InputError, match="not a whole Parquet file") as caught:
        read_footer(path, file)
    assert caught.value.where == A2


# -- faults -----------------------------------------------------------------------------------------------


def test_faults_that_pass_are_retried(server):
    """Broken: one "slow down" or one lost connection of a night ends its replay."""
    server.answers_503 = 1
    path = one("s3://trades/big.parquet")
    assert [request.status for request in server.requests].count(503) == 1
    server.cut_bodies = 1
    with path.open() as file:
        server.forget()
        assert file.read_at(1 << 20, 4) == parquet()[4 : 4 + (1 << 20)]
    asked = [request.bytes_range for request in server.requests]
    assert len(asked) > 1  # on a busy machine an answer may come too late as well
    assert set(asked) == {"bytes=4-1048579"}


@pytest.mark.parametrize("fault", [{"answers_503": 99}, {"cut_bodies": 99}, {"silence_s": 2.5}], ids=str)
def test_faults_that_stay_are_one_error(server, fault):
    """Broken: a store that is down is waited for without end, or is a traceback."""
    path = one("s3://trades/big.parquet")
    file = path.open()
    server.forget()
    for name, value in fault.items():
        setattr(server, name, value)
    started = time.monotonic()
    with pytest.raises(InputError, match="the service is not available") as caught:
        read_footer(path, file)
    assert time.monotonic() - started < 20
    assert caught.value.where == "s3://trades/big.parquet"
    assert "run the same command again" in caught.value.todo
    assert "\n" not in caught.value.what


def test_a_slow_answer_is_waited_for(server, monkeypatch):
    """Broken: a busy store is taken for a dead one."""
    monkeypatch.setattr(remote, "S3_SILENCE_S", 5.0)
    path = one("s3://trades/big.parquet")
    server.silence_s = 1.2
    with path.open() as file:
        assert len(read_footer(path, file)) > 100
    assert all(request.status < 300 for request in listing(server.requests))


@pytest.mark.usefixtures("server")
def test_a_server_that_dies_is_one_error():
    """Broken: a read in the middle of a replay is a traceback when the store goes away."""
    dying = S3Server()
    try:
        dying.client().create_bucket(Bucket="dying")
        dying.client().put_object(Bucket="dying", Key="x.parquet", Body=parquet())
        given = f"s3://dying/x.parquet?endpoint_override={dying.endpoint}"
        path = one(given)
        file = pq.ParquetFile(path.open(), pre_buffer=False)
        assert file.read_row_group(0, ["price"]).num_rows == GROUP_ROWS
    finally:
        dying.stop()
    with pytest.raises(OSError, match="NETWORK_CONNECTION") as failed:
        file.read_row_group(1, ["price"])
    with pytest.raises(InputError) as unfound:
        find([given])
    for error in (path.place.refusal(failed.value), unfound.value):
        assert "the service is not available" in error.what
        assert error.where == "s3://dying/x.parquet"
