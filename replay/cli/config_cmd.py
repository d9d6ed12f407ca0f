"""`replay config show`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from replay.cli import resolve
from replay.cli.call import Call


def show(call: Call) -> None:
    """What is not given is shown as it is; what is given is checked: any day, topic and input serve for that."""
    options = call.options
    name = resolve.job_name(options)
    some = replace(name, folder=Path(), day=name.day or date.today())
    complete = options.changed(inputs=options["inputs"] or ["-"], topic=options["topic"] or "-")
    selection = resolve.run_options(complete, some, needs_broker=False).source.selection
    resolve.missing_days(options)
    resolve.watch_options(options, some, options["topic"], places=False)
    lines = [(each.option.shown, f"{each.text or '-'}  ({each.origin})") for each in options.listed()]
    if name.day is not None and selection.by_date:
        lines.append(("picked", f"{selection.day_text}  (--date, as INPUT has no {{date}})"))
    call.results.pairs(lines)
