"""The report's page as text: what it says, what it escapes, what it does not hold. Its looks: tests/integration."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from replay.counts import ByName, RowCounts
from replay.errors import STOPPED, ExitCode, UsageError
from replay.watch.report import page as html_report
from replay.watch.report.data import Mark, MarkKind, ReportData, Run, RunState
from replay.watch.report.page import TOP, render
from tests.support.report_story import BEGUN_S, eventful, run

CSS = Path(html_report.__file__).with_name("templates") / "report.css"
VOID = {"meta", "link", "img", "br", "input", "hr"}


class Page(HTMLParser):
    """Tags, attributes, and text by the elements around it. Fails where elements do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


def plain() -> ReportData:
    """The same without plots, which take half a second."""
    data = eventful()
    return replace(data, runs=[replace(each, samples=()) for each in data.runs])


def quiet(*given, **more) -> Run:
    """A run without samples: nothing is drawn."""
    return replace(run(*given, **more), samples=())


def told(data, **more) -> str:
    return Page(render(data, **more)).text


@pytest.fixture(scope="module")
def page() -> str:
    return render(eventful())


def test_a_page_tells_the_whole_story(page):
    """Broken: something that an operator looks for is missing."""
    text = Page(page).text
    for part in (
        "nightly-trades, 2026-11-22", "✓ Done", "the topic was read back and is as the source",
        "In topic", "9,852,885", "Not selected", "1,200", "Of rows", "724 were there already",
        "id x7Kq at kafka-1.example:9092", "part-000.parquet", "and 4 more",
        "✗ Failed, exit 5 : no acknowledgement for 300 s", "! Interrupted", "night-1:4790",
        "Throughput, rows a second", "Lateness behind the schedule", "ACK latency",
        "Broker unavailable", "Not running", "Resumed", "Connect to ipv4#10.0.0.7:9092 failed",
        "SYM00", "10 other symbols", "4 partitions in all", "price is null", "librdkafka", "night-1",
        "All times are UTC",
    ):  # fmt: skip
        assert part in text, part


def test_pauses_between_runs_are_found_and_everything_is_in_order_of_time():
    """Broken: the plot shows no gap where no process was running, or numbers that are not those of the table."""
    kinds = [span.kind for span in eventful().all_marks()]
    assert kinds == [MarkKind.OUTAGE, MarkKind.PAUSE, MarkKind.RESUME, MarkKind.PAUSE, MarkKind.RESUME]


@pytest.mark.parametrize(
    ("exit_code", "alive", "outcome", "words"),
    [
        (0, False, RunState.DONE, "✓ Done"),
        (5, False, RunState.FAILED, "Failed, exit 5"),
        (143, False, RunState.STOPPED, "Stopped, exit 143"),
        (129, False, RunState.STOPPED, "Stopped, exit 129"),
        (None, True, RunState.RUNNING, "Running"),
        (None, False, RunState.INTERRUPTED, "Interrupted"),
    ],
)
def test_the_verdict_is_the_last_runs(exit_code, alive, outcome, words):
    """Broken: a failed night is told as done, or one that goes on as failed."""
    data = replace(plain(), runs=[quiet(BEGUN_S, 0, 30, exit_code=exit_code, is_alive=alive)], verdict=None)
    assert data.state is outcome
    text = told(data)
    assert words in text
    assert ("What to do" in text) == (outcome not in (RunState.DONE, RunState.RUNNING))


def test_a_failure_says_why_and_what_to_do():
    """Broken: the page names an exit code and leaves the operator alone with it."""
    failed = quiet(BEGUN_S, 0, 30, exit_code=8, reason="kafka-1:9092: no space left on device")
    text = told(replace(plain(), runs=[failed])).replace(" :", ":")
    assert "kafka-1:9092: no space left on device. What to do: Put the folder right" in text


def test_every_exit_code_has_something_to_do():
    """Broken: a failure of some kind has no advice."""
    assert {*html_report.TODO, ExitCode.DONE, *STOPPED} == set(ExitCode)


