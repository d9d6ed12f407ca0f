"""Which replay this is: by a job file, a name, a date; and where its state is kept."""

from dataclasses import dataclass

from replay.cli.options.declare import Harmless, Panel, option


@dataclass(frozen=True)
class StateFolder(Harmless):
    """Where checkpoints and the history are."""

    state_dir: str = option(
        "",
        "Folder of the checkpoints and of the history of runs.",
        Panel.FAILS,
        metavar="FOLDER",
        otherwise="replay in the user's state folder",
    )


@dataclass(frozen=True)
class Naming(StateFolder):
    """A date picks the rows to send, so it is part of the identity."""

    config: str | None = option(
        None,
        "A job file: options in TOML. The command line and variables win over it.",
        Panel.FILES,
        metavar="FILE",
        everyday=True,
    )
    job: str | None = option(
        None,
        "Name of this replay, under which its progress is kept. With a job file of several jobs: which one.",
        Panel.WHAT,
        metavar="NAME",
        otherwise="the topic's name",
    )
    date: str | None = option(
        None,
        "The day to replay: 2026-11-02, yesterday, or -2 for two days ago. It takes the place of {date} in INPUT;"
        " without {date} there, the rows of that day are picked by event time.",
        Panel.WHAT,
        metavar="DATE",
        everyday=True,
        identity="--from",
    )
    timezone: str = option(
        "UTC",
        "Time zone in which a day begins and ends; also of the times in the report.",
        Panel.WHAT,
        metavar="ZONE",
        identity="--from",
    )
