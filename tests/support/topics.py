"""Topics for tests, created on purpose and usable when the call returns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from confluent_kafka.cimpl import NewTopic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from confluent_kafka.admin._metadata import PartitionMetadata

QUIET = {"log_level": 0, "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 500}


def create_topic(
    bootstrap: str,
    name: str,
    partitions: int,
    replication: int = 1,
    config: Mapping[str, str] | None = None,
    *,
    deadline_s: float = 60,
    first_broker: int = 1,
) -> None:
    """Creates the topic, retrying while the cluster settles; returns when all its copies are in sync.

    A repeated attempt may find that the first one had succeeded: that is fine. Copies are dealt out in turn: of three,
    broker 1 leads partitions 0, 3, …, broker 2 partitions 1, 4, … (the next ones, if another broker is the first), so
    that a test knows whom it hits.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    if replication == 1:
        topic = NewTopic(name, partitions, 1, config=dict(config or {}))
    else:
        copies = [[(first_broker - 1 + p + i) % replication + 1 for i in range(replication)] for p in range(partitions)]
        topic = NewTopic(name, partitions, replica_assignment=copies, config=dict(config or {}))
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            admin.create_topics([topic], operation_timeout=10, request_timeout=10)[name].result()
            break
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                break
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    wait_in_sync(bootstrap, name, partitions, replication, deadline_s=deadline_s)


def create_topics(bootstrap: str, names: Sequence[str], partitions: int, config: Mapping[str, str]) -> None:
    """Many at once, on a cluster at rest; returns when they are usable."""
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    made = admin.create_topics([NewTopic(name, partitions, 1, config=dict(config)) for name in names])
    for name in names:
        made[name].result()
    for name in names:
        wait_in_sync(bootstrap, name, partitions)


def set_topic_config(bootstrap: str, name: str, key: str, value: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(10)


def wait_in_sync(bootstrap: str, name: str, partitions: int, replication: int = 1, deadline_s: float = 60) -> None:
    """Until each partition has a leader and `replication` copies in sync, as after a restart of nodes."""
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    deadline = time.monotonic() + deadline_s
    while True:
        found = _partitions(admin, name)
        healthy = [p for p in found.values() if p.leader >= 0 and len(p.isrs) >= replication]
        if len(found) == len(healthy) == partitions:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name}: {len(healthy)} of {partitions} in sync after {deadline_s} s")
        time.sleep(0.1)


def wait_partitions(bootstrap: str, name: str, count: int, deadline_s: float = 20) -> None:
    """Until the topic has so many partitions; 0 is a topic that is gone."""
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    deadline = time.monotonic() + deadline_s
    while True:
        found = admin.list_topics(timeout=5).topics
        if (len(found[name].partitions) if name in found else 0) == count:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} does not get to {count} partitions")
        time.sleep(0.1)


def topics(bootstrap: str) -> set[str]:
    """The names of those that there are."""
    return set(AdminClient({"bootstrap.servers": bootstrap, **QUIET}).list_topics(timeout=10).topics)


def delete_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Returns when they are gone."""
    wanted = list(names)
    if not wanted:
        return
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    deleted = admin.delete_topics(wanted)
    for name in wanted:
        deleted[name].result(20)
        wait_partitions(bootstrap, name, 0)


def leader_of(bootstrap: str, name: str, partition: int) -> int:
    """The broker id of a partition's leader, -1 while there is none; see `KafkaCluster.node_of`."""
    found = _partitions(AdminClient({"bootstrap.servers": bootstrap, **QUIET}), name)
    return int(found[partition].leader) if partition in found else -1


def _partitions(admin: AdminClient, name: str) -> Mapping[int, PartitionMetadata]:
    """Empty while the cluster cannot tell."""
    try:
        topic = admin.list_topics(name, timeout=2).topics[name]
    except KafkaException:
        return {}
    return {} if topic.error is not None else topic.partitions
