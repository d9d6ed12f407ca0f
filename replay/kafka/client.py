"""What every Kafka client of a replay has in common: where it logs, how a refused setting is said, its version."""

from __future__ import annotations

import logging

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException

from replay.errors import ReplayError, UsageError, as_told
from replay.kafka.options import LIBRDKAFKA_LOG

CLIENT_VERSION = f"confluent-kafka {confluent_kafka.__version__}"
LIBRDKAFKA_VERSION: str = confluent_kafka.libversion()[0]

kafka_log = logging.getLogger(LIBRDKAFKA_LOG)
"""librdkafka's own lines; who listens to them sends them on to where all logs go."""


def bad_setting(error: Exception) -> ReplayError:
    """librdkafka's refusal of a setting; it names the property, never its value. Or a client that cannot be made for
    want of memory or threads, whatever its settings."""
    text = error.args[0].str() if isinstance(error, KafkaException) else str(error)
    if isinstance(error, KafkaException) and error.args[0].code() == KafkaError._CRIT_SYS_RESOURCE:
        return as_told(MemoryError(text))
    return UsageError(
        f"librdkafka refuses a setting: {text}",
        where="-X",
        todo="see librdkafka's CONFIGURATION.md for names and ranges",
    )
