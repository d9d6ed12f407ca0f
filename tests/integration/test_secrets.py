"""Every command with marked secrets in every place where one can be given: nothing that is written has one of them.

What a user typed or exported is his: the command line and the environment of the process that he starts. What replay
passes on, writes, sends and says is looked at: standard output and error, logs, the state folder with checkpoints and
history, reports, metrics, notifications, and the processes that it starts.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.cli.commands import COMMANDS, command
from tests.support.java import free_ports
from tests.support.marked import Echo, Processes, found_in, secret
from tests.support.secret_places import BY_FILE, CLOSED, DATA, DAY, NEXT_DAY, OF_REGISTRIES, OF_SOURCE, SETTINGS, Scene
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.secured import SecuredKafka

NO_SECRETS = {"--topic-config", "--schema-subject", "--oauth-token-url", "--oauth-extensions"}
"""Options whose values are written in a like way: settings of a topic, names of subjects, a server's address, and what
every broker is told, are for all to read."""


@pytest.fixture
def scene(tmp_path: Path, secured: SecuredKafka) -> Iterator[Scene]:
    for name in ("written", "beside"):
        (tmp_path / name).mkdir()
    with Echo() as echo:
        yield Scene(tmp_path / "written", tmp_path / "beside", echo, secured)


def test_every_place_of_a_secret_is_known(scene: Scene) -> None:
    """Broken: an option is new that can hold a secret, and nobody has looked where that goes."""
    takes = {
        option.name
        for each in COMMANDS
        for option in each.options
        if re.search("INPUT|URL|VALUE|COMMAND", option.metavar) or re.search("secret|password|token", option.name)
    }
    assert takes - NO_SECRETS == set(scene.given) | BY_FILE


NAMED = {"report": ["nightly"], "sample": ["made"], "checkpoint show": ["none.json"], "checkpoint reset": ["none.json"]}
"""Arguments that a command wants and that hold no secret."""

TOPIC = ["--topic", "trades", "--bootstrap-servers", CLOSED, "--broker-timeout", "500ms"]
NIGHTS = {
    "backfill": ["--from", DAY, "--to", NEXT_DAY, "--retries", "0"],
    "schedule": ["--cron", "0 2 29 2 *", "--retries", "0"],
}


def _wanted(words: str, of: Sequence[str]) -> list[str]:
    """Those of the options that the command has."""
    known = {option.name for option in command(words).options}
    return [part for name, value in zip(of[::2], of[1::2], strict=True) if name in known for part in (name, value)]


def _on_the_command_line(scene: Scene, words: str) -> list[str]:
    """All secrets that the command takes; those in the address of a registry are in the test below. Values are Avro:
    else a registry is refused."""
    secrets = scene.secrets_of(words, "--registry", *OF_SOURCE)
    args = [part for name, _, value in secrets if name != "INPUT" for part in (name, value)]
    inputs = [value for name, _, value in secrets if name == "INPUT"]
    args += _wanted(words, ["--format", "avro", "--registry", f"http://{CLOSED}", *TOPIC])
    args += [*NIGHTS.get(words, []), "--debug", "--log-file", "log.txt"]
    return [*words.split(), *args, *NAMED.get(words, []), *inputs]


def _elsewhere(scene: Scene, words: str) -> tuple[list[str], dict[str, str]]:
    """All secrets that the command takes, in variables and in a job file, where they are plain and by reference. INPUT
    is a file, so that the broker is asked, which is not there."""
    variables = {variable: value for _, variable, value in scene.secrets_of(words, "INPUT", "-X", *OF_REGISTRIES)}
    variables["KAFKA_PASSWORD"] = SETTINGS["sasl.password"]
    args = _wanted(words, ["--config", str(scene.job_file(words)), *TOPIC])
    return [*words.split(), *args, *NIGHTS.get(words, []), "--debug", "--log-format", "json"], variables


def test_every_command_with_secrets_in_every_place(scene: Scene) -> None:
    """Broken: a password, a token, a key or the address of a webhook stands in a log, a report or a process list, where
    it is read by whoever has no right to it. A new command is among these by itself."""

    def both(words: str) -> None:
        until = "next" if words == "schedule" else ""
        scene.run(f"{words} 1", _on_the_command_line(scene, words), stop_after=until)
        if scene.secrets_of(words):
            args, variables = _elsewhere(scene, words)
            scene.run(f"{words} 2", args, variables, stop_after=until)

    with Processes() as processes, ThreadPoolExecutor(3) as pool:
        list(pool.map(both, sorted((each.words for each in COMMANDS), key="demo".__ne__)))
    scene.check()
    assert [found for each in processes.commands if (found := found_in(each))] == []
    for words in ("run", "plan", "verify", "backfill"):  # they came as far as that
        assert "connection refused" in scene.said(f"{words} 2"), scene.said(f"{words} 2")
    assert "auth=***" in scene.said("config show 1"), scene.said("config show 1")


AT = pa.array([1_762_041_600_000_000], pa.timestamp("us", "UTC"))
FRAMED = pa.table({"value": [b"\0\0\0\0\1x"], "key": [b"k"], "event_time": AT})
"""A record as it is, of schema 1 of another registry."""

PLAIN = ("sasl.mechanism=PLAIN", f"sasl.password={secret('password')}")
UNSECURED = ("sasl.mechanism=OAUTHBEARER", "enable.sasl.oauthbearer.unsecure.jwt=true")
REFUSED = {
    "wrong password": PLAIN,
    "wrong password of SCRAM": ("sasl.mechanism=SCRAM-SHA-512", PLAIN[1]),
    "key that is none": (*PLAIN, f"ssl.key.pem={secret('key-pem')}"),
    "no such keystore": (*PLAIN, "ssl.keystore.location=/none", f"ssl.keystore.password={secret('keystore')}"),
    "no assignment": (f"sasl.password:{secret('password')}",),
    "only a value": (secret("password"),),
    "token that is none": (*UNSECURED, f"sasl.oauthbearer.config=principal=x {secret('oauth')}"),
    "token with an extension": (*UNSECURED, f"sasl.oauthbearer.config=principal=x extension_t={secret('oauth')}"),
}
"""What a broker, or librdkafka, does not take, as settings."""

RAISES = """
import sys
from replay.delivery import job

