"""`replay sample`."""

from __future__ import annotations

import typer

from replay.cli import sample_trades as generator
from replay.cli.call import Call
from replay.cli.options.looking import Sampling
from replay.errors import UsageError


def sample(call: Call) -> None:
    given = call.options.of(Sampling)
    try:
        rows = call.options.read("rows")
        spec = generator.SampleSpec(rows, given.symbols, given.days, given.layout, given.seed)
        paths = generator.write_sample(given.folder, spec)
    except (ValueError, FileExistsError) as error:
        raise UsageError(str(error), where="sample") from None
    except OSError as error:
        raise UsageError(error.strerror or str(error), where=str(given.folder), todo="choose another folder") from None
    typer.echo(
        f"{spec.rows:,} rows in {len(paths)} file(s): {', '.join(map(str, paths[:5]))}"
        + (" ..." if len(paths) > 5 else "")
    )
