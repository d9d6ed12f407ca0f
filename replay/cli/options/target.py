"""Which topic of which cluster, and how to get in."""

from dataclasses import dataclass
from typing import Annotated

from replay.cli.options.declare import Option, Panel, duration


@dataclass(frozen=True)
class Target:
    """Where records go, or are read back from."""

    topic: Annotated[
        str | None,
        Option(
            text="The topic; may hold {date}.", panel=Panel.WHERE, metavar="TOPIC", everyday=True, identity="the topic"
        ),
    ] = None
    bootstrap_servers: Annotated[
        str,
        Option(
            text="Brokers to begin with, as host:port[,host:port...]. There is no default.",
            panel=Panel.WHERE,
            metavar="HOSTS",
            everyday=True,
            identity="the cluster id",
        ),
    ] = ""
    settings: Annotated[
        list[str] | None,
        Option(
            name="-X",
            text="Any setting of librdkafka, such as security.protocol=SASL_SSL. Settings that would break exactly-once"
            " delivery are refused. Repeatable; in a job file: the table [kafka].",
            panel=Panel.WHERE,
            metavar="KEY=VALUE",
            everyday=True,
            harmless="settings that change what is sent are refused",
        ),
    ] = None
    broker_timeout: Annotated[
        str,
        Option(
            text="Give up (exit 5) if the broker cannot be reached for this long.",
            panel=Panel.FAILS,
            form=duration(),
            harmless="time only",
        ),
    ] = "5m"