def run(options, *_):
    raise RuntimeError(f"it failed with {dict(options.kafka.settings)}")

job.run = run
from replay.__main__ import main
main()
"""
"""A bug: an error of Python's that shows all settings."""


def test_what_fails_does_not_repeat_a_secret(scene: Scene, topic: str) -> None:
    """Broken: a broker, a registry, a server of tokens or an object store says too much, or an error of Python's does,
    and so does the log, or the notification that is posted to everybody. Those here repeat all that they are told."""
    told = ["--debug", "--broker-timeout", "2s", "--topic", topic, "--report", "r.html", "--summary-json", "s.json"]
    told += ["--notify", scene.given["--notify"][0], "-X", "debug=all"]
    pq.write_table(FRAMED, scene.beside / "framed.parquet")
    begun = ["run", DATA, *told]
    create_topic(scene.kafka.bootstrap_servers, topic, 1)
    open_to_all = ["--bootstrap-servers", scene.kafka.bootstrap_servers]
    here, there = [*begun, *scene.way_in(), "-X", "sasl.username=me"], [*begun, *open_to_all]
    echo = f"http://{scene.echo.address}"
    oidc = ("sasl.mechanism=OAUTHBEARER", "sasl.oauthbearer.method=oidc", "sasl.oauthbearer.client.id=me",
            f"sasl.oauthbearer.client.secret={secret('client-secret')}",
            f"sasl.oauthbearer.token.endpoint.url={echo}/token")  # fmt: skip
    of_source = [part for name in OF_SOURCE for value in scene.given[name] for part in (name, value)]
    avro, as_it_is = ["--format", "avro"], ["--value-column", "value", "--key-column", "key", "--registry", echo]
    tls = [*("--bootstrap-servers", scene.kafka.address("SASL")), "--ca", str(scene.kafka.authority.certificate)]
    locked = scene.kafka.authority.issue(topic, password=secret("key-password"))
    by_file = {
        "password file": ["--security", "plain", "--user", "me", "--password-file", scene.file("password-file")],
        "token file": ["--security", "oauth", "--oauth-token-file", scene.file("token-file")],
        "secret of a server of tokens": [
            *("--security", "oauth", "--oauth-token-url", f"{echo}/token", "--oauth-client-id", "me"),
            *("--oauth-client-secret-file", scene.file("client-secret-file")),
        ],
        "password of a key": [
            *("--security", "mtls", "--cert", str(locked.certificate), "--cert-key", str(locked.key)),
            *("--cert-key-password-file", scene.file("wrong-password-of-key")),
        ],
    }
    token = f"bearer.auth.token={secret('token')}"
    registries = {
        "registry": [*avro, "--registry", *scene.given["--registry"]],
        "registry with a token": [*avro, "--registry", echo, "--registry-config", token],
        "registry of the source": [*as_it_is, *of_source[:2]],
    }
    refused = REFUSED | {"server of tokens": oidc}
    runs = {name: [*here, *(part for each in given for part in ("-X", each))] for name, given in refused.items()}
    runs |= {name: [*there, *more] for name, more in registries.items()}
    runs["proxy"] = [*there, *as_it_is, *of_source[2:], "--source-registry", echo]
    for name in ("registry of the source", "proxy"):
        runs[name][1] = str(scene.beside / "framed.parquet")
    runs |= {name: [*begun, *tls, *more] for name, more in by_file.items()}
    runs["object store"] = ["run", *told, *open_to_all, *scene.given["INPUT"]]
    with ThreadPoolExecutor(3) as pool:
        bug = pool.submit(scene.run, "bug", [*there, "-X", PLAIN[1]], start=("-c", RAISES))
        ended = {name: pool.submit(scene.run, name, [*args, "--job", name]) for name, args in runs.items()}
    codes = {name: each.result() for name, each in ended.items()}
    scene.check()
    assert bug.result() == 70
    assert "RuntimeError: it failed with {'debug': 'all', 'sasl.password': '***'}" in scene.said("bug")
    assert set(codes.values()) <= {2, 3, 5}, codes
    for name in by_file:
        assert re.search(r"WARNING .*holds a secret, and every user of this machine may read it", scene.said(name))
    for name in registries:
        assert "HTTP 401" in scene.said(name), scene.said(name)


