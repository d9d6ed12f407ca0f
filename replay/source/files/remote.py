"""Files in object stores and HDFS, through pyarrow's file systems: connected, listed, opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import unquote, urlencode

import pyarrow as pa
from pyarrow import fs

from replay.errors import InputError, ReplayError, UsageError
from replay.source.files import paths
from replay.source.files.address import SCHEMES, Address, is_denied, refusal, refusing, without_secrets
from replay.source.files.endings import OtherEndings
from replay.source.tables import marks

S3_ATTEMPTS = 5  # with up to 1, 2, 4 and 8 s in between: longer than a throttled bucket or a lost connection lasts
S3_CONNECT_S = 5.0  # the SDK's 1 s is short for a loaded network
S3_SILENCE_S = 10.0  # no byte for this long is a lost connection; the SDK's 3 s, S3 itself needs at bad times
GS_RETRY_S = "60"  # the SDK's own limit is 15 minutes without a word
HDFS_LIMITS = {  # Hadoop's own are 46 connections of 20 s each, two minutes for an answer, and one for data
    "ipc.client.connect.max.retries.on.timeouts": "0",
    "ipc.client.rpc-timeout.ms": "30000",
    "dfs.client.socket-timeout": "20000",
}

_ASKED_AT_ONCE = 8  # folders above the one named: as many as there are, mostly

_S3_PARAMETERS = ("anonymous", "endpoint_override", "region", "scheme")

# -- connections ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Store:
    """A connection. `base` is what pyarrow wants before every path: the bucket, the container, or / for hdfs.

    What their names mean depends on the `endpoint`. `no_tables` are folders of which it is known.
    """

    files: Any
    base: str
    endpoint: str
    no_tables: set[str] = field(default_factory=set, compare=False)

    def full(self, *parts: str) -> str:
        path = "/".join(part for part in (self.base.strip("/"), *parts) if part)
        return f"/{path}" if self.base == "/" else path

    def names_in(self, folder: str) -> list[str]:
        """What lies in a folder, given by its full path; nothing where there is no such folder."""
        return [info.base_name for info in self.files.get_file_info(fs.FileSelector(folder, allow_not_found=True))]


def connect(address: Address) -> Store:
    """The store of this address; its path plays no part."""
    try:
        return _s3(address) if SCHEMES[address.scheme] == "s3" else _other(address)
    except ReplayError:
        raise
    except (ImportError, NotImplementedError):  # ArrowNotImplementedError is one
        raise UsageError(
            f"this pyarrow is built without {address.scheme}://",
            where=address.root,
            todo="install pyarrow from PyPI or conda-forge",
        ) from None
    except (ValueError, TypeError) as error:  # ArrowInvalid is one
        reason = without_secrets(address, str(error).partition("\n")[0])
        raise UsageError(reason, where=address.root, todo="check the URI and its parameters") from None
    except OSError as error:
        unset = SCHEMES[address.scheme] == "hdfs" and not os.environ.get("CLASSPATH")
        if unset or "libjvm" in str(error) or "libhdfs" in str(error):
            raise UsageError(
                "Hadoop's client library cannot be loaded",
                where=address.root,
                todo="install Java and Hadoop, and set JAVA_HOME, HADOOP_HOME and CLASSPATH (hadoop classpath --glob)",
            ) from None
        raise refusal(address, error) from None


def _s3(address: Address) -> Store:
    given = s3_settings(address)
    endpoint = given["endpoint_override"] or ""
    if not given["region"] and not endpoint:  # as pyarrow does for a URI: a wrong region is refused by AWS
        given["region"] = fs.resolve_s3_region(address.host)
    files = fs.S3FileSystem(
        **given,
        connect_timeout=S3_CONNECT_S,
        request_timeout=S3_SILENCE_S,
        # Without it a URI's file system retries connections only, not a 503 "slow down".
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=S3_ATTEMPTS),
    )
    return Store(files, address.host, endpoint.rpartition("://")[2])


def s3_settings(address: Address) -> dict[str, Any]:
    """What the URI and AWS's variables say of an S3 service, by pyarrow's names. `UsageError` for a parameter that
    there is not."""
    given = dict(address.parameters)
    if unknown := sorted(set(given) - set(_S3_PARAMETERS)):
        raise UsageError(
            f"an S3 URI has no parameter {unknown[0]!r}",
            where=address.shown,
            todo=f"parameters are {', '.join(_S3_PARAMETERS)}; for a wildcard write * or [a-z]",
        )
    user, _, password = address.authority.rpartition("@")[0].partition(":")
    return {
        "endpoint_override": (given.get("endpoint_override") or endpoint_of(os.environ) or "").rstrip("/") or None,
        "region": given.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None,
        "scheme": given.get("scheme"),
        "access_key": unquote(user) or None,
        "secret_key": unquote(password) or None,
        "anonymous": given.get("anonymous", "").lower() in {"1", "true", "yes"},
    }


def endpoint_of(environment: Mapping[str, str]) -> str | None:
    """The endpoint by AWS's own variables, which pyarrow heeds for URIs only."""
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    return environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")


def _other(address: Address) -> Store:
    parameters, authority = dict(address.parameters), address.authority
    if SCHEMES[address.scheme] == "gs":
        parameters.setdefault("retry_limit_seconds", GS_RETRY_S)
    elif SCHEMES[address.scheme] == "hdfs":
        if user := authority.rpartition("@")[0].partition(":")[0]:  # pyarrow passes over it there
            parameters.setdefault("user", unquote(user))
        parameters = {**HDFS_LIMITS, **parameters}
        authority = address.host or "default"  # which is pyarrow's word for that of core-site.xml
        _leave_signals()
    query = f"?{urlencode(parameters)}" if parameters else ""
    files, base = fs.FileSystem.from_uri(f"{address.scheme}://{authority}/{query}")
    endpoint = parameters.get("endpoint_override", "") if SCHEMES[address.scheme] == "gs" else address.host
    return Store(files, "/" if SCHEMES[address.scheme] == "hdfs" else base.strip("/"), endpoint)


