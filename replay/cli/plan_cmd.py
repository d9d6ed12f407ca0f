"""`replay plan`."""

from __future__ import annotations

import json
from pathlib import Path

from replay.cli import resolve
from replay.cli.call import Call, stop_on_signals
from replay.cli.options.looking import Planning, ResultFormat
from replay.cli.options.naming import Naming
from replay.cli.options.pacing import Pacing
from replay.cli.options.source import Input
from replay.cli.options.target import Target
from replay.cli.plan_tables import plan_text
from replay.cli.terminal import Terminal, draws
from replay.delivery.job_name import JobName
from replay.delivery.job_print import as_known
from replay.delivery.options import PROGRESS_S
from replay.delivery.plan import PlanOptions, make_plan
from replay.errors import BEGIN_ANEW
from replay.model import SystemClock


def plan(call: Call) -> None:
    """Make the plan, and show it."""
    given, target = call.of(Planning), call.of(Target)
    name = resolve.job_name(call.of(Naming))
    kafka = resolve.kafka_options(target, name) if target.topic and target.bootstrap_servers else None
    checkpoint = _checkpoint(given, name, target.topic)
    source = resolve.source_options(call.of(Input), name)
    if checkpoint is not None:
        source = as_known(source, checkpoint)
    options = PlanOptions(source, resolve.pace(call.of(Pacing)), kafka, checkpoint, given.partitions, given.scan)
    stop = stop_on_signals(BEGIN_ANEW)
    terminal = Terminal(call.console, PROGRESS_S, bar=draws(call.console))
    with terminal.live():
        made = make_plan(options, terminal, SystemClock(), stop.check)
    if given.table_format is ResultFormat.JSON:
        call.results.write(json.dumps(made.as_json(), indent=1))
    else:
        call.results.show(plan_text(made))


def _checkpoint(given: Planning, name: JobName, topic: str | None) -> Path | None:
    if given.checkpoint:
        return Path(name.dated(given.checkpoint, "--checkpoint"))
    return name.checkpoint(name.dated(topic, "--topic")) if topic and name.has_state_dir else None
