"""The files of TLS are judged before any connection: as librdkafka judges them, but in words."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaException, Producer

from replay.errors import UsageError
from replay.kafka.tls.files import check_files
from replay.kafka.tls.settings import stamp
from tests.support.pki import Authority, Issued

if TYPE_CHECKING:
    from collections.abc import Callable

    Settings = dict[str, Any]

CA, CERT, KEY = "ssl.ca.location", "ssl.certificate.location", "ssl.key.location"


class Files:
    """An authority, and what it has made: one for all tests."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.authority = folder, Authority(folder / "pki")
        self.alice = self.authority.issue("alice")
        self.locked = self.authority.issue("locked", password="open sesame")
        self.other = self.authority.issue("other")

    def settings(self, own: Issued | None = None, **more: str) -> Settings:
        made = {"security.protocol": "SSL", CA: str(self.authority.certificate)}
        if own is not None:
            made |= {CERT: str(own.certificate), KEY: str(own.key)}
        return made | {name.replace("_", "."): value for name, value in more.items()}

    def written(self, name: str, *parts: bytes) -> str:
        path = self.folder / name
        path.write_bytes(b"".join(parts))
        return str(path)

    def made_by_openssl(self, name: str, *arguments: str) -> str:
        path = self.folder / name
        subprocess.run(["openssl", *arguments, "-out", str(path)], check=True, capture_output=True)
        return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("files"))


def one_file(files: Files) -> Settings:
    both = files.written("both", files.alice.certificate.read_bytes(), files.alice.key.read_bytes())
    return files.settings() | {CERT: both, KEY: both}


def chain(files: Files) -> Settings:
    path = files.written("chain", files.alice.certificate.read_bytes(), files.authority.certificate.read_bytes())
    return files.settings(files.alice) | {CERT: path}


def legacy(files: Files) -> Settings:
    """PKCS#1 with a password in its head, as old tools write it."""
    made = files.made_by_openssl(
        "legacy.key", "ec", "-in", str(files.alice.key), "-aes128", "-passout", "pass:open sesame"
    )
    return files.settings(files.alice, ssl_key_password="open sesame") | {KEY: made}


def keystore(files: Files, password: str = "open sesame") -> Settings:
    made = files.made_by_openssl(
        "alice.p12", "pkcs12", "-export", "-in", str(files.alice.certificate), "-inkey", str(files.alice.key),
        "-passout", "pass:open sesame",
    )  # fmt: skip
    return files.settings(ssl_keystore_location=made, ssl_keystore_password=password)


def inline(files: Files) -> Settings:
    return {
        "security.protocol": "SSL",
        "ssl.ca.pem": files.authority.certificate.read_text(),
        "ssl.certificate.pem": files.alice.certificate.read_text(),
        "ssl.key.pem": files.alice.key.read_text(),
    }


def hashed(files: Files) -> Settings:
    folder = files.folder / "hashed"
    folder.mkdir(exist_ok=True)
    (folder / "ca.pem").write_bytes(files.authority.certificate.read_bytes())
    subprocess.run(["openssl", "rehash", str(folder)], check=True, capture_output=True)
    return files.settings() | {CA: str(folder)}


GOOD: list[Callable[[Files], Settings]] = [
    lambda files: files.settings(),
    lambda files: files.settings(files.alice),
    lambda files: files.settings(files.alice, ssl_key_password="needless"),
    lambda files: files.settings(files.locked, ssl_key_password="open sesame"),
    lambda files: files.settings() | {CERT: str(files.alice.both), KEY: str(files.alice.both)},
    one_file,
    chain,
    legacy,
    keystore,
    inline,
    hashed,
    lambda files: files.settings(ssl_crl_location=str(files.authority.revoke(files.other))),
    lambda _: {"security.protocol": "SSL"},
    lambda _: {"security.protocol": "SSL", CA: "probe"},
    lambda _: {"security.protocol": "PLAINTEXT", CA: "/nix"},  # nobody reads it
]


@pytest.mark.parametrize("made", GOOD)
def test_what_librdkafka_takes_is_taken(made: Callable[[Files], Settings], files: Files) -> None:
    """Broken: a setup that has worked for years is refused."""
    settings = made(files)
    Producer(settings)
    check_files(settings, datetime.now(UTC))


def half(files: Files) -> Settings:
    return files.settings() | {CA: files.written("half", files.authority.certificate.read_bytes()[:99])}


