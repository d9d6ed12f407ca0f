"""How fast rows are sent."""

from dataclasses import dataclass

from replay.cli.options.declare import Harmless, pace


@dataclass(frozen=True)
class Pacing(Harmless):
    """At most one of a rate and a speed."""

    rate: str | None = pace(
        None,
        "Rows per second, minute or hour: 5000/s, 5k/s, 300k/m, or max.",
        metavar="RATE",
        otherwise="max",
        everyday=True,
    )
    speed: str | None = pace(
        None,
        "Keep the gaps between event times, divided by this factor: 1x is real time, 60x an hour in a minute.",
        metavar="FACTOR",
        everyday=True,
    )
    max_gap: str | None = pace(
        None,
        "With --speed: a longer gap between two event times counts as this long, before it is divided.",
        metavar="DURATION",
    )
