"""Notifications: the right ends are told, in time, and nothing about them fails a run or gives a secret away."""

from __future__ import annotations

import json
import os
import stat
import threading
import time

import pytest

from replay.errors import UsageError
from replay.watch import notify as module
from replay.watch.notify import Notify, parse_notify, send, sentence
from replay.watch.run import NotifyOn, RunOutcome
from tests.support.http_server import RememberingServer
from tests.unit.fakes import Told
from tests.unit.watch.test_summary import document

FAILED = RunOutcome(5, "a:9092: no acknowledgement for 300 s")


def address_of(server: RememberingServer) -> str:
    """As services give it: the path and the query are secrets."""
    return f"http://{server.address}/hook/s3cret?key=s3cret"


def told_of(notify: Notify, outcome: RunOutcome = FAILED) -> list[str]:
    told = Told()
    send(notify, document(outcome), told)
    return told.warnings


def script(tmp_path, text: str) -> str:
    path = tmp_path / "tell.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_sentence():
    """Broken: the message on somebody's phone would not say what happened to which night."""
    assert sentence(document(FAILED)) == (
        "nightly 2026-11-22 failed (exit 5): a:9092: no acknowledgement for 300 s;"
        " 550 in topic, 230 not selected, 20 bad, of 1,200 rows"
    )
    assert sentence(document()) == "nightly 2026-11-22 done; 550 in topic, 230 not selected, 20 bad, of 1,200 rows"
    assert sentence({**document(), "date": None, "of_rows": None}) == "nightly done"


@pytest.mark.parametrize(
    ("on", "told"),
    [(NotifyOn.FAILURE, [5, 143]), (NotifyOn.SUCCESS, [0]), (NotifyOn.ALWAYS, [0, 5, 143])],
)
def test_the_right_ends_are_told(on, told):
    """Broken: a failed night is not told, or every good one is."""
    with RememberingServer() as hook:
        for code in (0, 5, 143):
            assert told_of(parse_notify(address_of(hook), on), RunOutcome(code, "")) == []
    assert [json.loads(each.body)["exit_code"] for each in hook.got] == told


def test_a_webhook_gets_the_summary_and_a_text():
    """Broken: chat services show nothing without `text`, scripts find no figures."""
    with RememberingServer() as hook:
        assert told_of(parse_notify(address_of(hook))) == []
    (request,) = hook.got
    path, kind, body = request.path, request.headers["Content-Type"], json.loads(request.body)
    assert (path, kind) == ("/hook/s3cret?key=s3cret", "application/json")
    assert body == {"text": sentence(document(FAILED)), **document(FAILED)}


def test_a_command_gets_json_and_variables(tmp_path):
    """Broken: a mail script would have nothing to mail."""
    command = script(tmp_path, f'cat > {tmp_path}/json; env > {tmp_path}/env; echo "$1" > {tmp_path}/argument')
    assert told_of(parse_notify(f"{command} 'two words'")) == []
    assert json.loads((tmp_path / "json").read_text())["exit_code"] == 5
    told = dict(
        line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if line.startswith("REPLAY_RUN_")
    )
    assert (told["REPLAY_RUN_JOB"], told["REPLAY_RUN_DATE"], told["REPLAY_RUN_EXIT_CODE"]) == (
        "nightly",
        "2026-11-22",
        "5",
    )
    assert told["REPLAY_RUN_TEXT"] == sentence(document(FAILED))
    assert json.loads(told["REPLAY_RUN_LEFT_OUT"]) == {"not_selected": 230, "price_missing": 20}
    assert (tmp_path / "argument").read_text() == "two words\n"


def test_a_command_cannot_write_into_the_result(tmp_path, capfd):
    """Broken: `replay run --summary-json - | jq` would get what the notification printed."""
    assert told_of(parse_notify(script(tmp_path, "echo noise"))) == []
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("text", ["exit 3", "echo oh no >&2; exit 3", "kill -9 $$", "exec 0<&-; exit 3"])
def test_a_command_that_fails_is_a_warning(tmp_path, text):
    """Broken: the replay would end with the notification's failure instead of its own outcome."""
    (warning,) = told_of(parse_notify(script(tmp_path, text)))
    assert "nobody was notified" in warning
    assert "tell.sh" in warning
    assert ("oh no" in warning) is ("oh no" in text)


