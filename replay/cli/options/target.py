"""Which topic of which cluster, and how to get in."""

from dataclasses import dataclass

from replay.cli.options.declare import duration, fails, where


@dataclass(frozen=True)
class Target:
    """Where records go, or are read back from."""

    topic: str | None = where(None, "The topic; may hold {date}.", metavar="TOPIC", everyday=True, identity="the topic")
    bootstrap_servers: str = where(
        "",
        "Brokers to begin with, as host:port[,host:port...]. There is no default.",
        metavar="HOSTS",
        everyday=True,
        identity="the cluster id",
    )
    settings: list[str] | None = where(
        None,
        "Any setting of librdkafka, such as security.protocol=SASL_SSL. Settings that would break exactly-once"
        " delivery are refused. Repeatable; in a job file: the table [kafka].",
        name="-X",
        metavar="KEY=VALUE",
        harmless="settings that change what is sent are refused",
    )
    broker_timeout: str = fails(
        "5m", "Give up (exit 5) if the broker cannot be reached for this long.", form=duration(), harmless="time only"
    )
