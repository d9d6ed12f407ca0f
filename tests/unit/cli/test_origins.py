"""Where a value came from is what an error blames; and no value that somebody gave is ignored in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from replay.cli import commands
from replay.cli.app import app

DATA = str(Path(__file__).parents[3] / "data")
BROKER = ("--bootstrap-servers", "127.0.0.1:1", "--broker-timeout", "1s")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("REPLAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def in_words(out: str) -> str:
    """However wide its columns are."""
    return " ".join(out.split())


def call(*args: str, file: str | None = None, **env: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error; `file` is what `n.toml` holds."""
    if file is not None:
        Path("n.toml").write_text(file)
    done = CliRunner().invoke(app, list(args), env=env, prog_name="replay")
    assert "Traceback" not in done.stderr
    return done.exit_code, done.stdout, done.stderr


JOB = f"""
[jobs.nightly]
inputs = "{DATA}"
topic = "trades"
cron = "0 2 * * *"
[kafka]
"bootstrap.servers" = "127.0.0.1:1"
"""


# -- who is blamed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE", "fast"), ("SPEED", "x"), ("BROKER_TIMEOUT", "soon"), ("TOPIC", "a b"), ("SYMBOLS", ","), ("TO", "now"),
        ("BATCH_SIZE", "many"), ("TIMEZONE", "Mars"), ("WHERE", "size >"), ("CREATE_TOPIC", "0"), ("DATE", "soon"),
        ("BOOTSTRAP_SERVERS", "a:1,,b:2"), ("SUMMARY_JSON", "no/x"), ("REPORT", "no/x"),
        ("METRICS_TEXTFILE", "no/x.prom"),
        ("LIMIT", "0"), ("LIMIT", "few"), ("ORDER", "random"), ("PROGRESS_SECONDS", "0"), ("VERIFY", "perhaps"),
    ],
)  # fmt: skip
def test_a_variable_that_cannot_work_is_named_itself(name: str, value: str) -> None:
    """Broken: the operator looks for --rate in a command line that has none."""
    args = ["run", DATA, "--topic", "t", "--bootstrap-servers", "127.0.0.1:1"]
    without = {"TOPIC": 2, "BOOTSTRAP_SERVERS": 4}.get(name)
    if without is not None:
        del args[without : without + 2]
    code, _, errors = call(*args, **{f"REPLAY_{name}": value})
    assert code == 2, errors
    assert f"REPLAY_{name}" in errors
    assert f"--{name.lower().replace('_', '-')}: " not in errors


def test_the_command_line_is_blamed_for_what_it_says() -> None:
    """Broken: a variable is blamed though the option won over it."""
    code, _, errors = call("run", DATA, "--topic", "t", *BROKER, "--rate", "fast", REPLAY_RATE="5/s")
    assert (code, " --rate: cannot read 'fast'" in errors) == (2, True), errors


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('rate = "fast"', "n.toml, [jobs.nightly] rate: cannot read 'fast'"),
        ('where = "size >"', "n.toml, [jobs.nightly] where"),
        ("metrics_port = 70000", "n.toml, [jobs.nightly] metrics_port: 70000 is too large"),
        ("headers = 1", "there is no option 'headers'"),
        ('report = "no/x.html"', "n.toml, [jobs.nightly] report no/x.html: there is no folder"),
    ],
)
def test_a_line_of_a_job_file_that_cannot_work_is_named_itself(line: str, says: str) -> None:
    """Broken: which of the file's jobs, and which line, has to be guessed."""
    code, _, errors = call("run", "--config", "n.toml", file=JOB.replace("[kafka]", f"{line}\n[kafka]"))
    assert (code, says in errors) == (2, True), errors


def test_settings_and_a_schedule_of_a_job_file_are_named() -> None:
    """Broken: -X is blamed where nobody wrote it; of two jobs, nobody knows whose schedule is wrong."""
    code, _, errors = call("run", "--config", "n.toml", file=JOB + '"acks" = "1"\n')
    assert (code, "n.toml, [kafka]: acks is refused" in errors) == (2, True), errors
    two = JOB.replace("[kafka]", '[jobs.other]\ninputs = "x"\ntopic = "y"\ncron = "0 25 * * *"\n[kafka]')
    code, _, errors = call("schedule", "--config", "n.toml", file=two)
    assert (code, "n.toml, [jobs.other] cron: " in errors) == (2, True), errors


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('rate = "fast"', "n.toml, [jobs.other] rate: cannot read 'fast'"),
        ('report = "no/{date}.html"', "n.toml, [jobs.other] report no/"),
        ('summary_json = "no/x"', "n.toml, [jobs.other] summary_json no/x: there is no folder"),
        ("limit = 0", "n.toml, [jobs.other] limit: 0 is too small"),
        ('where = "size >"', "n.toml, [jobs.other] where"),
    ],
)
@pytest.mark.parametrize("chosen", [(), ("--job", "other")])
def test_every_job_of_a_schedule_is_looked_at_before_it_stays(line: str, says: str, chosen: tuple[str, ...]) -> None:
    """Broken: the scheduler starts, and the typing error of one of its jobs is told at two in the morning."""
    other = f'[jobs.other]\ninputs = "x"\ntopic = "y"\ncron = "0 3 * * *"\n{line}\n[kafka]'
    code, _, errors = call("schedule", "--config", "n.toml", *chosen, file=JOB.replace("[kafka]", other))
    assert (code, says in errors) == (2, True), errors


