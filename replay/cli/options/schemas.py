"""How values and keys are written, under which schema, and where a registry has it."""

from dataclasses import dataclass

from replay.cli.options.declare import files, where
from replay.record.options import KeyFormat, SchemaIdIn, ValueFormat
from replay.registry.options import SubjectName

_DECIDES_ID = "value schema id"
_DECIDES_SCHEMA = "schema"
_ASKED_ONCE = "the id that it is asked for is compared"


@dataclass(frozen=True)
class Schemas:
    """The format of records, and the schema registry."""

    value_format: ValueFormat = files(
        ValueFormat.JSON,
        "How values are written. All but json have a schema in a registry (--registry).",
        name="--format",
    )
    key_format: KeyFormat = files(KeyFormat.STRING, "How keys are written: as bare text, or under a schema.")
    schema: str | None = files(
        None,
        "File with the schema of values. Its names, types and defaults decide how columns are written.",
        metavar="FILE",
        otherwise="made from the columns that are sent",
        identity=_DECIDES_SCHEMA,
    )
    schema_subject: str | None = files(
        None,
        "Take the schema of values from this subject of the registry: trades-value, or trades-value:3.",
        metavar="SUBJECT[:VERSION]",
        otherwise="without a version: the newest; a resumed replay stays with its own",
    )
    schema_message: str | None = files(
        None,
        "With a schema of Protobuf that has several messages: the full name of the one to write.",
        metavar="NAME",
        otherwise="the first one",
    )
    schema_name: str = files(
        "Trade",
        "Full name of the record in a schema that is made from columns: com.acme.Trade.",
        metavar="NAME",
        identity=_DECIDES_SCHEMA,
    )
    schema_doc: str = files(
        "", "What a schema that is made from columns says of itself.", metavar="TEXT", identity=_DECIDES_SCHEMA
    )
    schema_id_in: SchemaIdIn = files(
        SchemaIdIn.PAYLOAD,
        "Where a record says which schema it has: before its bytes, or in the header __value_schema_id.",
    )
    registry: list[str] | None = where(
        None,
        "Address of the schema registry: https://registry:8081. Repeatable: the next one is asked where one is down.",
        metavar="URL",
        harmless=_ASKED_ONCE,
    )
    registry_config: list[str] | None = where(
        None,
        "A setting of the registry's client, such as basic.auth.user.info, bearer.auth.token or ssl.ca.location."
        " Repeatable; in a job file: the table [registry].",
        metavar="KEY=VALUE",
        harmless=_ASKED_ONCE,
    )
    source_registry: list[str] | None = where(
        None,
        "With --value-column: address of the registry that the schema ids in the values come from. They are translated"
        " to those of --registry. Repeatable.",
        metavar="URL",
        harmless="the ids that are translated are compared",
    )
    source_registry_config: list[str] | None = where(
        None,
        "A setting of that registry's client. Repeatable.",
        metavar="KEY=VALUE",
        harmless="the ids that are translated are compared",
    )
    subject_name: SubjectName = where(
        SubjectName.TOPIC,
        "How the subject is named: TOPIC-value (topic), after the record (record), or TOPIC-RECORD (topic-record).",
        identity=_DECIDES_ID,
    )
    schema_register: bool = where(
        False,
        "Register the schema if the registry does not have it yet. Without it that is an error.",
        harmless=_ASKED_ONCE,
    )
