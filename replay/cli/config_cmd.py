"""`replay config show`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from replay.cli import resolve
from replay.cli.call import Call
from replay.cli.options.naming import Naming
from replay.cli.options.pacing import Pacing
from replay.cli.options.sending import Sending
from replay.cli.options.source import Input
from replay.cli.options.target import Target
from replay.cli.options.watching import Watching


def show(call: Call) -> None:
    """What is not given is shown as it is; what is given is checked: any day, topic and input serve for that."""
    name = resolve.job_name(call.of(Naming))
    some = replace(name, folder=Path(), day=name.day or date.today())
    source, target = call.of(Input), call.of(Target)
    rows = resolve.source_options(replace(source, inputs=source.inputs or ["-"]), some)
    kafka = resolve.kafka_options(replace(target, topic=target.topic or "-"), some, needed=False)
    resolve.run_options(call.of(Sending), some, rows, kafka)
    resolve.watch_options(call.of(Watching), some, target.topic, places=False)
    resolve.pace(call.of(Pacing))
    lines = [(each.option.shown, f"{each.text or '-'}  ({each.origin})") for each in call.options.listed()]
    if name.day is not None and rows.selection is not None and rows.selection.by_date:
        lines.append(("picked", f"{rows.selection.day_text}  (--date, as INPUT has no {{date}})"))
    call.results.pairs(lines)
