"""Which replay this is: by a job file, a name, a date; and where its state is kept."""

from dataclasses import dataclass

from replay.cli.options.declare import Harmless, fails, files, what


@dataclass(frozen=True)
class StateFolder(Harmless):
    """Where checkpoints and the history are."""

    state_dir: str = fails(
        "",
        "Folder of the checkpoints and of the history of runs.",
        metavar="FOLDER",
        otherwise="replay in the user's state folder",
    )


@dataclass(frozen=True)
class Naming(StateFolder):
    """A date picks the rows to send, so it is part of the identity."""

    config: str | None = files(
        None, "A job file: options in TOML. The command line and variables win over it.", metavar="FILE", everyday=True
    )
    job: str | None = what(
        None,
        "Name of this replay, under which its progress is kept. With a job file of several jobs: which one.",
        metavar="NAME",
        otherwise="the topic's name",
    )
    date: str | None = what(
        None,
        "The day to replay: 2026-11-02, yesterday, or -2 for two days ago. It takes the place of {date} in INPUT;"
        " without {date} there, the rows of that day are picked by event time.",
        metavar="DATE",
        everyday=True,
        identity="--from",
    )
    timezone: str = what(
        "UTC",
        "Time zone in which a day begins and ends; also of the times in the report.",
        metavar="ZONE",
        identity="--from",
    )