@pytest.mark.parametrize("command", ["run", "config show", "backfill --from 2026-11-02 --to 2026-11-03"])
@pytest.mark.parametrize("option", ["--notify", "--calendar"])
def test_an_option_that_is_given_as_nothing_is_refused(command: str, option: str) -> None:
    """Broken: the variable of a script is not set, and for months nobody is told of failures; or a holiday alarms."""
    code, _, errors = call(*command.split(), DATA, "--topic", "t", *BROKER, option, "")
    assert (code, f" {option}" in errors) == (2, True), errors


@pytest.mark.parametrize("option", ["--first-offsets", "--end-offsets"])
def test_offsets_that_are_given_as_nothing_are_refused(option: str) -> None:
    """Broken: the variable of a script is not set, and the whole topic is compared."""
    code, _, errors = call("verify", DATA, "--topic", "t", *BROKER, option, "")
    assert (code, f" {option}: cannot read ''" in errors) == (2, True), errors


# -- variables that are no option's ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("SPEDE", "did you mean REPLAY_SPEED?"),
        ("RAET", "did you mean REPLAY_RATE?"),
        ("BOOTSTRAP_SERVER", "did you mean REPLAY_BOOTSTRAP_SERVERS?"),
        ("CHEKPOINT", "did you mean REPLAY_CHECKPOINT?"),
        ("HEADR", "did you mean REPLAY_HEADER?"),
        ("INPUT", "did you mean REPLAY_INPUTS?"),
    ],
)
@pytest.mark.parametrize("command", ["run", "config show"])
def test_a_mistyped_variable_is_refused(name: str, says: str, command: str) -> None:
    """Broken: the replay goes out at full speed, since what was to slow it down has another name."""
    code, _, errors = call(*command.split(), DATA, "--topic", "t", *BROKER, **{f"REPLAY_{name}": "3"})
    assert (code, f"REPLAY_{name}: " in errors, says in errors) == (2, True, True), errors


def test_a_variable_like_no_option_is_warned_of_and_those_of_others_are_not() -> None:
    """Broken: a pod with a service named replay beside it does not start; or a variable is ignored in silence."""
    others = ("PORT", "SERVICE_HOST", "SERVICE_PORT_METRICS", "PORT_9308_TCP_ADDR", "RUN_ID", "TEST_KAFKA")
    args = ("run", DATA, "--topic", "t", "--embedded", "--limit", "5")
    own = ("DATA", "HOME")
    code, _, errors = call(*args, **{f"REPLAY_{each}": "1" for each in (*own, *others)})
    assert code == 0, errors
    assert errors.count(": no option has this variable; it is ignored") == 2
    for name in own:
        assert f"REPLAY_{name}: no option has this variable" in errors


def test_options_that_say_how_a_run_ends_are_variables() -> None:
    """Broken: the README says so, and REPLAY_CREATE_TOPIC=6 does nothing."""
    code, out, errors = call("config", "show", REPLAY_CREATE_TOPIC="6", REPLAY_VERIFY="1", REPLAY_QUIET="1")
    assert code == 0, errors
    told = dict(line.split(None, 1) for line in out.splitlines())
    assert told["--create-topic"] == "6  (REPLAY_CREATE_TOPIC)"
    assert told["--verify"] == "true  (REPLAY_VERIFY)"


def test_settings_by_variable_are_settings_and_stay_secret() -> None:
    """Broken: a password in a variable is shown; or -X is blamed where nobody wrote it."""
    code, out, errors = call("config", "show", REPLAY_X="sasl.password=geheim\nsasl.username=u")
    assert code == 0, errors
    assert "geheim" not in out
    assert "sasl.username=u  (REPLAY_X)" in out
    code, _, errors = call("config", "show", REPLAY_X="acks=1")
    assert (code, "REPLAY_X: acks is refused" in errors) == (2, True), errors


# -- job files for every command --------------------------------------------------------------------------


def test_a_registry_for_all_jobs_is_no_mistake_of_one_that_needs_none() -> None:
    """Broken: one job of Avro in a job file, or a variable of the machine, stops all jobs of JSON."""
    shown = ("config", "show", "--config", "n.toml")
    table = '[registry]\nurl = "http://registry:8081"\n"basic.auth.user.info" = "a:b"\n'
    assert call(*shown, file=table)[0] == 0
    assert call("config", "show", REPLAY_REGISTRY="http://registry:8081")[0] == 0
    for option in (("--registry", "http://registry:8081"), ("--schema-register",)):
        code, _, errors = call(*shown, *option, file=table)
        assert code == 2
        assert f"{option[0]}: a record of JSON and text has no schema" in errors
    assert call(*shown, file="registry = 'http://registry:8081'\n")[0] == 2


