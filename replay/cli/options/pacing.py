"""How fast rows are sent."""

from dataclasses import dataclass
from typing import Annotated

from replay.cli.options.declare import Harmless, Option, Panel


@dataclass(frozen=True)
class Pacing(Harmless):
    """At most one of a rate and a speed."""

    rate: Annotated[
        str | None,
        Option(
            text="Rows per second, minute or hour: 5000/s, 5k/s, 300k/m, or max.",
            panel=Panel.PACE,
            metavar="RATE",
            default="max",
            everyday=True,
        ),
    ] = None
    speed: Annotated[
        str | None,
        Option(
            text="Keep the gaps between event times, divided by this factor: 1x is real time, 60x an hour in a minute.",
            panel=Panel.PACE,
            metavar="FACTOR",
            everyday=True,
        ),
    ] = None
    max_gap: Annotated[
        str | None,
        Option(
            text="With --speed: wait at most this long between two rows, so that a night without trades is short.",
            panel=Panel.PACE,
            metavar="DURATION",
        ),
    ] = None
