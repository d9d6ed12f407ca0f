"""URIs of object stores and HDFS, and what their services say, as errors of ours. Pure.

Passwords and parameters of a URI are in no text that leaves this module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote

import pyarrow as pa

from replay.errors import InputError, NoInput, ReplayError, UsageError, not_memory

SCHEMES = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "abfs": "abfs", "abfss": "abfs", "hdfs": "hdfs"}
"""What can be read, and by which service."""

_URI = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)
# `?` is also a wildcard: only what reads like parameters to the end of the URI is its query.
_QUERY = re.compile(r"\?((?:[a-z_]+=[^&]*)(?:&[a-z_]+=[^&]*)*)\Z", re.IGNORECASE | re.DOTALL)
_SECRET = re.compile(r"key|secret|token|password|credential|sas|sig", re.IGNORECASE)
# A signature in a URL may come back from a service, encoded its own way.
_SIGNED = re.compile(r"((?:key|secret|token|password|signature|sig)=)[^&\s'\"]+", re.IGNORECASE)


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
        if SCHEMES[self.scheme] == "s3":
            secrets.append(user)
        return tuple(
            {form for secret in secrets if secret for form in (secret, unquote(secret), quote(secret, "")) if form}
        )


def parse(uri: str) -> Address:
    """Takes a URI apart. Its path is not decoded: a Hive folder `symbol=A%2FB` is called that in the bucket."""
    found = _URI.match(uri)
    assert found is not None  # is_uri() was asked
    scheme, authority, rest = found[1].lower(), found[2], found[3]
    service = SCHEMES.get(scheme)
    query = _QUERY.search(rest)
    path = rest[: query.start()] if query else rest
    user, at, host = authority.rpartition("@")
    # The user of abfs is the container, that of hdfs is asked for rights; elsewhere it is half a credential.
    user = user.partition(":")[0] if service in {"abfs", "hdfs"} else ""
    root = f"{scheme}://{user}{at if user else ''}{host}"
    if service is None:
        todo = f"use a local path or {', '.join(f'{s}://' for s in SCHEMES)}"
        raise InputError(f"{scheme}:// cannot be read", where=root, todo=todo)
    if service == "s3" and (":" in host or not host):
        raise UsageError(
            "this URI names no bucket",
            where=f"{scheme}://…",
            todo="write s3://BUCKET/KEY; credentials go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or %-encoded into the URI",
        )
    parameters = tuple(parse_qsl(query[1], keep_blank_values=True)) if query else ()
    return Address(scheme, authority, root, "/".join(part for part in path.split("/") if part), parameters)


# -- errors -----------------------------------------------------------------------------------------------

_DENIED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN_ID|SIGNATURE_DOES_NOT_MATCH|EXPIRED_TOKEN"
    r"|UNRECOGNIZED_CLIENT|MISSING_AUTHENTICATION_TOKEN|HTTP status 40[13]"
    r"|PERMISSION_DENIED|UNAUTHENTICATED|[Cc]redential|OAuth2|\] 40[13] "
)
_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|Bucket '[^']*' not found|ContainerNotFound|bucket does not exist")
_ELSEWHERE = re.compile(r"HTTP status 30[17]|PermanentRedirect|AuthorizationHeaderMalformed")
_UNREACHABLE = re.compile(
    r"NETWORK_CONNECTION|UNAVAILABLE|SLOW_DOWN|HTTP status 5..|CURL|[Cc]ould not (?:connect|resolve)|Connection"
    r"|HDFS connection failed|errno 255"  # 255 is libhdfs's word for any Java exception without a number
)
_CREDENTIALS = {
    "s3": "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and their rights to list and to get",
    "gs": "check GOOGLE_APPLICATION_CREDENTIALS and its rights, or name a public bucket as gs://anonymous@BUCKET/",
    "abfs": "check the login (AZURE_CLIENT_ID and the like, or az login) and its role, or the URI's SAS parameters",
    "hdfs": "check the user (hdfs://USER@HOST) or the Kerberos ticket, and its rights",
}
_NETWORK = {
    "s3": "check the network, AWS_REGION, and AWS_ENDPOINT_URL or ?endpoint_override=; then run the same command again",
    "hdfs": "check the address, the network, and core-site.xml in CLASSPATH; then run the same command again",
}


def refusal(address: Address, error: Exception) -> InputError:
    """What a service said, as an error of ours. The SDKs have retried by then whatever may pass by itself."""
    reason = without_secrets(address, str(not_memory(error)).strip().partition("\n")[0].partition(" error_info={")[0])
    service = SCHEMES[address.scheme]
    said = reason.replace(address.path, "")  # whatever a file is called says nothing
    if isinstance(error, FileNotFoundError):
        return NoInput("there is no such file or folder", where=address.shown, todo="check the path")
    what, todo = "the service refused", "run the same command again"
    if _NO_BUCKET.search(said):
        what, todo = "there is no such bucket", "check its name"
    elif _DENIED.search(said) or isinstance(error, PermissionError):
        what, todo = "access was denied", _CREDENTIALS[service]
    elif _ELSEWHERE.search(said):
        what, todo = "the bucket is in another region", "set AWS_REGION or ?region= to the bucket's region"
    elif _UNREACHABLE.search(said):
        what = "the service is not available"
        todo = _NETWORK.get(service, "check the network and the address; then run the same command again")
    return InputError(f"{what}: {reason}", where=address.shown, todo=todo)


@contextmanager
def refusing(refused: Callable[[Exception], ReplayError]) -> Iterator[None]:
    """What the system, a service or pyarrow raise meanwhile, as an error of ours."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise refused(error) from None


def is_denied(error: Exception) -> bool:
    """Whether a service refused for want of rights."""
    return isinstance(error, PermissionError) or _DENIED.search(str(error)) is not None


def without_secrets(address: Address, text: str) -> str:
    for secret in sorted(address.secrets, key=len, reverse=True):  # one may be a part of another
        text = text.replace(secret, "***")
    return _SIGNED.sub(r"\1***", text)
