"""Which replay this is: by a job file, a name, a date; and where its state is kept."""

from dataclasses import dataclass
from typing import Annotated

from replay.cli.options.declare import Harmless, Option, Panel


@dataclass(frozen=True)
class StateFolder(Harmless):
    """Where checkpoints and the history are."""

    state_dir: Annotated[
        str,
        Option(
            text="Folder of the checkpoints and of the history of runs.",
            panel=Panel.FAILS,
            metavar="FOLDER",
            default="replay in the user's state folder",
        ),
    ] = ""


@dataclass(frozen=True)
class Naming(StateFolder):
    """A date picks the rows to send, so it is part of the identity."""

    config: Annotated[
        str | None,
        Option(
            text="A job file: options in TOML. The command line and variables win over it.",
            panel=Panel.FILES,
            metavar="FILE",
            everyday=True,
        ),
    ] = None
    job: Annotated[
        str | None,
        Option(
            text="Name of this replay, under which its progress is kept. With a job file of several jobs: which one.",
            panel=Panel.WHAT,
            metavar="NAME",
            default="the topic's name",
        ),
    ] = None
    date: Annotated[
        str | None,
        Option(
            text="The day to replay: 2026-11-22, yesterday, or -2 for two days ago. It takes the place of {date} in"
            " INPUT; without {date} there, the rows of that day are picked by event time.",
            panel=Panel.WHAT,
            metavar="DATE",
            everyday=True,
            identity="--from",
        ),
    ] = None
    timezone: Annotated[
        str,
        Option(
            text="Time zone in which a day begins and ends; also of the times in the report.",
            panel=Panel.WHAT,
            metavar="ZONE",
            identity="--from",
        ),
    ] = "UTC"
