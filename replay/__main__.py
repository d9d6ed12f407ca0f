"""`python -m replay` and the `replay` command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

from replay import secrets, signals


class _WithoutPandas(MetaPathFinder):
    """pyarrow imports pandas for its first array, wherever that is installed: 0.25 s and 50 MiB, and nothing here needs
    it. It takes a failed import for "not installed"."""

    def find_spec(self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("replay does without pandas", name=fullname)


def main() -> None:
    signals.leave()
    if os.environ.pop(secrets.ARGUMENTS, "") == secrets.ON_STDIN:
        sys.argv[1:] = json.load(sys.stdin)  # the command line has them masked
    sys.meta_path.insert(0, _WithoutPandas())
    from replay.cli.app import main as run  # noqa: PLC0415 - signals come first, also in imports

    run()


if __name__ == "__main__":
    main()