def test_a_topic_that_differs_is_said_where_it_is_seen():
    """Broken: verify found a difference, and the page's top is green and silent."""
    data = plain()
    lost = {"kind": "lost", "row": 4_413, "file": "day.parquet", "file_row": 12, "symbol": "BTCUSDT", "partition": 3}
    different = {**(data.verdict or {}), "exact": False, "lost": 12, "duplicated": 0, "examples": [lost]}
    text = told(replace(data, verdict=different))
    assert "the topic DIFFERS from the source" in text
    assert "lost 12" in text
    assert "lost 4,413 BTCUSDT day.parquet , row 12 3" in text


HOSTILE = "<script>document.title='x'</script>\"'&{{ 7*7 }}"


def test_everything_from_outside_stays_text():
    """Broken: a symbol, a path or a broker's words run as code in the reader's browser."""
    data = replace(
        plain(), job=HOSTILE, date=HOSTILE, topic=HOSTILE, cluster=HOSTILE, delivery=HOSTILE, pace=HOSTILE,
        inputs=[HOSTILE], symbols=ByName({HOSTILE: 1, "<b>": 2}), partitions=ByName({"0": 3}), bad_rows={HOSTILE: 1},
        runs=[quiet(BEGUN_S, 0, 5, exit_code=3, reason=HOSTILE, process=HOSTILE)],
        marks=[Mark(MarkKind.OUTAGE, BEGUN_S, BEGUN_S + 1, HOSTILE)],
        verdict={**(plain().verdict or {}), "topic": HOSTILE, "isolation": HOSTILE,
                 "examples": [{"kind": HOSTILE, "row": 5, "file": HOSTILE, "file_row": 5, "symbol": HOSTILE}]},
        settings=[(HOSTILE, HOSTILE, HOSTILE)], versions={HOSTILE: HOSTILE}, machine={HOSTILE: HOSTILE},
    )  # fmt: skip
    found = Page(render(data))
    assert not [tag for tag, _ in found.tags if tag in ("script", "b>")]
    assert found.text.count("document.title='x'") >= 20
    assert "{{ 7*7 }}" in found.text
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]


def test_control_characters_are_told_not_sent():
    """Broken: a NUL or half a surrogate pair in a name makes a page that cannot be written or read."""
    page = render(replace(plain(), topic="a\0b\x1b[31m\u202ec", inputs=["day\udce4.parquet"]))
    page.encode("utf-8")
    assert not re.search("[\0\x1b\u202e]", page)
    assert "a\\x00b" in page
    assert "day\\udce4.parquet" in page


