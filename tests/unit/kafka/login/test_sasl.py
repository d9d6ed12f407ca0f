"""Logins with a password, against the examples of their RFCs."""

from __future__ import annotations

import pytest

from replay.kafka.login.sasl import ITERATIONS_MAX, NotTheBroker, log_in_plain, log_in_scram, log_in_with_token

NONCE = "rOprNGfwEbeRWgbNEkqO"
ASKED = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
PROVEN = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


class Broker:
    """Answers each message with the next of its lines."""

    def __init__(self, *lines: bytes) -> None:
        self.lines = list(lines)
        self.heard: list[bytes] = []

    def say(self, said: bytes) -> bytes:
        self.heard.append(said)
        return self.lines.pop(0)


def test_scram_says_what_the_example_of_its_rfc_says():
    """Broken: no login with a password that is right. The example is that of RFC 7677."""
    broker = Broker(ASKED, PROVEN)
    log_in_scram("SCRAM-SHA-256", "user", "pencil", NONCE, broker.say)
    assert broker.heard == [
        b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    ]


@pytest.mark.parametrize(
    "lines",
    [
        (ASKED, PROVEN.replace(b"6rri", b"7rri")),
        (ASKED, b""),
        (ASKED.replace(b"r=rOpr", b"r=xxxx"), PROVEN),
        (ASKED.replace(b"i=4096", b"i=%d" % (ITERATIONS_MAX + 1)), PROVEN),
        (ASKED.replace(b"i=4096", b"i=0"), PROVEN),
        (ASKED.replace(b"i=4096", b"i=many"), PROVEN),
        (ASKED.replace(b"s=W22", b"t=W22"), PROVEN),
        (b"\xff\x00", PROVEN),
    ],
)
def test_scram_takes_nobody_for_the_broker_who_cannot_prove_it(lines):
    """Broken: whoever sits between is believed, or keeps this machine busy; or the command ends with a traceback."""
    with pytest.raises(NotTheBroker):
        log_in_scram("SCRAM-SHA-256", "user", "pencil", NONCE, Broker(*lines).say)


def test_a_name_with_the_signs_of_scram_is_written_as_its_rfc_says():
    """Broken: a user "a,b=c" cannot log in, or as somebody else (RFC 5802, 5.1)."""
    broker = Broker(b"")
    with pytest.raises(NotTheBroker):
        log_in_scram("SCRAM-SHA-512", "a,b=c", "pencil", NONCE, broker.say)
    assert broker.heard == [b"n,,n=a=2Cb=3Dc,r=" + NONCE.encode()]


def test_plain_and_tokens_are_one_message():
    """Broken: no login with a password or token that is right (RFC 4616; RFC 7628, 3.1)."""
    broker = Broker(b"", b"")
    log_in_plain("bob", "a secret", broker.say)
    log_in_with_token("abc.def", {"logicalCluster": "lkc-1"}, broker.say)
    assert broker.heard == [b"\0bob\0a secret", b"n,,\1auth=Bearer abc.def\1logicalCluster=lkc-1\1\1"]


def test_a_token_that_is_not_taken_is_no_login():
    """Broken: a wrong token is told to be a good one: the broker says so in an answer, without an error."""
    broker = Broker(b'{"status":"invalid_token"}', b"")
    with pytest.raises(NotTheBroker, match="token"):
        log_in_with_token("abc.def", {}, broker.say)
    assert broker.heard[1] == b"\1"
