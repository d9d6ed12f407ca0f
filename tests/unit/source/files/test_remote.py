"""URIs taken apart, and what services say. No service is asked here: see tests/integration/test_storage_s3.py."""

from __future__ import annotations

import errno
import os
import re

import pyarrow as pa
import pyarrow.fs
import pytest

from replay.errors import InputError, UsageError
from replay.source.files.address import is_uri, parse, refusal
from replay.source.files.find import find
from replay.source.files.remote import connect, endpoint_of
from replay.source.files.unreadable import unreadable


@pytest.mark.parametrize(
    ("text", "uri"),
    [("s3://b/k", True), ("abfss://c@a/k", True), ("S3://b", True), ("/a/b", False), ("a:b", False), ("a/x://b", False),
     ("file:x.parquet", False), ("//a", False)],
)  # fmt: skip
def test_what_is_a_uri(text, uri):
    """Broken: a file with an odd name is looked for in the network."""
    assert is_uri(text) is uri


@pytest.mark.parametrize(
    ("uri", "shown", "parameters"),
    [
        ("s3://b/k", "s3://b/k", {}),
        ("s3://b", "s3://b", {}),
        ("s3://b/", "s3://b", {}),
        ("s3://b//x///y/", "s3://b/x/y", {}),
        ("s3://b?region=eu-west-1", "s3://b", {"region": "eu-west-1"}),
        ("s3://b/k?region=x&endpoint_override=http://h:9/", "s3://b/k", {"region": "x", "endpoint_override": "http://h:9/"}),
        ("s3://b/day-?.parquet", "s3://b/day-?.parquet", {}),
        ("s3://b/day-?/x.parquet?region=x", "s3://b/day-?/x.parquet", {"region": "x"}),
        ("s3://b/date=2026-1?/a=b/*", "s3://b/date=2026-1?/a=b/*", {}),
        ("s3://b/symbol=A%2FB/a b#c.parquet", "s3://b/symbol=A%2FB/a b#c.parquet", {}),
        ("s3://KEY:SE%2FCRET@b/k", "s3://b/k", {}),
        ("s3a://b/k", "s3a://b/k", {}),
        ("gs://anonymous@b/k", "gs://b/k", {}),
        ("abfss://container:5ECRET@account.dfs.core.windows.net/k",
         "abfss://container@account.dfs.core.windows.net/k", {}),
        ("abfs://:5ECRET@account.dfs.core.windows.net/c/k", "abfs://account.dfs.core.windows.net/c/k", {}),
        ("hdfs://me@nn:8020/data/k", "hdfs://me@nn:8020/data/k", {}),
    ],
)  # fmt: skip
def test_a_uri_is_shown_without_what_is_nobodys_business(uri, shown, parameters):
    """Broken: a secret is in a log, or a wildcard is taken for a parameter."""
    address = parse(uri)
    assert address.shown == shown
    assert dict(address.parameters) == parameters
    assert "5ECRET" not in repr(address)


@pytest.mark.parametrize(
    ("uri", "kind", "what"),
    [
        ("http://me:5ECRET@host/k", InputError, "http:// cannot be read"),
        ("s3://KEY:5ECRET/with@b/k", UsageError, "names no bucket"),
        ("s3:///k", UsageError, "names no bucket"),
        ("s3://b/k?secret_key=5ECRET", UsageError, "no parameter 'secret_key'"),
        ("s3://b/?ay=2/x", UsageError, "no parameter 'ay'"),
        ("gs://b/k?secret=5ECRET", UsageError, "'secret'"),
        ("abfs://c:5ECRET@a.dfs.core.windows.net/k?client_secret=5ECRET2&bogus=1", UsageError, "bogus"),
        ("abfs://c:5ECRET@[::1/k", UsageError, "Cannot parse"),
    ],
)
def test_an_address_that_cannot_work_is_refused_without_its_secrets(uri, kind, what):
    """Broken: a traceback, or a password on the screen."""
    with pytest.raises(kind, match=what) as caught:
        find([uri])
    assert "5ECRET" not in str(caught.value)
    assert caught.value.todo


@pytest.mark.parametrize(
    ("uri", "kind", "path"),
    [
        ("s3://b/k?region=x", "S3FileSystem", "b/k"),
        ("s3a://b/k?region=x", "S3FileSystem", "b/k"),
        ("gs://anonymous@b/k", "GcsFileSystem", "b/k"),
        ("gcs://anonymous@b", "GcsFileSystem", "b"),
        ("abfs://c@a.dfs.core.windows.net/k", "AzureFileSystem", "c/k"),
        ("abfss://a.dfs.core.windows.net/c/k", "AzureFileSystem", "c/k"),
    ],
)
def test_an_address_reaches_the_file_system_of_its_service(monkeypatch, uri, kind, path):
    """Broken: one service's files are looked for in another, or under another name."""
    monkeypatch.setattr(os, "environ", {})
    address = parse(uri)
    store = connect(address)
    assert type(store.files) is getattr(pyarrow.fs, kind)
    assert store.full(address.path) == path