def test_nothing_is_loaded_and_nothing_runs(page):
    """Broken: opening the page tells somebody else about it, or needs a network."""
    found = Page(page)
    assert not {tag for tag, _ in found.tags} & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for tag, attributes in found.tags:
        for name, value in attributes.items():
            assert name not in ("src", "srcset", "action", "background"), tag
            assert name != "href" or str(value).startswith("#"), (tag, value)
    assert not re.search(r"@import|url\((?!#)|https?:", page)
    policy = next(each["content"] for tag, each in found.tags if each.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def test_ids_are_unique_and_references_lead_somewhere(page):
    """Broken: one plot is clipped or hatched by another one's shapes, which are not displayed."""
    ids = [attributes["id"] for _, attributes in Page(page).tags if "id" in attributes]
    assert len(ids) == len(set(ids)) > 10
    assert set(re.findall(r"url\(#([\w-]+)\)|href=\"#([\w-]+)\"", page)) <= {(i, "") for i in ids} | {
        ("", i) for i in ids
    }


def test_secrets_are_masked(page):
    """Broken: a password is in a page that is mailed around."""
    assert "hunter2" not in page
    settings = [("sasl.password", "hunter2", ""), ("settings", ["sasl.password=hunter2"], "")]
    assert "hunter2" not in render(replace(plain(), settings=settings))


def test_symbols_beyond_the_top_are_one_line_and_none_is_lost():
    """Broken: ten thousand symbols make a list nobody reads, or the shares do not add up to the whole."""
    counts = html_report._counts(ByName({f"S{n}": n for n in range(9_000, 10_000)}, 9_000, sum(range(9_000))))
    assert len(counts) == TOP + 1
    names, rows, shares, rests = zip(*counts, strict=True)
    assert names[0] == "S9999"
    assert sum(rows) == sum(range(10_000))
    assert rests[-1] == 10_000 - TOP
    assert sum(shares) == pytest.approx(1.0)


def test_rows_sent_again_do_not_read_as_duplicates():
    """Broken: "Sent 20,135" of 20,000: an operator looks for 135 duplicates that are not there."""
    counts = RowCounts(20_000, 20_000)
    killed = replace(quiet(BEGUN_S, 0, 30), done_rows=8_000, sent_rows=9_000)
    rest = replace(quiet(BEGUN_S + 60, 0, 30, exit_code=0), first_rows=8_865, done_rows=20_000, sent_rows=11_135)
    data = replace(plain(), counts=counts, runs=[killed, rest])
    assert data.resent_rows == 135
    assert "Sent again 135 after losses; none duplicated" in told(data)
    duplicated = {**(data.verdict or {}), "exact": False, "duplicated": 3}
    assert "Sent again 135 see below: 3 duplicated" in told(replace(data, verdict=duplicated))
    assert replace(data, runs=[killed, replace(rest, restarts=True)]).resent_rows == 0, "those of the time before"
    going = replace(rest, exit_code=None, is_alive=True, done_rows=15_000, sent_rows=6_500, unconfirmed_rows=300)
    assert replace(data, counts=RowCounts(20_000, 15_000), runs=[killed, going]).resent_rows == 200


def test_a_run_that_found_nothing_to_do_changes_no_figure():
    """Broken: looking whether a night is done halves its rows a second, and hides its pace."""
    night = replace(quiet(BEGUN_S, 0, 40, exit_code=0), done_rows=20_000, sent_rows=20_000)
    noop = replace(quiet(BEGUN_S + 3_600, 0, 40, exit_code=0), first_rows=20_000, done_rows=20_000, sent_rows=0)
    text = told(replace(plain(), counts=RowCounts(20_000, 20_000), runs=[night, noop]))
    assert "500 rows/s delivered" in text
    assert "✓ Done : there was nothing left to do" in text


def test_an_outage_that_a_run_did_not_outlive_counts():
    """Broken: "Outages 0" above a plot with an outage in it: the kill came before its end, and nobody counted it."""
    spans = [Mark(MarkKind.OUTAGE, BEGUN_S + 5, BEGUN_S + 30), Mark(MarkKind.OUTAGE, BEGUN_S + 60, BEGUN_S + 64)]
    runs = [quiet(BEGUN_S, 0, 30), quiet(BEGUN_S + 60, 0, 30, outages=1, outages_s=4.0, exit_code=0)]
    assert "Outages 2 29 s in all" in told(replace(plain(), runs=runs, marks=spans))
    assert replace(plain(), runs=runs, marks=[]).outages == (1, 4.0)


def test_shares_do_not_lie_by_rounding():
    """Broken: 100 % of a replay that is not complete."""
    assert html_report._percent(0.99999) == "> 99.9 %"
    assert html_report._percent(0.00001) == "< 0.1 %"
    assert [html_report._percent(each) for each in (0.0, 0.125, 1.0)] == ["0 %", "12.5 %", "100 %"]


def test_what_is_not_known_is_left_out():
    """Broken: a replay without history, or one that sent nothing, has no report at all."""
    empty = replace(
        plain(),
        runs=[],
        marks=[],
        symbols=ByName(),
        partitions=ByName(),
        verdict=None,
        settings=[],
        versions={},
        machine={},
        date="",
        inputs=[],
    )
    text = told(empty)
    assert "? Unknown" in text
    assert "Configuration" not in text
    assert "Nothing to draw" in text
    assert "Nothing to draw" in told(replace(plain(), runs=[run(BEGUN_S, 0, 0, exit_code=0)]))


def test_a_night_of_restarts_is_a_page_of_bounded_size():
    """Broken: a job that is restarted every minute makes a page that no phone opens."""
    runs = [run(BEGUN_S + 60 * n, 50_000 * n, 10, exit_code=5, reason="no broker " * 10) for n in range(1_000)]
    spans = [Mark(MarkKind.RESUME, each.begun_s, each.begun_s) for each in runs]
    text = render(replace(plain(), runs=runs, marks=spans))
    assert len(text) < 500_000
    assert "950 earlier runs are neither listed nor drawn" in text


def test_an_eventful_page_is_small_and_the_same_each_time(page):
    """Broken: it cannot be mailed, or two reports of the same facts differ."""
    assert len(page.encode()) < 250_000
    assert render(eventful()) == page


def test_a_run_without_samples_among_others():
    """Broken: a run that ended before its first sample ends the report."""
    data = eventful()
    last = quiet(data.runs[-1].last_s + 60, data.runs[-1].done_rows, 1, exit_code=5)
    assert "4 runs, and how each ended." in told(replace(data, runs=[*data.runs, last]))


def test_times_are_those_of_the_zone():
    """Broken: plots and tables tell different times, or not those of the zone that is named."""
    text = told(eventful(), zone=ZoneInfo("America/New_York"))
    assert "2026-11-22 21:00:00" in text
    assert "All times are America/New_York" in text
    assert " 21:05 " in text  # a tick of the plots


@pytest.mark.parametrize("library", ["jinja2", "matplotlib"])
def test_a_missing_library_names_the_extra(monkeypatch, library):
    """Broken: `pip install .` and --report end in a traceback."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == library else real(name))
    with pytest.raises(UsageError, match=library) as caught:
        render(plain())
    assert ".[report]" in caught.value.todo


def test_a_home_that_cannot_be_written_is_no_news():
    """Broken: in a container with a read-only root, matplotlib's advice about its cache stands between JSON lines."""
    code = "from tests.support.report_story import eventful; from replay.watch.report.page import render;"
    code += "print(render(eventful()).count('<svg'))"
    env = {key: value for key, value in os.environ.items() if key not in ("MPLCONFIGDIR", "XDG_CONFIG_HOME")}
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**env, "HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none"},
        cwd=Path(__file__).parents[4],
    )
    assert (told.stdout, told.stderr) == ("10\n", "")


