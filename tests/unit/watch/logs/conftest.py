"""No test leaves a sink behind."""

from __future__ import annotations

import logging

import pytest
from loguru import logger

from replay.kafka.options import LIBRDKAFKA_LOG


@pytest.fixture(autouse=True)
def _nothing_left_behind():
    yield
    logger.remove()
    logging.getLogger(LIBRDKAFKA_LOG).handlers = []
