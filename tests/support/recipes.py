"""The recipes of cron/README.md, as job files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.process import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping


def recipes() -> list[str]:
    """Every block of TOML under "Secured clusters", in order."""
    section = (ROOT / "cron" / "README.md").read_text().partition("## Secured clusters\n")[2].partition("\n## ")[0]
    return re.findall(r"^```toml\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def recipe(method: str, values: Mapping[str, str], bootstrap_servers: str, *more: str) -> str:
    """The recipe of that `security`, with other values for its keys (each must be there), as a whole job file."""
    (text,) = [text for text in recipes() if f'security = "{method}"' in text]
    for key, value in values.items():
        text, count = re.subn(rf'^{key} = ".*"$', f'{key} = "{value}"', text, flags=re.MULTILINE)
        assert count == 1, f"{key} is not in the recipe of {method}"
    return "\n".join([text, "[kafka]", f'"bootstrap.servers" = "{bootstrap_servers}"', *more, ""])
