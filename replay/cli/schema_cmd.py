"""`replay schema`."""

from __future__ import annotations

from replay.cli import resolve, schemas
from replay.cli.call import Call, stop_on_signals
from replay.cli.terminal import log_lines
from replay.delivery.schemas import asking, with_schema
from replay.errors import BEGIN_ANEW, UsageError
from replay.source.source import Source

_WAIT_S = 30.0
"""For a registry that has the schema. Who asks sits before the screen."""


def schema(call: Call) -> None:
    """On standard output, as it would be registered."""
    given = call.options
    name = resolve.job_name(given)
    source = resolve.source_options(given, name)
    stop = stop_on_signals(BEGIN_ANEW)
    ask = asking(schemas.registry_options(given), _WAIT_S, log_lines(), stop.check)
    found = Source(with_schema(source, ask)).format.schema
    if found is None:
        raise UsageError(
            "values of JSON have no schema", where="--format", todo="add --format avro, protobuf or json-schema"
        )
    call.results.write(found.text)
