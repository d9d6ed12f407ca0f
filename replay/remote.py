"""Files in object stores and HDFS, through pyarrow's file systems: named, listed, opened.

What the services refuse becomes one clear error with the service's own reason, and never with a secret: passwords and
parameters of a URI are in no text that leaves this module.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

import pyarrow as pa

from replay import paths
from replay.errors import InputError, ReplayError, UsageError

SCHEMES = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "abfs": "abfs", "abfss": "abfs", "hdfs": "hdfs"}
"""What can be read, and by which service."""

S3_ATTEMPTS = 5  # with up to 1, 2, 4 and 8 s in between: longer than a throttled bucket or a lost connection lasts
S3_CONNECT_S = 5.0  # the SDK's 1 s is short for a loaded network
S3_SILENCE_S = 10.0  # no byte for this long is a lost connection; the SDK's 3 s, S3 itself needs at bad times
GS_RETRY_S = "60"  # the SDK's own limit is 15 minutes, in which nobody knows what is wrong

_URI = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)
# `?` is also a wildcard: only what reads like parameters to the end of the URI is its query.
_QUERY = re.compile(r"\?((?:[a-z_]+=[^&]*)(?:&[a-z_]+=[^&]*)*)\Z", re.IGNORECASE | re.DOTALL)
_SECRET = re.compile(r"key|secret|token|password|credential|sas|sig", re.IGNORECASE)
_S3_PARAMETERS = ("anonymous", "endpoint_override", "region", "scheme")


def is_uri(text: str) -> bool:
    return _URI.match(text) is not None


# -- addresses --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """A URI taken apart. `root` is how it is named without its path and secrets, `path` is as the service knows it."""

    scheme: str
    authority: str = field(repr=False)
    root: str
    path: str
    parameters: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def shown(self) -> str:
        return f"{self.root}/{self.path}" if self.path else self.root

    @property
    def host(self) -> str:
        return self.authority.rpartition("@")[2]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Whatever must not be in a message, as written and as meant."""
        user, _, password = self.authority.rpartition("@")[0].partition(":")
        secrets = [password, *(value for name, value in self.parameters if _SECRET.search(name))]
        if self.scheme == "s3":
            secrets.append(user)
        return tuple(
            {form for secret in secrets if secret for form in (secret, unquote(secret), quote(secret, "")) if form}
        )


def parse(uri: str) -> Address:
    """Takes a URI apart. Its path is not decoded: a Hive folder `symbol=A%2FB` is called that in the bucket."""
    found = _URI.match(uri)
    assert found is not None  # is_uri() was asked
    scheme, authority, rest = found.group(1).lower(), found.group(2), found.group(3)
    query = _QUERY.search(rest)
    path = rest[: query.start()] if query else rest
    user, at, host = authority.rpartition("@")
    # The user of abfs is the container, that of hdfs is asked for rights; elsewhere it is half a credential.
    user = user.partition(":")[0] if SCHEMES.get(scheme) in {"abfs", "hdfs"} else ""
    root = f"{scheme}://{user}{at if user else ''}{host}"
    if SCHEMES.get(scheme) is None:
        raise InputError(
            f"{scheme}:// cannot be read",
            where=root,
            todo=f"use a local path or {', '.join(f'{s}://' for s in SCHEMES)}",
        )
    if scheme.startswith("s3") and (":" in host or not host):
        raise UsageError(
            "this URI names no bucket",
            where=f"{scheme}://…",
            todo="write s3://BUCKET/KEY; credentials go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or %-encoded into the URI",
        )
    parameters = tuple(parse_qsl(query.group(1), keep_blank_values=True)) if query else ()
    return Address(scheme, authority, root, "/".join(part for part in path.split("/") if part), parameters)


# -- errors -----------------------------------------------------------------------------------------------

