"""The map of the code in `replay/README.md`, made of the first sentence of each module's docstring.

    .venv/bin/python -m tests.support.module_map

A module that is new, renamed or gone changes the map; `tests/unit/test_readme.py` says when to run this.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support.process import ROOT

PACKAGE = ROOT / "replay"
README = PACKAGE / "README.md"
FOLDERS = (
    "api",
    "cli",
    "nightly",
    "watch",
    "verify",
    "delivery",
    "source",
    "registry",
    "record",
    "kafka",
    "checkpoint",
)
"""From the top layer to the bottom: each imports from those below it only."""
BEGIN, END = "<!-- map: made by tests/support/module_map.py -->\n", "<!-- end of the map -->\n"


def _said(path: Path) -> tuple[str, bool]:
    """The first sentence of a module's docstring, and whether its first paragraph says that the module is pure."""
    paragraph = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=[.?!:])\s+(?=[A-Z`])", paragraph)[0].rstrip(".:"), bool(
        re.search(r"\bPure\b(?!,? but)", paragraph)
    )


def _table(modules: list[Path], folder: Path) -> str:
    lines = []
    for path in modules:
        sentence, is_pure = _said(path)
        text = sentence.replace("|", "\\|")
        lines.append(f"| `{path.relative_to(folder)}` | {text} | {'pure' if is_pure else ''} |\n")
    return "| module | holds | |\n|---|---|---|\n" + "".join(lines)


def _modules(folder: Path) -> list[Path]:
    """Those at the top of the folder first, then those of each folder in it."""
    found = (path for path in folder.rglob("*.py") if path.name != "__init__.py")
    return sorted(found, key=lambda path: (path.parent, path.name))


def render() -> str:
    """The map as Markdown: a line for each folder, then one for each module."""
    folders = {name: PACKAGE / name for name in FOLDERS}
    overview = [f"| `{name}/` | {_said(folder / '__init__.py')[0]} |\n" for name, folder in folders.items()]
    overview.append("| `*.py` | the ground: light, and known to all |\n")
    tables = {f"{name}/": _table(_modules(folder), folder) for name, folder in folders.items()}
    tables["The ground"] = _table(sorted(PACKAGE.glob("*.py")), PACKAGE)
    modules = "\n".join(f"**{title}**\n\n{table}" for title, table in tables.items())
    return (
        f"| folder | holds |\n|---|---|\n{''.join(overview)}\n"
        f"<details>\n<summary>Every module, one line each</summary>\n\n{modules}\n</details>\n"
    )


def main() -> None:
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{render()}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