def _leave_signals() -> None:
    """Else Java takes SIGINT and SIGTERM for itself, and ends this process in the middle of whatever it does."""
    options = os.environ.get("LIBHDFS_OPTS", "").split()
    if "-Xrs" not in options:
        os.environ["LIBHDFS_OPTS"] = " ".join([*options, "-Xrs"])


# -- files ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a store, with its size as listed."""

    address: Address
    size_bytes: int
    store: Store = field(repr=False)

    @property
    def shown(self) -> str:
        return self.address.shown

    @property
    def whole(self) -> str:
        """With all folders that may give it keys."""
        return self.address.path

    @property
    def identity(self) -> str:
        """What is the same however the file is named."""
        return f"{SCHEMES[self.address.scheme]}://{self.store.endpoint}/{self.store.full(self.address.path)}"

    def open(self) -> pa.NativeFile:
        return self.store.files.open_input_file(self.store.full(self.address.path))

    def refusal(self, error: Exception) -> InputError:
        return refusal(self.address, error)


def find(address: Address, store: Store, others: OtherEndings) -> list[RemoteFile]:
    """The files an address names: one, all Parquet files of a folder or bucket, or those a pattern matches. `others`
    takes note of files in folders that are not taken because of their endings."""
    with refusing(partial(refusal, address)):
        return list(_find(address, store, others))


def _find(address: Address, store: Store, others: OtherEndings) -> Iterator[RemoteFile]:
    info = store.files.get_file_info(store.full(address.path))
    if info.type != fs.FileType.NotFound:
        _no_table_above(address, store)
    if info.type == fs.FileType.File:
        yield RemoteFile(address, info.size, store)
    elif info.type == fs.FileType.Directory:
        yield from _below(address, store, paths.FOLDER, others)
    elif paths.is_pattern(address.path):
        fixed, steps = paths.split_pattern(address.path)
        _no_table_above(replace(address, path=fixed), store)
        yield from _below(replace(address, path=fixed), store, steps, others)
    elif SCHEMES[address.scheme] == "hdfs":  # NotFound is pyarrow's word for every failure there; a listing names it
        store.files.get_file_info(fs.FileSelector(store.full(address.path)))
        raise FileNotFoundError
    elif store.files.get_file_info(store.full("")).type == fs.FileType.NotFound:
        raise InputError("there is no such bucket", where=address.shown, todo="check its name")
    else:
        raise FileNotFoundError


def _below(folder: Address, store: Store, steps: paths.Steps, others: OtherEndings) -> Iterator[RemoteFile]:
    """Lists everything below, a page of 1,000 a request; where only names in this one folder count, only those."""
    deep = len(steps) > 1
    root = store.full(folder.path)
    selects = paths.selector(steps)
    listed = [
        (info.path[info.path.index(root) + len(root) :].removeprefix("/"), info)
        for info in store.files.get_file_info(fs.FileSelector(root, recursive=deep))
    ]
    roots = marks.roots_of(below for below, _ in listed)
    for below, info in listed:
        if info.type == fs.FileType.File and selects(below):
            if "//" in f"/{below}":  # a bucket may hold a//b beside a/b, and pyarrow finds but cannot open it
                todo = "copy the file to a key without //"
                raise InputError("a folder of this key has no name", where=f"{folder.shown}/{below}", todo=todo)
            for above in marks.above(below):
                if above in roots:
                    table = marks.Table(roots[above], _inside(folder, above).shown if above else folder.shown)
                    marks.refuse(table, _inside(folder, below).shown)
            yield RemoteFile(_inside(folder, below), info.size, store)
        elif info.type == fs.FileType.File and steps == paths.FOLDER:
            others.note(RemoteFile(_inside(folder, below), info.size, store).identity, folder.shown, below)
        elif info.type == fs.FileType.Directory and not deep and paths.into(steps, below):
            _no_table_above(_inside(folder, below), store)
            yield from _below(_inside(folder, below), store, paths.FOLDER, others)


def _inside(folder: Address, below: str) -> Address:
    return replace(folder, path=f"{folder.path}/{below}" if folder.path else below)


def table_at(place: Address, store: Store) -> str | None:
    """The format of the table whose folder this is."""
    if place.path in store.no_tables:
        return None
    with refusing(partial(refusal, place)):
        format = _format_of(store, place.path)
    if format is None:
        store.no_tables.add(place.path)
    return format


def _no_table_above(place: Address, store: Store) -> None:
    """Refuses what is, or lies in, a table's folder. Folders above that may not be looked at are taken for none."""
    folders = [folder for folder in [place.path, *marks.above(place.path)] if folder not in store.no_tables]
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        formats = list(pool.map(partial(_format_of, store), folders))
    for folder, format in zip(folders, formats, strict=True):
        if format is not None:
            marks.refuse(marks.Table(format, replace(place, path=folder).shown), place.shown)
    store.no_tables.update(folders)


def _format_of(store: Store, folder: str) -> str | None:
    try:
        markers = store.files.get_file_info([store.full(folder, name) for name in marks.MARKERS])
        names = [info.base_name for info in markers if info.type != fs.FileType.NotFound]
        metadata = store.names_in(store.full(folder, marks.METADATA))
    except (OSError, pa.ArrowException) as error:
        if is_denied(error):
            return None
        raise
    return marks.format_by(names, metadata)