_DENIED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN_ID|SIGNATURE_DOES_NOT_MATCH|EXPIRED_TOKEN|UNRECOGNIZED_CLIENT"
    r"|MISSING_AUTHENTICATION_TOKEN|HTTP status 40[13]|PERMISSION_DENIED|UNAUTHENTICATED|[Cc]redential|\] 40[13] "
)
_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|Bucket '[^']*' not found|ContainerNotFound|bucket does not exist")
_ELSEWHERE = re.compile(r"HTTP status 30[17]|PermanentRedirect|AuthorizationHeaderMalformed")
_UNREACHABLE = re.compile(
    r"NETWORK_CONNECTION|UNAVAILABLE|SLOW_DOWN|HTTP status 5..|CURL|[Cc]ould not (?:connect|resolve)|Connection"
)
_CREDENTIALS = {
    "s3": "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and their rights to list and to get",
    "gs": "check GOOGLE_APPLICATION_CREDENTIALS and its rights, or name a public bucket as gs://anonymous@BUCKET/",
    "abfs": "check the login (AZURE_CLIENT_ID and the like, or az login) and its role: Storage Blob Data Reader",
    "hdfs": "check the user (hdfs://USER@HOST) or the Kerberos ticket, and its rights",
}
_NETWORK = {
    "s3": "check the network, AWS_REGION, and AWS_ENDPOINT_URL or ?endpoint_override=; then run the same command again",
}


def refusal(address: Address, error: Exception) -> InputError:
    """What a service said, as an error of ours. The SDKs have retried by then whatever may pass by itself."""
    reason = _without(address.secrets, str(error).strip().partition("\n")[0])
    service = SCHEMES[address.scheme]
    if isinstance(error, FileNotFoundError):
        return InputError("there is no such file or folder", where=address.shown, todo="check the path")
    if _NO_BUCKET.search(reason):
        return InputError(f"there is no such bucket: {reason}", where=address.shown, todo="check its name")
    if _DENIED.search(reason) or isinstance(error, PermissionError):
        return InputError(f"access was denied: {reason}", where=address.shown, todo=_CREDENTIALS[service])
    if _ELSEWHERE.search(reason):
        todo = "set AWS_REGION or ?region= to the bucket's region"
        return InputError(f"the bucket is in another region: {reason}", where=address.shown, todo=todo)
    if _UNREACHABLE.search(reason):
        todo = _NETWORK.get(service, "check the network and the address; then run the same command again")
        return InputError(f"the service is not available: {reason}", where=address.shown, todo=todo)
    return InputError(f"the service refused: {reason}", where=address.shown, todo="run the same command again")


def _without(secrets: tuple[str, ...], text: str) -> str:
    for secret in sorted(secrets, key=len, reverse=True):  # one may be a part of another
        text = text.replace(secret, "***")
    return text


# -- connections ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Store:
    """A connection. `base` is what pyarrow wants before every path: the bucket, the container, or / for hdfs.

    What their names mean depends on the `endpoint`.
    """

    files: Any
    base: str
    endpoint: str

    def full(self, path: str) -> str:
        return f"/{path}" if self.base == "/" else "/".join(part for part in (self.base, path) if part)


def connect(address: Address, environment: Mapping[str, str] = os.environ) -> Store:
    """The store of this address; its path plays no part."""
    try:
        return _s3(address, environment) if SCHEMES[address.scheme] == "s3" else _other(address)
    except ReplayError:
        raise
    except (ImportError, NotImplementedError):  # ArrowNotImplementedError is one
        raise UsageError(
            f"this pyarrow is built without {address.scheme}://",
            where=address.root,
            todo="install pyarrow from PyPI or conda-forge",
        ) from None
    except (ValueError, TypeError) as error:  # ArrowInvalid is one
        reason = _without(address.secrets, str(error).partition("\n")[0])
        raise UsageError(reason, where=address.root, todo="check the URI and its parameters") from None
    except OSError as error:
        if "libjvm" in str(error) or "libhdfs" in str(error):
            raise UsageError(
                "Hadoop's client library cannot be loaded",
                where=address.root,
                todo="install Java and Hadoop, and set JAVA_HOME, HADOOP_HOME and CLASSPATH (hadoop classpath --glob)",
            ) from None
        raise refusal(address, error) from None