def test_drawing_leaves_nothing_behind(tmp_path):
    """Broken: each machine that makes a report gets folders of matplotlib's in its user's home."""
    code = "from tests.support.report_story import eventful; from replay.watch.report.page import render;"
    code += "print(render(eventful()).count('<svg'))"
    env = {key: value for key, value in os.environ.items() if key not in ("MPLCONFIGDIR", "XDG_CONFIG_HOME")}
    env |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("XDG_CACHE_HOME", None)
    subprocess.run([sys.executable, "-c", code], check=True, env=env, cwd=Path(__file__).parents[4])
    assert list(tmp_path.iterdir()) == []


def test_the_extra_is_only_loaded_where_a_page_is_made():
    """Broken: every command waits for matplotlib, and fails where the extra is not installed."""
    code = "import sys, replay.watch.report.page, replay.watch.report.collect;"
    code += "print({'jinja2', 'matplotlib'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


# -- colours ----------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast(theme):
    """Broken: text (4.5:1) or a line of a plot (3:1) that people with weak eyes cannot make out."""
    block = re.findall(r":root \{(.*?)\}", CSS.read_text(), re.DOTALL)[theme]
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", block))
    for ground in ("page", "panel"):
        for name in ("ink", "quiet", "good", "bad", "open", "plot-outage", "plot-pause", "plot-resume"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for name in ("plot-1", "plot-2", "plot-3", "bar"):
        assert contrast(colours[name], colours["page"]) >= 3, name
    assert contrast(colours["bar"], colours["bar-back"]) >= 3
