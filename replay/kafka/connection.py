"""A client of the cluster that is let in, tries again, and is made anew where what it was made with is others."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from replay.errors import UsageError
from replay.kafka.access import Account
from replay.kafka.broker_news import BrokerNews
from replay.kafka.client import bad_setting, kafka_log
from replay.kafka.login.renewal import Renewal
from replay.kafka.options import KafkaOptions
from replay.kafka.patience import Attempt, NotYet, Patience
from replay.kafka.reachable import FIRST_CALL_S, LOOK_S, SOON_LOOKS, Prospects
from replay.kafka.readiness import wait_for_files, wait_for_token
from replay.kafka.settings import client_settings
from replay.kafka.tls.files import check_files
from replay.kafka.tls.settings import stamp, stamp_of_tls
from replay.model import Resync

T = TypeVar("T")

_CALL_TIMEOUT_S = 5.0  # of one attempt; a healthy broker answers within milliseconds


class Connection:
    """The door to a cluster; `Cluster` is what can be asked behind it.

    Each question is asked again until the broker deadline. Between two attempts it looks for what no waiting heals:
    another protocol, a certificate, a refused login, addresses that lead nowhere.
    """

    def __init__(self, options: KafkaOptions, patience: Patience) -> None:
        self._options, self._patience = options, patience
        self._account = Account.of(options)
        # A part of the deadline, so that there is a chance to report and to stop in between.
        self._whole_call_s = min(_CALL_TIMEOUT_S, max(1.0, options.broker_timeout_s / 4))
        self.news = BrokerNews(self._account)
        self._prospects = Prospects(
            options.bootstrap_servers, lambda: client_settings(options), options.broker_timeout_s
        )
        self.log_in()
        self._renewal = Renewal(None, options)
        self._connect()

    def log_in(self) -> None:
        """Waits for what a new client needs to be let in; to be called before one is made."""
        wait_for_token(self._options, self._patience)
        if self._prospects.reached:
            wait_for_files(self._options, self._patience)
            self._renew()

    def close(self) -> None:
        self._renewal.close()
        self._admin.poll(0)

    def patiently(
        self, what: str, attempt: Attempt[T], news: BrokerNews, made_with: tuple[object, ...] | None = None
    ) -> T:
        """Another client's call with this cluster's patience: `news` is what that client says. Raises `Resync` where
        its files are others by now than it was `made_with` (`stamp_of_tls`), and it gets nowhere."""

        def why(waited_s: float) -> UsageError | None:
            if made_with is not None and waited_s >= LOOK_S:
                self.check_same_files(made_with)
            return self.why_away(waited_s)

        return self._patience(what, news, attempt, why)

    def _retry(self, what: str, attempt: Attempt[T]) -> T:
        def polled() -> T | NotYet | None:
            self._admin.poll(0)  # serves its log and error callbacks
            try:
                return attempt()
            finally:
                self._admin.poll(0)  # what it said meanwhile is the reason of a failure

        # First: without a token that is good, the cluster would seem to refuse this client.
        wait_for_token(self._options, self._patience)
        return self._patience(what, self.news, polled, self.why_away)

    def _client(self, name: str, **more: Any) -> AdminClient:
        return AdminClient({**client_settings(self._options), **more}, logger=kafka_log.getChild(f"{name}.admin"))

    def _connect(self) -> None:
        """Raises `UsageError` for settings and files that cannot work."""
        settings = client_settings(self._options)
        check_files(settings, datetime.now(UTC))
        try:
            self._admin = self._client("admin", error_cb=self.news.on_error)
        except KafkaException as error:
            raise bad_setting(error) from None
        self._made_with = stamp(settings)
        self._renewal.close()
        self._renewal = Renewal(self._admin, self._options)

    def _renew(self) -> None:
        """Another admin client, where the files of this one are others now: it has read them once, at its start."""
        with suppress(UsageError):  # they are being written: a later look finds them whole
            if stamp(client_settings(self._options)) != self._made_with:
                self._before = self._admin  # futures last as long as their client
                self._connect()

    @property
    def _call_s(self) -> float:
        """How long one attempt waits. Shorter at first, since there may be something that no waiting heals."""
        is_first = not self._prospects.reached and self._prospects.looks < SOON_LOOKS
        return min(FIRST_CALL_S, self._whole_call_s) if is_first else self._whole_call_s

    def why_away(self, waited_s: float) -> UsageError | None:
        """What is wrong between this client and the cluster, which has not answered for so long, as far as a look shows
        it. To be asked again and again: it looks now and then. Raises `UsageError` if waiting cannot help."""
        if waited_s >= LOOK_S:
            self._renew()
        return self._prospects.give_up(waited_s, self.news.last_error, self._advertised)

    def check_same_files(self, made_with: tuple[object, ...]) -> None:
        """Raises `Resync` where a client that was made with these (`stamp_of_tls`) would be another one now."""
        with suppress(UsageError):  # they are being written
            settings = client_settings(self._options)
            if stamp_of_tls(settings) != made_with:
                check_files(settings, datetime.now(UTC))
                raise Resync("the files that this client connects with are others now")

    def _advertised(self) -> list[tuple[str, int]]:
        """As a broker says that answers now; empty if none does. A client that has met its cluster asks at advertised
        addresses only: this takes another one."""
        with suppress(KafkaException):
            brokers = self._client("advertised").list_topics(timeout=self._call_s).brokers
            return [(broker.host, broker.port) for broker in brokers.values()]
        return []