def _s3(address: Address, environment: Mapping[str, str]) -> Store:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem, resolve_s3_region  # noqa: PLC0415  # 80 ms

    given = dict(address.parameters)
    if unknown := sorted(set(given) - set(_S3_PARAMETERS)):
        raise UsageError(
            f"an S3 URI has no parameter {unknown[0]!r}",
            where=address.shown,
            todo=f"parameters are {', '.join(_S3_PARAMETERS)}; for a wildcard write * or [a-z]",
        )
    endpoint = (given.get("endpoint_override") or endpoint_of(environment) or "").rstrip("/")
    region = given.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region and not endpoint:
        region = resolve_s3_region(address.host)  # as pyarrow does for a URI: a wrong region is refused by AWS
    user, _, password = address.authority.rpartition("@")[0].partition(":")
    files = S3FileSystem(
        access_key=unquote(user) or None,
        secret_key=unquote(password) or None,
        anonymous=given.get("anonymous", "").lower() in {"1", "true", "yes"},
        region=region or None,
        scheme=given.get("scheme"),
        endpoint_override=endpoint or None,
        connect_timeout=S3_CONNECT_S,
        request_timeout=S3_SILENCE_S,
        # Without it a URI's file system retries connections only, not a 503 "slow down".
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=S3_ATTEMPTS),
    )
    return Store(files, address.host, endpoint.rpartition("://")[2])


def endpoint_of(environment: Mapping[str, str]) -> str | None:
    """The endpoint by AWS's own variables, which pyarrow heeds for URIs only."""
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    return environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")


def _other(address: Address) -> Store:
    from pyarrow.fs import FileSystem  # noqa: PLC0415  # as above

    parameters = dict(address.parameters)
    if SCHEMES[address.scheme] == "gs":
        parameters.setdefault("retry_limit_seconds", GS_RETRY_S)
    query = f"?{urlencode(parameters)}" if parameters else ""
    files, base = FileSystem.from_uri(f"{address.scheme}://{address.authority}/{query}")
    endpoint = parameters.get("endpoint_override", "") if SCHEMES[address.scheme] == "gs" else address.host
    return Store(files, "/" if SCHEMES[address.scheme] == "hdfs" else base.strip("/"), endpoint)


# -- files ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a store, with its size as listed."""

    address: Address
    size_bytes: int
    store: Store = field(repr=False)

    @property
    def identity(self) -> str:
        """The same however the file is named."""
        return f"{SCHEMES[self.address.scheme]}://{self.store.endpoint}/{self.store.full(self.address.path)}"

    def open(self) -> pa.NativeFile:
        try:
            return self.store.files.open_input_file(self.store.full(self.address.path))
        except (OSError, pa.ArrowException) as error:
            raise refusal(self.address, error) from None


def find(address: Address, store: Store) -> list[RemoteFile]:
    """The files an address names: one, all Parquet files of a folder or bucket, or those a pattern matches."""
    try:
        return list(_find(address, store))
    except (OSError, pa.ArrowException) as error:
        raise refusal(address, error) from None


def _find(address: Address, store: Store) -> Iterator[RemoteFile]:
    from pyarrow.fs import FileType  # noqa: PLC0415  # as above

    info = store.files.get_file_info(store.full(address.path))
    if info.type == FileType.File:
        yield RemoteFile(address, info.size, store)
    elif info.type == FileType.Directory:
        yield from _below(address, store, paths.FOLDER)
    elif paths.is_pattern(address.path):
        fixed, steps = paths.split_pattern(address.path)
        yield from _below(replace(address, path=fixed), store, steps)
    elif store.files.get_file_info(store.full("")).type == FileType.NotFound:
        raise InputError("there is no such bucket", where=address.shown, todo="check its name")
    else:
        raise FileNotFoundError


def _below(folder: Address, store: Store, steps: paths.Steps) -> Iterator[RemoteFile]:
    """Lists everything below, a page of 1,000 a request; where only names in this one folder count, only those."""
    from pyarrow.fs import FileSelector, FileType  # noqa: PLC0415  # as above

    deep = len(steps) > 1
    root = store.full(folder.path)
    selects = paths.selector(steps)
    for info in store.files.get_file_info(FileSelector(root, recursive=deep)):
        below = info.path[info.path.index(root) + len(root) :].removeprefix("/")
        if info.type == FileType.File and selects(below):
            if "//" in f"/{below}":  # a bucket may hold a//b beside a/b, and pyarrow finds but cannot open it
                todo = "copy the file to a key without //"
                raise InputError("a folder of this key has no name", where=f"{folder.shown}/{below}", todo=todo)
            yield RemoteFile(_inside(folder, below), info.size, store)
        elif info.type == FileType.Directory and not deep and paths.into(steps, below):
            yield from _below(_inside(folder, below), store, paths.FOLDER)


def _inside(folder: Address, below: str) -> Address:
    return replace(folder, path=f"{folder.path}/{below}" if folder.path else below)
