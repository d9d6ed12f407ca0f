"""Dashboard and alert rules under cron/: they ask for names that are exported, and alarm when they should."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from replay.watch.run import RunOutcome
from tests.support.process import ROOT
from tests.unit.watch.metrics.test_export import Scraped, exported_names, full_tally

DASHBOARD = json.loads((ROOT / "cron" / "grafana-dashboard.json").read_text())
RULES = [
    rule for group in yaml.safe_load((ROOT / "cron" / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
LABELS = {"replay_job", "date", "le", "reason"}

WITHOUT_PANEL = {
    "replay_build_info",  # its labels are the dashboard's variables
    "replay_updated_timestamp_seconds",  # for an alert
    "replay_outages_total",  # their length is shown
    "replay_producer_queue_bytes",  # the records are
}


def dashboard_expressions() -> list[tuple[str, str]]:
    asked = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return asked + [(each["name"], each["expr"]) for each in DASHBOARD["annotations"]["list"]]


EXPRESSIONS = dashboard_expressions() + [(rule["alert"], rule["expr"]) for rule in RULES]


def parsed(expression: str) -> Any:
    """Grafana puts values in for its variables; the parser knows none of them."""
    return promql_parser.parse(expression.replace("$__rate_interval", "1m"))


def selectors(node: Any) -> Iterator[Any]:
    """Every selector of a metric in the expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "param", "vector_selector", "args"):
        part = getattr(node, name, None)
        for each in part if isinstance(part, list) else [part]:
            if each is not None:
                yield from selectors(each)


def groupings(expression: str) -> set[str]:
    return {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", expression) for label in labels.split(",")}


def names(expressions: list[tuple[str, str]]) -> set[str]:
    return {selector.name for _, expression in expressions for selector in selectors(parsed(expression))}


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS, ids=lambda text: text[:40])
def test_every_expression_is_valid_and_asks_for_what_is_exported(title, expression):
    """Broken: a panel stays empty, or an alert never fires, and nobody notices before the night it is needed."""
    found = list(selectors(parsed(expression)))
    assert found, title
    assert {each.name for each in found} <= exported_names()
    assert groupings(expression) <= LABELS


UNKNOWN_TO_THE_MODEL = {
    ".annotations.list[0].titleFormat",  # of annotations from Prometheus, which the model has no class for
    ".annotations.list[0].textFormat",
    ".templating.list[1].definition",  # a copy of the query, as Grafana exports it
    ".templating.list[2].definition",
}


def as_grafana_reads_it(dashboard: dict[str, Any]) -> Any:
    """Loaded into Grafana's own model of a dashboard and its panels, and written again."""
    register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(copy.deepcopy(dashboard))))


def lost(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """Places of what is in one and not, or not the same, in the other."""
    if isinstance(before, dict):
        for name, value in before.items():
            if isinstance(after, dict) and name in after:
                yield from lost(value, after[name], f"{place}.{name}")
            else:
                yield f"{place}.{name}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from lost(*pair, f"{place}[{number}]")
    elif before != after:
        yield place


def test_grafana_knows_every_field_of_the_dashboard():
    """Broken: a field has a name that Grafana does not know, or stands at the wrong place: it is ignored, and the panel
    shows something else than was meant."""
    assert set(lost(DASHBOARD, as_grafana_reads_it(DASHBOARD))) == UNKNOWN_TO_THE_MODEL


@pytest.mark.parametrize("name", ["reduceOptions", "fieldConfig", "legendFormat", "gridPos", "allValue"])
def test_a_misspelled_field_is_noticed(name):
    """Broken: the test above would pass whatever the dashboard holds."""
    text = json.dumps(DASHBOARD)
    assert f'"{name}"' in text
    wrong = json.loads(text.replace(f'"{name}"', f'"{name}s"'))
    assert any(place.endswith(f".{name}s") for place in lost(wrong, as_grafana_reads_it(wrong)))


def test_what_is_exported_is_shown():
    """Broken: a metric is added, and no panel tells of it."""
    shown = names(dashboard_expressions())
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported_names()}
    assert families - {name.removesuffix("_bucket") for name in shown} == WITHOUT_PANEL


def test_the_variables_ask_for_what_is_exported():
    """Broken: the choice of jobs is empty, and with it the whole dashboard."""
    queries = [each["definition"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    asked = [re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", query) for query in queries]
    assert [(match and match[1] in exported_names(), match and match[2]) for match in asked] == [
        (True, "replay_job"),
        (True, "date"),
    ]


def test_no_panel_hides_another():
    """Broken: Grafana moves or hides panels that overlap or share an id."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23, "Grafana's grid is 24 wide"
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}


def test_alerts_say_what_to_do_with_labels_that_they_have():
    """Broken: "<no value> has failed" in the middle of the night."""
    for rule in RULES:
        texts = " ".join(rule["annotations"].values())
        used = set(re.findall(r"\$labels\.(\w+)", texts))
        has = groupings(rule["expr"]) - {"le"} or {"replay_job", "date", "reason"}
        assert used <= has, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "action"}
        assert rule["labels"]["severity"] in ("critical", "warning")


def promtool(*arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("promtool")
    if program is None:
        if os.environ.get("REPLAY_TEST_PROMTOOL") == "required":
            pytest.fail("promtool is missing (Debian's package prometheus)")
        pytest.skip("promtool is missing (Debian's package prometheus)")
    return subprocess.run([program, *arguments], cwd=ROOT, input=given, capture_output=True, timeout=60, check=False)


def test_the_alerts_fire_when_they_should_and_not_before():
    """Broken: a failed, killed or missed night alarms nobody, or a good one does."""
    done = promtool("test", "rules", "tests/data/alerts_promtool.yml")
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    tested = (ROOT / "tests" / "data" / "alerts_promtool.yml").read_text()
    assert all(f"alertname: {rule['alert']}\n" in tested for rule in RULES)


def test_prometheus_accepts_rules_and_metrics():
    """Broken: Prometheus refuses to start with the rules, or drops a scrape."""
    rules = promtool("check", "rules", "cron/alerts.yml")
    assert rules.returncode == 0, rules.stdout.decode() + rules.stderr.decode()
    scraped = Scraped()
    scraped.show(full_tally())
    scraped.metrics.close(RunOutcome(0, "done"))
    metrics = promtool("check", "metrics", given=scraped.exporter.text())
    assert metrics.returncode == 0, metrics.stdout.decode() + metrics.stderr.decode()
