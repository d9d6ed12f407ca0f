"""`replay plan`."""

from __future__ import annotations

from replay.cli import resolve, schemas
from replay.cli.call import Call, stop_on_signals
from replay.cli.plan_tables import plan_text
from replay.cli.terminal import terminal_on
from replay.delivery.job_print import as_known
from replay.delivery.plan import PlanOptions, make_plan
from replay.errors import BEGIN_ANEW
from replay.model import SystemClock


def plan(call: Call) -> None:
    """Make the plan, and show it."""
    given = call.options
    name = resolve.job_name(given)
    kafka = resolve.kafka_options(given, name) if given["topic"] and given["bootstrap_servers"] else None
    has_checkpoint = given["checkpoint"] or (given["topic"] and name.has_state_dir)
    checkpoint = name.checkpoint(given["topic"] or "", given["checkpoint"]) if has_checkpoint else None
    source = resolve.source_options(given, name)
    if checkpoint is not None:
        source = as_known(source, checkpoint)
    options = PlanOptions(
        source,
        resolve.pace(given),
        kafka,
        checkpoint,
        given["partitions"],
        given["scan"],
        topic=name.dated(given["topic"], "--topic") if given["topic"] else None,
        broker_timeout_s=given.read("broker_timeout"),
        registry=schemas.registry_options(given),
    )
    stop = stop_on_signals(BEGIN_ANEW)
    with terminal_on(call.console).live() as terminal:
        made = make_plan(options, terminal, SystemClock(), stop.check)
    call.show(made.as_json(), plan_text(made))