def test_hdfs_reaches_hadoop_or_says_what_is_missing(monkeypatch):
    """Broken: 100 lines of a loader's words, or another file system."""
    asked: list[str] = []

    def from_uri(uri):
        asked.append(uri)
        raise OSError("Unable to load libjvm\ndlopen(/usr/lib/jvm) failed")

    monkeypatch.setattr(pyarrow.fs, "FileSystem", type("Fake", (), {"from_uri": staticmethod(from_uri)}))
    monkeypatch.setenv("LIBHDFS_OPTS", "-Xmx1g")
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        find(["hdfs://me:5ECRET@nn:8020/data"])
    (uri,) = asked
    assert uri.startswith("hdfs://nn:8020/?"), "pyarrow passes over a user before the host"
    assert "user=me" in uri
    assert "5ECRET" not in uri
    assert os.environ["LIBHDFS_OPTS"] == "-Xmx1g -Xrs", "Java takes SIGTERM for itself: no drain, and a crash"
    assert str(caught.value).count("\n") == 1


def test_a_read_that_fails_is_not_blamed_on_the_file():
    """Broken: whoever has a service that is down, or a failing disk, fetches a sound file again."""
    for number in (errno.EIO, 255):  # 255: HDFS's
        error = unreadable("a.parquet", OSError(number, "HDFS read failed"))
        assert "cannot be read: [Errno" in error.what
        assert "Parquet" not in error.what
        assert "run the same command again" in error.todo
    assert "not a whole Parquet file" in unreadable("a.parquet", OSError("Couldn't deserialize thrift")).what


def test_a_pyarrow_without_a_service_is_told(monkeypatch):
    """Broken: an installation without S3 is a traceback."""
    monkeypatch.delattr(pyarrow.fs, "S3FileSystem")
    monkeypatch.setattr(pyarrow.fs, "_not_imported", ["S3FileSystem"])
    with pytest.raises(UsageError, match="built without s3://"):
        find(["s3://b/k?region=x"])


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, None),
        ({"AWS_ENDPOINT_URL": "http://h:9"}, "http://h:9"),
        ({"AWS_ENDPOINT_URL": "http://h", "AWS_ENDPOINT_URL_S3": "http://s3"}, "http://s3"),
        ({"AWS_ENDPOINT_URL": "http://h", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, None),
    ],
)
def test_the_endpoint_is_that_of_the_environment(variables, endpoint):
    """Broken: data of a private store is looked for at AWS, or the other way round."""
    assert endpoint_of(variables) == endpoint


@pytest.mark.parametrize(
    ("uri", "variables", "region"),
    [
        ("s3://b/k", {}, "resolved-of-b"),
        ("s3://b/k", {"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ("s3://b/k", {"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ("s3://b/k?region=eu-west-3", {"AWS_REGION": "eu-west-1"}, "eu-west-3"),
    ],
)
def test_the_region_is_the_buckets(monkeypatch, uri, variables, region):
    """Broken: without AWS_REGION, every bucket outside us-east-1 is refused by AWS."""
    monkeypatch.setattr(pyarrow.fs, "resolve_s3_region", lambda bucket: f"resolved-of-{bucket}")
    monkeypatch.setattr(os, "environ", variables)
    assert connect(parse(uri)).files.region == region


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body."), "access was denied"),
        (OSError("AWS Error UNKNOWN (HTTP status 403) during …"), "access was denied"),
        (OSError("AWS Error INVALID_ACCESS_KEY_ID during ListObjectsV2 operation: …"), "access was denied"),
        (OSError("google::cloud::Status(PERMISSION_DENIED: …"), "access was denied"),
        (OSError("…Could not create a OAuth2 access token … CURL error [6] error_info={…}"), r"access was denied.*\]$"),
        (OSError("Azure Error: [AuthorizationFailure] 403 Server failed"), "access was denied"),
        (OSError("refused http://h/c?se=1&sig=5EC%2fRET=&sv=2: no"), r"\?se=1&sig=\*\*\*&sv=2: no$"),
        (OSError("AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation"), "no such bucket"),
        (OSError("Bucket 'b' not found"), "no such bucket"),
        (OSError("AWS Error UNKNOWN (HTTP status 301) during HeadObject"), "another region"),
        (OSError("AWS Error NETWORK_CONNECTION during HeadObject: curlCode: 6, Could not resolve"), "not available"),
        (OSError("AWS Error UNKNOWN (HTTP status 503) during HeadObject"), "not available"),
        (OSError("google::cloud::Status(UNAVAILABLE: Retry policy exhausted"), "not available"),
        (FileNotFoundError(2, "Path does not exist 'b/k'"), "no such file"),
        (pa.ArrowInvalid("something new about b/credential"), "refused: something new"),
        (OSError("first line\nsecond with 5EC/RET"), "refused: first line$"),
        (OSError("odd: 5EC/RET 5EC%2FRET KEYID"), r"odd: \*\*\* \*\*\* \*\*\*$"),
    ],
)
def test_what_a_service_says_becomes_a_reason_and_a_remedy(error, what):
    """Broken: the operator does not learn whether to wait, to ask for rights, or to correct a name."""
    made = refusal(parse("s3a://KEYID:5EC%2FRET@b/credential"), error)
    assert re.search(what, made.what)
    assert made.where == "s3a://b/credential"
    assert made.todo


def test_too_little_memory_is_not_told_as_what_a_service_said():
    """Broken: whoever runs out of memory is sent to look for a fault in the store."""
    with pytest.raises(pa.ArrowMemoryError):
        refusal(parse("s3://b/k"), pa.ArrowMemoryError("malloc of size 77632 failed"))
