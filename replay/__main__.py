"""`python -m replay` and the `replay` command."""

# ruff: noqa: E402 - signals come first, also in imports
from __future__ import annotations

import _signal  # type: ignore[import-not-found] # the part of `signal` for which nothing has to be imported
import os


def _leave_at_once(number: int, _: object) -> None:
    """Python's own answer to Ctrl-C is an exception, which is exit 1, or is swallowed by whoever is called back."""
    os._exit(128 + number)


# As `signals.listen` has it, which is not imported yet: where SIGHUP is ignored (nohup) it stays so.
for _number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
    if _number != _signal.SIGHUP or _signal.getsignal(_number) != _signal.SIG_IGN:
        _signal.signal(_number, _leave_at_once)

import json
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
