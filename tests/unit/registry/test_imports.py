"""What of confluent-kafka the package takes."""

from __future__ import annotations

import ast
from pathlib import Path

import replay.registry

FOLDER = Path(replay.registry.__file__).parent


def imported(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_registry_is_all_that_is_asked_of_confluent_kafka():
    """Broken: a second module that talks to Kafka, past what kafka/ knows of deadlines and outages."""
    taken = {name for path in FOLDER.glob("*.py") for name in imported(path) if name.startswith("confluent_kafka")}
    assert taken
    assert {name for name in taken if not name.startswith("confluent_kafka.schema_registry.")} == set()


def test_options_and_settings_are_light():
    """Broken: `replay --help` would load the client, and a wrong option be refused only with the extra installed."""
    for name in ("options.py", "settings.py"):
        taken = imported(FOLDER / name)
        assert {each for each in taken if each.split(".")[0] in {"confluent_kafka", "pyarrow", "numpy"}} == set()
        assert {each for each in taken if each.startswith("replay.registry.client")} == set()
