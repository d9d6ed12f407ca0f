"""Tables where they lie, here or in a store: which files are theirs at one moment."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import partial

from replay.errors import InputError, ReplayError
from replay.source.files import remote
from replay.source.files.address import SCHEMES, Address, refusal, refusing, without_secrets
from replay.source.files.local import LocalFile
from replay.source.tables import delta, iceberg, marks
from replay.source.tables import states as tables
from replay.source.tables.marks import DELTA, HUDI, ICEBERG, Table
from replay.source.tables.states import AskedState, Content, DataFile


def metadata_file(path: str) -> str | None:
    """The folder of the Iceberg table that a path to one of its metadata files names."""
    folder, _, name = path.rpartition("/")
    root, _, inner = folder.rpartition("/")
    return root if inner == marks.METADATA and marks.is_metadata_file(name) else None


def local(table: Table, asked: AskedState, metadata: str | None = None) -> Content:
    """The files of a table in a local folder. `metadata` is Iceberg's metadata file, where the user named one."""

    failed = partial(_unreadable, table)
    if table.format == DELTA:
        return delta.content(table.root, {}, asked, failed)
    if table.format == HUDI:
        marks.refuse(table, table.root)
    if metadata is None:
        folder = os.path.join(table.root, marks.METADATA)
        metadata = os.path.join(folder, iceberg.newest(os.listdir(folder), table.root))
    return iceberg.content(table.root, metadata, None, asked, failed)


def far(place: Address, format: str, store: remote.Store, asked: AskedState, metadata: str | None = None) -> Content:
    """The files of a table in a store. `metadata` is a path in that store."""
    table = Table(format, place.shown)

    def failed(error: Exception) -> ReplayError:
        if isinstance(error, OSError):
            return refusal(place, error)
        return _unreadable(table, without_secrets(place, str(error)))

    if format == DELTA:
        root = f"{'s3' if SCHEMES[place.scheme] == 's3' else place.scheme}://{_bucket(place)}/{place.path}"
        return delta.content(root, _storage_options(place), asked, failed)
    if format == HUDI:
        marks.refuse(table, place.shown)
    if metadata is None:
        with refusing(partial(refusal, place)):
            names = store.names_in(store.full(place.path, marks.METADATA))
        metadata = f"{place.path}/{marks.METADATA}/{iceberg.newest(names, place.shown)}".lstrip("/")
    return iceberg.content(place.shown, f"{place.scheme}://{_bucket(place)}/{metadata}", store.files, asked, failed)


def place_of(file: DataFile, near: Address | None, store: remote.Store | None) -> LocalFile | remote.RemoteFile:
    """Where a data file lies, by what the table says: here, or in the store of the table, with its credentials."""
    scheme, mark, rest = file.location.partition("://")
    if near is None or store is None or not mark or scheme == "file":
        path = re.sub(r"^file:/*(?=/)", "", file.location)  # Java writes file:/tmp/x
        return LocalFile(path, os.path.realpath(path), file.size_bytes)
    host, _, path = rest.partition("/")
    if host != _bucket(near):
        raise tables.not_honoured(ICEBERG, near.shown, f"files in another bucket ({scheme}://{host})")
    return remote.RemoteFile(replace(near, path=path), file.size_bytes, store)


def _bucket(place: Address) -> str:
    return place.authority if SCHEMES[place.scheme] == "abfs" else place.host


def _unreadable(table: Table, said: Exception | str) -> InputError:
    reason = next((line.strip() for line in str(said).splitlines() if line.strip()), "no reason given")
    return InputError(
        f"the {table.format} table cannot be read: {reason}",
        where=table.root,
        todo="check that it can be read by others; or write one version of it elsewhere as plain Parquet files",
    )


def _storage_options(place: Address) -> dict[str, str]:
    """The store's settings for deltalake, which knows AWS's own variables, but not the parameters of our URIs."""
    if SCHEMES[place.scheme] != "s3":
        return {}
    given = remote.s3_settings(place)
    endpoint = given["endpoint_override"] or ""
    said = {
        "AWS_ACCESS_KEY_ID": given["access_key"],
        "AWS_SECRET_ACCESS_KEY": given["secret_key"],
        "AWS_REGION": given["region"] or ("us-east-1" if endpoint else None),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true" if endpoint.startswith("http://") else None,
        "AWS_SKIP_SIGNATURE": "true" if given["anonymous"] else None,
        "timeout": f"{remote.S3_SILENCE_S:g}s",
        "connect_timeout": f"{remote.S3_CONNECT_S:g}s",
        "max_retries": str(remote.S3_ATTEMPTS - 1),
    }
    return {name: str(value) for name, value in said.items() if value}
