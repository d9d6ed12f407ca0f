"""From the options about schemas to what the layers below take. Raises `UsageError` for what cannot work."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from replay.cli import parse
from replay.cli.given import Given, Options
from replay.cli.options.schemas import Schemas
from replay.errors import UsageError
from replay.nightly import jobfile
from replay.record.options import (
    KEY_NONE,
    GivenSchema,
    KeyFormat,
    Naming,
    Records,
    ValueFormat,
)
from replay.registry import settings
from replay.registry.options import RegistryOptions, subject_version

_FULL_NAME = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_OF_SCHEMAS = ("schema", "schema_subject", "schema_message", "schema_name", "schema_doc", "schema_id_in")
_OF_REGISTRY = ("registry", "registry_config", "subject_name", "schema_register")
_PLACE = ("registry", "registry_config")


def with_schemas(records: Records, options: Options) -> Records:
    """The records with what the options say of their formats and schemas. The file of a schema is read."""
    given = options.of(Schemas)
    made = replace(
        records,
        value_format=given.value_format,
        key_format=given.key_format,
        schema_id_in=given.schema_id_in,
        naming=Naming(_full_name(given.schema_name, "--schema-name"), given.schema_doc),
        subject=given.schema_subject,
        schema=None if given.schema is None else _read(given.schema),
        translates=bool(given.source_registry),
        message=None if given.schema_message is None else _full_name(given.schema_message, "--schema-message"),
    )
    if made.subject is not None:
        subject_version(made.subject)
    _check_as_they_are(made)
    if made.translates:
        _check_translated(made)
    elif not made.has_schema:
        _refuse_given(options, (*_OF_SCHEMAS, *_OF_REGISTRY), "a record of JSON and text has no schema", _ADD_FORMAT)
    if made.value_format is ValueFormat.JSON:
        _refuse_given(options, _OF_SCHEMAS[:-1], "values of JSON have no schema", _ADD_FORMAT)
    if made.schema is not None and made.subject is not None:
        raise UsageError("the schema comes from one place", where="--schema", todo="drop it, or drop --schema-subject")
    if made.schema is not None or made.subject is not None:
        _refuse_given(options, ("schema_name", "schema_doc"), "a schema that is given has its own", "drop it")
    _check_message(made)
    return made


def _check_as_they_are(records: Records) -> None:
    if records.value_column is not None and records.value_format is not ValueFormat.JSON:
        raise UsageError("values of --value-column are sent as they are", where="--format", todo="drop one of them")
    if records.own_key_column is not None and records.key_format is not KeyFormat.STRING:
        todo = "drop one of them, or name a column of texts with --key"
        raise UsageError("keys of --key-column are sent as they are", where="--key-format", todo=todo)
    if records.key_format is not KeyFormat.STRING and records.key == KEY_NONE:
        raise UsageError("records without a key have no format of keys", where="--key-format", todo="drop it")


def _check_message(records: Records) -> None:
    if records.message is not None and records.value_format is not ValueFormat.PROTOBUF:
        raise UsageError("only Protobuf has messages", where="--schema-message", todo="drop it")
    if records.message is not None and records.schema is None and records.subject is None:
        raise UsageError("it names a message of a given schema", where="--schema-message", todo="add --schema FILE")


def _check_translated(records: Records) -> None:
    if records.value_column is None or records.has_schema:
        raise UsageError(
            "values that are made of columns have no ids of another registry",
            where="--source-registry",
            todo="drop it, or send values as they are with --value-column",
        )
    if records.value_ids:
        raise UsageError(
            "the registries say which ids become which", where="--translate-schema-ids", todo="drop it, or the registry"
        )


_ADD_FORMAT = "add --format avro, protobuf or json-schema, or drop it"


def registry_options(options: Options) -> RegistryOptions:
    """Where the registry is, and what it is asked. No address is an error only once it has to be asked."""
    given = options.of(Schemas)
    source = None
    if given.source_registry:
        source = _registry(given.source_registry, given.source_registry_config, "--source-registry-config")
    elif given.source_registry_config:
        raise UsageError("of which registry?", where="--source-registry-config", todo="add --source-registry URL")
    made = _registry(given.registry or [], given.registry_config, "--registry-config")
    return replace(made, subject_name=given.subject_name, register=given.schema_register, source=source)


def _registry(urls: list[str], config: list[str] | None, option: str) -> RegistryOptions:
    made = RegistryOptions(urls=tuple(urls), config=parse.parse_assignments(config or [], option))
    settings.check(made)
    return made


def _refuse_given(options: Options, fields: tuple[str, ...], what: str, todo: str) -> None:
    for field in fields:
        given = options.by_field[field]
        if given.value not in (given.option.default, None) and not _is_for_all_jobs(given):
            raise UsageError(what, where=given.option.name, todo=todo)


def _is_for_all_jobs(given: Given) -> bool:
    """Where the registry is, said for the machine or for all jobs of a file, is no mistake of a job that needs none."""
    of_file = f", [{jobfile.REGISTRY}]" in given.origin
    return given.option.field in _PLACE and (of_file or given.origin == given.option.variable)


def _full_name(text: str, option: str) -> str:
    if not re.fullmatch(_FULL_NAME, text, re.ASCII):
        raise UsageError(
            f"{text[:60]!r} is no full name of a record",
            where=option,
            todo="give names of letters, digits and _ with dots between them: com.acme.Trade",
        )
    return text


def _read(path: str) -> GivenSchema:
    try:
        return GivenSchema(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"{path}: {reason}", where="--schema", todo="check the path of the schema") from None
