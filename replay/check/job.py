"""A whole replay checked: each part whatever became of the others, and nothing changed by it.

No topic, record, group or registered schema is made, no producer, no lock, no file. A transactional.id is not begun
with, so that a replay that runs under it is not fenced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from replay.check.broker import Broker
from replay.check.finding import Finding, not_told, told
from replay.check.source import Input, Warnings
from replay.check.topics import Topics
from replay.checkpoint.describe import standing
from replay.checkpoint.file import CheckpointFile
from replay.delivery import schemas as schema_flow
from replay.delivery.job_print import as_known
from replay.delivery.options import Delivery, RunOptions
from replay.kafka.access import Account

REGISTRY_S = 1.0
"""How long a registry is asked again that does not answer: once or twice. An attempt may take longer."""


@dataclass(frozen=True, slots=True)
class Later:
    """What need not be there yet."""

    files: bool = False
    topic: bool = False


def check(options: RunOptions, check_stop: Callable[[], None], later: Later = Later()) -> Iterator[Finding]:
    """All that is found. Raises `Stopped`."""
    options = replace(options, source=as_known(options.source, options.checkpoint))
    kafka, account = options.kafka, Account.of(options.kafka)
    is_transactional = options.delivery is Delivery.TRANSACTIONAL
    transactional_id = options.transactions.id_for(kafka.topic) if is_transactional else None
    broker = Broker(kafka, account, transactional_id)
    yield from told("broker", broker.look)
    check_stop()
    ask = schema_flow.asking(options.registry, REGISTRY_S, Warnings(), check_stop)
    read = Input(options, ask, check_stop, may_lack=later.files)
    # The source is looked at first, as its times are compared with the topic's limits; brokers are told first.
    of_source = list(told("input", read.look))
    if broker.is_open:
        topics = Topics(options, account, check_stop, read.source, may_lack=later.topic)
        yield from told(f"topic {kafka.topic}", topics.look)
        yield from told(f"progress topic {options.transactions.progress_topic}", topics.look_at_progress)
    else:
        yield not_told("topics and rights", "not looked at: no broker lets this client in")
    yield from of_source
    yield from told("checkpoint", lambda: _checkpoint(options))


def _checkpoint(options: RunOptions) -> Iterator[Finding]:
    saved = CheckpointFile(options.checkpoint).load()
    yield Finding("checkpoint", f"{options.checkpoint}: {'none yet' if saved is None else standing(saved)}")