def _looks(scene: Scene, topic: str, place: Sequence[str], checkpoint: str) -> dict[str, list[str]]:
    """What looks at a replay that is done, or replays its days."""
    of_days = [*place, "--retries", "0", "--job"]
    began = scene.folder / f"state/replay/{topic}-nightly/began"
    began.parent.mkdir(parents=True)
    began.write_text(f"{date.today() - timedelta(days=3)}\n")  # so that days have been missed
    return {
        "verify": ["verify", DATA, *place, "--checkpoint", checkpoint],
        "plan": ["plan", DATA, *place, "--checkpoint", checkpoint],
        "show": ["checkpoint", "show", checkpoint],
        "rebuild": ["checkpoint", "rebuild", DATA, *place, "--checkpoint", "rebuilt.json"],
        "report": ["report", topic],
        "status": ["status", "--output", "json"],
        "history": ["history", "--output", "json"],
        "backfill": ["backfill", DATA, *of_days, f"{topic}-days", "--from", DAY, "--to", NEXT_DAY],
        "schedule": ["schedule", DATA, *of_days, f"{topic}-nightly", "--cron", "0 0 * * *", "--catch-up", "1"],
    }


def test_what_goes_well_does_not_say_a_secret(scene: Scene, topic: str) -> None:
    """Broken: a token that goes out as a header stands in the checkpoint; a child of backfill or schedule has a
    password in its command line, which every user of the machine sees; metrics or a report have one."""
    kafka = scene.kafka
    kafka.add_user(topic, secret("scram"))
    kafka.allow(f"User:{topic}", "topic", topic, "all")
    kafka.allow(f"User:{topic}", "broker", "kafka-cluster", "all")
    kafka.allow(f"User:{topic}", "group", "*", "all")
    create_topic(kafka.bootstrap_servers, topic, 1)
    login = [*("--security", "scram", "--user", topic, "--password-file", scene.file("scram")), "-X", "debug=all"]
    way_in = ["--bootstrap-servers", kafka.address("SASL"), "--ca", str(kafka.authority.certificate)]
    unused = ["-X", f"ssl.keystore.password={secret('keystore')}"]  # so that children are passed one, too
    place = [*way_in, *login, *unused, "--topic", topic, "--debug"]
    header = ["--header", scene.given["--header"][0]]
    watch = [*("--notify-on", "always"), *("--report", "r.html"), *("--summary-json", "s.json")]
    watch += [part for name in ("--notify", "--metrics-push") for part in (name, scene.given[name][0])]
    (port,), checkpoint = free_ports(1), str(scene.folder / "trades.json")
    served = ["--metrics-port", str(port), "--rate", "10000/s", "--metrics-textfile", "m.prom", "--verify"]
    run = ["run", DATA, *place, *watch, "--checkpoint", checkpoint]
    with Processes() as processes, ThreadPoolExecutor(3) as pool:
        running = pool.submit(scene.run, "run", [*run, *header, *served])
        scraped = _scraped(port, running)
        assert running.result() == 0, scene.said("run")[-2000:]
        assert b"replay_" in scraped
        assert not found_in(scraped)
        assert scene.run("again", [*run, *header]) == 0
        assert scene.run("another header", [*run, "--header", f"b={secret('other')}"]) == 4
        looks = _looks(scene, topic, [*place, *header], checkpoint)
        until = {"schedule": "exit 3"}  # no file has rows of yesterday
        ended = {name: pool.submit(scene.run, name, args, None, until.get(name, "")) for name, args in looks.items()}
    codes = {name: each.result() for name, each in ended.items()}
    assert codes == dict.fromkeys(looks, 0) | {"schedule": 143}, codes
    scene.check()
    assert len([each for each in scene.echo.heard if "hook" in each.path]) >= 3
    children = [set(each.decode().split("\0")) for each in processes.commands if b"\0--date\0" in each]
    assert {f"{topic}-days", f"{topic}-nightly"} <= set().union(
        *children
    )  # those of backfill and of schedule were seen
    assert all({"ssl.keystore.password=***", "auth=***", topic} <= each for each in children), children
    assert [found for each in processes.commands | processes.environments if (found := found_in(each))] == []


def _scraped(port: int, running: Future[int]) -> bytes:
    """All that the metrics' port says while that lasts."""
    said = b""
    while not running.done():
        with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            said += answer.read()
        time.sleep(0.05)
    return said
