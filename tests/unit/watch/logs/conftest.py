"""No test leaves a sink behind."""

from __future__ import annotations

import logging

import pytest
from loguru import logger


@pytest.fixture(autouse=True)
def _nothing_left_behind():
    yield
    logger.remove()
    logging.getLogger("librdkafka").handlers = []
