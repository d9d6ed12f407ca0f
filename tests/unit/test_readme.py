"""The READMEs: short where they have to be, links that lead somewhere, tables that agree with the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from replay.errors import ExitCode
from tests.fault.caught_by import CAUGHT_BY
from tests.support.broken_builds import BREAKS
from tests.support.module_map import BEGIN, END, render
from tests.support.process import ROOT

READMES = sorted(
    path
    for folder in (ROOT, ROOT / ".github", *(ROOT / name for name in ("cron", "data", "replay", "tests")))
    for path in (folder.glob("*.md") if folder in {ROOT, ROOT / ".github"} else folder.rglob("*.md"))
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
LINES_MAX = 200


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    """The text without what is fenced."""
    return re.sub(r"^ *```.*?^ *```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """What the headings of a page are called in links, as GitHub makes it of them."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_first_page_stays_short() -> None:
    """Broken: it grows by a line a week, until no newcomer finishes it."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= LINES_MAX


@pytest.mark.parametrize("path", READMES, ids=name)
def test_every_link_leads_somewhere(path: Path) -> None:
    """Broken: a page was moved or a heading renamed, and readers meet a 404."""
    for link in LINK.findall(prose(path)):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def test_from_the_first_page_a_reader_reaches_every_other() -> None:
    """Broken: a page that nobody finds."""
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            links = [link.partition("#")[0] for link in LINK.findall(prose(page)) if not link.startswith("https://")]
            waiting += [(page.parent / link).resolve() for link in links if link.endswith(".md")]
    assert seen == set(READMES)


def test_the_exit_codes_are_those_of_the_code() -> None:
    """Broken: somebody's script acts on a number that means something else."""
    table = (ROOT / "README.md").read_text().partition("## Exit codes\n")[2].partition("\n## ")[0]
    codes = [int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(",")]
    assert codes == sorted({int(code) for code in ExitCode})


def test_the_map_names_every_module_and_no_other() -> None:
    """Broken: a newcomer looks for a module that is gone, or never hears of a new one."""
    text = (ROOT / "replay/README.md").read_text().partition(BEGIN)[2].partition(END)[0]
    assert text.strip() == render().strip(), "run: .venv/bin/python -m tests.support.module_map"


@pytest.mark.parametrize("path", READMES, ids=name)
def test_what_is_shown_of_a_job_file_is_toml(path: Path) -> None:
    """Broken: somebody copies the example, and replay says that this is not TOML."""
    for text in re.findall(r"^```toml\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL):
        assert tomllib.loads(text)


def test_nothing_tells_users_to_install_a_strangers_project() -> None:
    """Broken: `pip install parquet-replay[…]` before it is published, or the old name, installs what others wrote."""
    for path in READMES:
        assert not re.search(r"pip install (?!-)\S*replay", path.read_text()), path


@pytest.mark.parametrize("path", READMES, ids=name)
def test_every_file_that_a_page_names_is_there(path: Path) -> None:
    """Broken: a module was moved, and the page sends its readers to where it was."""
    for named in re.findall(r"`((?:replay|tests|cron|data|\.github|\.ci)/[\w./@-]*)", prose(path)):
        assert (ROOT / named).exists(), named


def test_the_calls_on_a_records_path_are_where_the_page_says() -> None:
    """Broken: a newcomer follows a record through the code, and the trail ends."""
    found = re.findall(
        r"^\|[^|]*\| `\w+\.(\w+)` \| `([\w/.]+)` \|$", (ROOT / "replay/README.md").read_text(), re.MULTILINE
    )
    assert len(found) == 6
    for method, module in found:
        assert f"    def {method}(" in (ROOT / module).read_text(), (method, module)


def test_the_table_of_faults_names_every_break() -> None:
    """Broken: a break is gone or new, and the page says that all of them are caught."""
    text = (ROOT / "tests/README.md").read_text()
    table = text.partition("## Broken builds")[2].partition("\n| fault ")[2]
    assert set(re.findall(r"`([\w-]+)`", table)) == set(BREAKS)
    assert f"({len(BREAKS)} breaks, {sum(map(len, CAUGHT_BY.values()))} failures" in text