def test_a_command_that_vanished_is_a_warning(tmp_path):
    """Broken: the same, where it was deleted while the replay ran."""
    path = script(tmp_path, "exit 0")
    notify = parse_notify(path)
    os.unlink(path)
    assert "nobody was notified" in told_of(notify)[0]


@pytest.mark.parametrize("trouble", ["refused", "500"])
def test_a_webhook_that_fails_is_a_warning_without_its_address(trouble):
    """Broken: the key in a webhook's address would stand in every log collector."""
    with RememberingServer(500) as hook:
        url = address_of(hook) if trouble == "500" else "http://127.0.0.1:1/hook/s3cret"
        (warning,) = told_of(parse_notify(url))
    assert "nobody was notified (http://127.0.0.1/…)" in warning
    assert "s3cret" not in warning
    assert ("HTTP 500" if trouble == "500" else "refused") in warning


def test_a_webhook_that_hangs_is_given_up(monkeypatch):
    """Broken: a chat service that is down would keep a nightly job alive into the next night."""
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    over = threading.Event()
    begun = time.monotonic()
    with RememberingServer(hang=over) as hook:
        (warning,) = told_of(parse_notify(address_of(hook)))
        over.set()
    assert "no answer within 0.2 s" in warning
    assert time.monotonic() - begun < 5


def test_a_command_that_hangs_is_ended_with_all_it_has_started(tmp_path, monkeypatch):
    """Broken: each failed night would leave a process behind."""
    monkeypatch.setattr(module, "TIMEOUT_S", 0.5)
    pids = tmp_path / "pids"
    (warning,) = told_of(parse_notify(script(tmp_path, f"sleep 60 & echo $! $$ > {pids}; wait")))
    assert "no answer within 0.5 s" in warning
    for pid in pids.read_text().split():
        for _ in range(100):
            try:
                if open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "Z":  # noqa: SIM115
                    break
            except FileNotFoundError:
                break
            time.sleep(0.02)
        else:
            pytest.fail(f"process {pid} is still there")


@pytest.mark.parametrize(
    "text",
    ["", "  ", "no-such-command-here x", "'open", "ftp://host/x", "http://", "https://[", "http://host:port/", "http://h:0/",
     "https://host/a b", "https://user:s3cret@host/", "https://hôst/"],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_the_run(text):
    """Broken: found out in the night in which the notification was needed."""
    with pytest.raises(UsageError) as caught:
        parse_notify(text)
    assert caught.value.where == "--notify"
    assert "s3cret" not in str(caught.value)


def test_what_may_be_shown_of_it():
    """Broken: `replay config show` or a warning would give a webhook's key away."""
    assert parse_notify("https://hooks.example.org:8443/T000/s3cret").name == "https://hooks.example.org/…"
    assert parse_notify("true --token s3cret").name == "true"
    assert "s3cret" not in repr(parse_notify("https://hooks.example.org/T000/s3cret"))


def test_a_hostile_name_stays_a_name(tmp_path):
    """Broken: a job's name runs a command, ends the notification, or turns the text on somebody's phone."""
    job = "$(touch x); `touch y`\n\x1b[2J\u202e<!channel>\0"
    hostile = {**document(FAILED), "job": job}
    assert sentence(hostile).isprintable()
    path = script(
        tmp_path, f'cd {tmp_path}; cat > json; printf %s "$REPLAY_RUN_JOB" > job; echo $REPLAY_RUN_TEXT > text'
    )
    told = Told()
    send(parse_notify(path), hostile, told)
    assert told.warnings == []
    assert (tmp_path / "job").read_text() == job.replace("\0", "\\x00")
    assert json.loads((tmp_path / "json").read_text())["job"] == job
    assert {each.name for each in tmp_path.iterdir()} == {"tell.sh", "json", "job", "text"}