BAD: list[tuple[Callable[[Files], Settings], str]] = [
    (lambda files: files.settings() | {CA: "/nix/ca.pem"}, "/nix/ca.pem: --ca (ssl.ca.location): this file does not"),
    (lambda files: files.settings() | {CA: __file__ + "/ca.pem"}, "ca.pem: --ca (ssl.ca.location): not a directory"),
    (lambda files: files.settings() | {CA: __file__}, "no certificate in it that can be read as PEM"),
    (half, "half"),
    (lambda files: files.settings(files.alice) | {CERT: "/nix/me.crt"}, "/nix/me.crt: --cert"),
    (lambda files: files.settings(files.alice) | {KEY: "/nix/me.key"}, "/nix/me.key: --cert-key"),
    (lambda files: files.settings(files.alice) | {KEY: str(files.folder)}, "--cert-key (ssl.key.location): is a direc"),
    (lambda files: files.settings(files.alice) | {CERT: str(files.alice.key)}, "no certificate in it"),
    (lambda files: files.settings(files.alice) | {KEY: str(files.alice.certificate)}, "no private key in it"),
    (lambda files: files.settings(files.alice) | {KEY: str(files.other.key)}, "does not belong to the certificate in"),
    (lambda files: files.settings() | {KEY: str(files.other.key)}, "--cert-key (ssl.key.location) without --cert"),
    (lambda files: files.settings(files.locked), "this key is encrypted, and no password is given"),
    (lambda files: files.settings(files.locked, ssl_key_password="x"), "the password does not open this key"),
    (lambda files: legacy(files) | {"ssl.key.password": "x"}, "the password does not open this key"),
    (lambda files: keystore(files, "x"), "the password does not open this keystore"),
    (lambda files: files.settings(ssl_keystore_location=str(files.alice.key)), "this is no keystore (PKCS#12)"),
    (lambda files: files.settings(ssl_keystore_location="/nix/me.p12"), "/nix/me.p12: -X ssl.keystore.location"),
    (lambda files: files.settings(ssl_crl_location="/nix/crl.pem"), "/nix/crl.pem: -X ssl.crl.location"),
    (lambda files: files.settings(ssl_crl_location=str(files.folder)), "-X ssl.crl.location: is a directory"),
    (lambda files: files.settings(ssl_crl_location=__file__), "no list of revoked certificates"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "words"), BAD)
def test_what_librdkafka_refuses_is_refused_with_path_and_reason(
    made: Callable[[Files], Settings], words: str, files: Files
) -> None:
    """Broken: "BIO lib" is all that an operator gets to know."""
    settings = made(files)
    with pytest.raises(KafkaException):
        Producer(settings)
    with pytest.raises(UsageError) as refused:
        check_files(settings, datetime.now(UTC))
    assert words in str(refused.value)
    assert "open sesame" not in str(refused.value)
    assert refused.value.todo


def test_what_could_never_connect_is_refused_though_librdkafka_takes_it(files: Files, tmp_path: Path) -> None:
    """Broken: a folder in which OpenSSL finds no authority, a certificate without its key, or one that has expired
    costs a connection first, and the broker says less about it."""
    now = datetime.now(UTC)
    lone = files.settings() | {CERT: str(files.alice.certificate)}
    for settings, words in ((files.settings() | {CA: str(tmp_path)}, "openssl rehash"), (lone, "without --cert-key")):
        with pytest.raises(UsageError, match=words):
            check_files(settings, now)
    check_files(files.settings(enable_ssl_certificate_verification="false") | {CA: str(tmp_path)}, now)
    for days, words in ((99, "has expired 69 days ago"), (-9, "is not valid yet")):
        with pytest.raises(UsageError, match=words):
            check_files(files.settings(files.alice), now + timedelta(days=days, minutes=1))


@pytest.mark.parametrize("setting", [CA, CERT, KEY])
def test_a_pipe_is_no_file(setting: str, files: Files, tmp_path: Path) -> None:
    """Broken: a pipe, of a shell's <(…), is read once, and the next client waits for ever for more."""
    os.mkfifo(pipe := tmp_path / "pipe")
    with pytest.raises(UsageError, match="this is no regular file"):
        check_files(files.settings(files.alice) | {setting: str(pipe)}, datetime.now(UTC))


def test_a_stamp_changes_with_a_file_and_with_a_secret(files: Files, tmp_path: Path) -> None:
    """Broken: a certificate that was renewed is taken up by nobody; or clients are made anew without end."""
    own = tmp_path / "own.pem"
    own.write_bytes(files.alice.both.read_bytes())
    settings = files.settings(ssl_key_password="a") | {CERT: str(own), KEY: str(own), "error_cb": print}
    before = stamp(settings)
    assert stamp(dict(settings)) == before
    assert stamp(settings | {"ssl.key.password": "b"}) != before
    own.unlink()
    assert stamp(settings) != before
    own.write_bytes(files.other.both.read_bytes())
    assert stamp(settings) != before
