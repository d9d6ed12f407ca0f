"""Waits for what a client logs in with, before the client is made."""

from __future__ import annotations

from datetime import UTC, datetime

from replay.errors import BrokerUnavailable, ReplayError, UsageError
from replay.kafka.login.token_server import URL
from replay.kafka.login.token_source import FILE, tokens_of
from replay.kafka.login.tokens import Away, Token
from replay.kafka.options import KafkaOptions
from replay.kafka.patience import NotYet, Patience, Service
from replay.kafka.settings import client_settings
from replay.kafka.tls.files import check_files


def wait_for_token(options: KafkaOptions, patience: Patience) -> None:
    """Returns once there is a token that is good now, or at once where none is needed.

    Raises `BrokerUnavailable` past the deadline; and what refuses to give one: at once where there was none before,
    and past the deadline later, since somebody may give this client its rights back, or renew its secret.
    """
    tokens = tokens_of(options)
    if tokens is None:
        return
    refused: list[ReplayError] = []

    def attempt() -> Token | NotYet:
        refused.clear()
        try:
            return tokens.get()
        except Away as error:
            return NotYet(str(error))
        except ReplayError as error:
            if not tokens.had_one:
                raise
            refused.append(error)
            return NotYet(error.what, answered=True)

    oauth = options.secrets.oauth
    option = "AWS's credentials" if oauth is None else URL if oauth.token_url else FILE
    service = Service(tokens.source[:1].upper() + tokens.source[1:], tokens.source, option)
    try:
        patience.with_service(service).until("get a token", attempt)
    except BrokerUnavailable:
        if refused:
            raise refused[0] from None
        raise


def wait_for_files(options: KafkaOptions, patience: Patience) -> None:
    """Returns once the files of TLS are whole, and fit: in mid-run somebody may be replacing them.

    Raises `UsageError` past the deadline.
    """
    fault: list[UsageError] = []

    def attempt() -> bool | NotYet:
        fault.clear()
        try:
            check_files(client_settings(options), datetime.now(UTC))
        except UsageError as error:
            fault.append(error)
            return NotYet(f"{error.where}: {error.what}", answered=True)
        return True

    try:
        patience.until("make a connection", attempt)
    except BrokerUnavailable:
        raise fault[0] from None
