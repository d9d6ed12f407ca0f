"""`replay plan`."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

from replay.cli import resolve
from replay.cli.call import Call, stop_on_signals
from replay.cli.options.looking import Planning, ResultFormat
from replay.cli.options.naming import Naming
from replay.cli.options.pacing import Pacing
from replay.cli.options.source import Input
from replay.cli.options.target import Target
from replay.cli.terminal import Terminal, draws
from replay.delivery import admin
from replay.delivery import plan as planner
from replay.delivery.job_name import JobName
from replay.delivery.known_tables import as_known
from replay.delivery.options import PROGRESS_S
from replay.errors import BEGIN_ANEW
from replay.kafka.topic_check import topic_problems
from replay.units import duration


def plan(call: Call) -> None:
    """Make the plan, ask the broker and the checkpoint where they are given, and show it."""
    given, target = call.of(Planning), call.of(Target)
    name = resolve.job_name(call.of(Naming))
    kafka = resolve.kafka_options(target, name) if target.topic and target.bootstrap_servers else None
    checkpoint = _checkpoint(given, name, target.topic)
    source = resolve.source_options(call.of(Input), name)
    if checkpoint is not None:
        source = as_known(source, checkpoint)
    pace = resolve.pace(call.of(Pacing))
    stop = stop_on_signals(BEGIN_ANEW)
    terminal = Terminal(call.console, PROGRESS_S, bar=draws(call.console))
    with terminal.live():
        found = admin.look_at_topic(kafka, terminal, stop) if kafka is not None else None
        made = planner.make_plan(
            source,
            pace,
            partitions=given.partitions or (found.partitions if found is not None else None),
            scan=given.scan,
            report=terminal,
            check_stop=stop.check,
        )
        if found is not None:
            span_ns = None
            if source.records.has_event_times and made.first_ns is not None:
                span_ns = (made.first_ns, made.last_ns or made.first_ns)
            made = replace(made, problems=(*made.problems, *topic_problems(found, span_ns, time.time())))
        if checkpoint is not None and (saved := admin.load(checkpoint)) is not None:
            made = replace(made, checkpoint=f"{checkpoint}: {admin.standing(saved)}")
    if given.table_format is ResultFormat.JSON:
        call.results.write(json.dumps(made.as_json(), indent=1))
    else:
        call.results.show(planner.plan_text(made, duration))


def _checkpoint(given: Planning, name: JobName, topic: str | None) -> Path | None:
    if given.checkpoint:
        return Path(name.dated(given.checkpoint, "--checkpoint"))
    return name.checkpoint(name.dated(topic, "--topic")) if topic and name.has_state_dir else None