def test_a_job_file_may_hold_every_option_of_every_command_that_reads_one() -> None:
    """Broken: `verify = true` is fine for `run`, and `plan` of the same file ends with "there is no option"."""
    known = commands.job_keys()
    assert {"verify", "restart", "embedded", "missing", "parallel", "cron", "retries", "isolation"} <= known
    assert not {"config", "yes", "out", "watch"} & known  # commands that read no job file, and the file itself


def test_what_a_run_alone_has_breaks_no_other_command() -> None:
    """Broken: see the test above, seen from the commands."""
    file = JOB.replace("[kafka]", 'verify = true\nmissing = "skip"\nparallel = 1\n[kafka]')
    code, out, errors = call("plan", "--config", "n.toml", "--output", "json", file=file.replace("trades", "", 1))
    assert "there is no option" not in errors
    code, out, errors = call("config", "show", "--config", "n.toml", file=file)
    assert code == 0, errors
    assert "--verify true (n.toml, [jobs.nightly] verify)" in in_words(out)


@pytest.mark.parametrize("name", ["restart", "embedded"])
@pytest.mark.parametrize(
    "command", ["backfill --from 2026-11-02 --to 2026-11-03", "schedule", "schedule --job nightly"]
)
@pytest.mark.parametrize("by", ["file", "variable"])
def test_what_is_for_one_run_by_hand_is_refused_for_every_date(name: str, command: str, by: str) -> None:
    """Broken: each night forgets what is in the topic, and its retry sends every row a second time; or a broker inside
    the process takes the rows and is gone."""
    file = JOB.replace("[kafka]", f"{name} = true\n[kafka]") if by == "file" else JOB
    env = {f"REPLAY_{name.upper()}": "1"} if by == "variable" else {}
    code, _, errors = call(*command.split(), "--config", "n.toml", file=file, **env)
    where = f"n.toml, [jobs.nightly] {name}: " if by == "file" else f"REPLAY_{name.upper()}: "
    assert (code, where in errors, f"replay run --date 2026-11-22 --{name}" in errors) == (2, True, True), errors


@pytest.mark.parametrize("by", ["file", "variable", "option"])
def test_a_restart_that_nobody_typed_is_warned_of(by: str) -> None:
    """Broken: a line that was left in the job file has each retry of the night send all rows again, without a word."""
    file = JOB.replace("[kafka]", "restart = true\n[kafka]") if by == "file" else JOB
    env = {"REPLAY_RESTART": "1"} if by == "variable" else {}
    args = ("run", "--config", "n.toml", *BROKER[2:], *(["--restart"] if by == "option" else []))
    code, _, errors = call(*args, file=file, **env)
    told = {"file": "n.toml, [jobs.nightly] restart says restart", "variable": "REPLAY_RESTART says restart"}.get(by)
    assert code == 5, errors
    assert (told or "") in errors
    assert ("sends all rows again" in errors) == (told is not None), errors


def test_config_show_takes_what_run_takes() -> None:
    """Broken: what becomes of a day without files is in the job file, and not among the options that are shown."""
    assert commands.command("config show").options == commands.command("run").options
    code, out, errors = call("config", "show", REPLAY_MISSING="skip")
    assert (code, "--missing skip (REPLAY_MISSING)" in in_words(out)) == (0, True), errors


# -- config show --------------------------------------------------------------------------------------------


def test_config_show_works_with_whatever_is_given() -> None:
    """Broken: to see what is missing, all of it has to be given first."""
    code, out, errors = call("config", "show")
    told = dict(line.split(None, 1) for line in out.splitlines())
    assert code == 0, errors
    assert [told[name] for name in ("inputs", "--topic", "--bootstrap-servers")] == ["-  (default)"] * 3
    code, out, errors = call("config", "show", "x-{date}.parquet", "--topic", "t-{date}", "--report", "no/{date}.html")
    assert code == 0, errors
    assert "--topic t-{date} (command line)" in in_words(out)
    code, _, errors = call("config", "show", "--rate", "fast")
    assert (code, "--rate: cannot read 'fast'" in errors) == (2, True), errors


# -- places -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--report", "--summary-json", "--metrics-textfile"])
def test_a_place_that_cannot_be_written_to_is_refused_before_the_first_row(option: str, tmp_path: Path) -> None:
    """Broken: after hours a warning says that the report is not written."""
    (tmp_path / "full.prom").mkdir()
    places = [("no/x.prom", "there is no folder"), ("full.prom", "it is a folder")]
    for target, why in places[:1] if option == "--metrics-textfile" else places:  # that one takes a folder
        code, out, errors = call("run", DATA, "--topic", "t", "--embedded", option, target)
        assert (code, f"{option} {target}: " in errors, why in errors, out) == (2, True, True, ""), errors
        assert "rows in" not in errors, "the replay had begun"
