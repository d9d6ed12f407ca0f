"""`replay options`."""

from __future__ import annotations

from replay.cli.call import Call
from replay.cli.help import text_of
from replay.cli.reference import listed, markdown


def options(call: Call) -> None:
    call.results.write(markdown() if call.options["markdown"] else text_of(listed(), call.console.width))
