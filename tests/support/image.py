"""A Dockerfile built and run without Docker: the steps are read from the file and executed in a folder as root.

Honest as far as it goes. What is real: the file as Docker's own parser reads it, the context as .dockerignore leaves
it, each RUN in a root of its own by the file's own words, COPY from the context or from a stage, ENV, WORKDIR, USER by
number, and at run time a read-only root, no capabilities, an empty /tmp and a fresh volume.
What is not: the base image (in its place stand this machine's /usr and the Python of the tests), a network of its own,
size and caching of layers, and what only an engine does: HEALTHCHECK's timing, STOPSIGNAL, labels.
A step that this module does not know is an error, never passed over.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import dockerfile
from docker.utils import exclude_paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BASE_BIN = "/base/bin"
"""Where a stage finds `python` and `pip`, as in the official Python images, whatever they are called here."""

BASE_PATH = f"{BASE_BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

BASE_ETC = (
    "default", "group", "gshadow", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "login.defs", "nsswitch.conf",
    "passwd", "pip.conf", "resolv.conf", "ssl",
)  # fmt: skip
"""What users, name look-ups and TLS need; no passwords of this machine (shadow is made empty)."""

ONLY_TOLD = ("LABEL", "STOPSIGNAL", "EXPOSE")
"""Instructions that change nothing in the file system; the tests look at them as text."""

MOUNTS = """\
set -eu
root=$1; access=$2; prefix=$3; volume=$4; user=$5; shift 5
mount --bind "$root" "$root"
for real in /usr "$prefix"; do mount --bind "$real" "$root$real"; mount -o remount,bind,ro "$root$real"; done
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
if [ "$access" = ro ]; then
  mount -o remount,bind,ro "$root"
  mount -t tmpfs -o mode=1777 none "$root/tmp"
  mount --bind "$volume" "$root/$VOLUME"
  drop="--no-new-privs --bounding-set=-all --inh-caps=-all"
fi
# shellcheck disable=SC2086
exec chroot "$root" setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups ${drop:-} "$@"
"""
"""In a mount namespace of its own, so that nothing of it is left behind or seen elsewhere."""


class CannotEmulate(Exception):
    """A step this module does not know, or a copy it cannot make: the test must not go on as if it had."""


@dataclass(slots=True)
class Stage:
    """A root folder, and what the steps so far have set."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": BASE_PATH})
    workdir: str = "/"
    user: str = "0:0"
    volume: str = ""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)

    def run(
        self, command: Sequence[str], *, volume: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One command in this root; with `volume`, as a container with a read-only root that has it mounted."""
        access = "rw" if volume is None else "ro"
        inside = self.env | {"HOME": "/root" if self.user == "0:0" else self.volume} | dict(env or {})
        settings = [f"{name}={value}" for name, value in inside.items()]
        where = [str(self.root), access, sys.base_prefix, str(volume or ""), self.user]
        inner = ["env", "-i", "-C", self.workdir, *settings, *command]
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNTS, "mounts", *where, *inner],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "VOLUME": self.volume},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def docker_run(self, *args: str, volume: Path) -> subprocess.CompletedProcess[str]:
        """As `docker run --read-only --tmpfs /tmp --volume VOLUME IMAGE ARGS`."""
        return self.run([*self.entrypoint, *(args or self.cmd)], volume=volume)


def copy_context(project: Path, folder: Path) -> list[str]:
    """What an engine would be sent: the project as .dockerignore leaves it. The relative paths of its files."""
    lines = (project / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    paths = sorted(path for path in exclude_paths(str(project), patterns) if (project / path).is_file())
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project / path, folder / path)
    return paths


def build(context: Path, folder: Path, given: Mapping[str, str]) -> Stage:
    """The last stage of the context's Dockerfile. `given` is what `--build-arg` names."""
    stages: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    stage: Stage | None = None
    for number, step in enumerate(dockerfile.parse_file(str(context / "Dockerfile"))):
        if step.cmd == "ARG" and stage is None:
            arguments |= dict(text.split("=", 1) for text in step.value)
        elif step.cmd == "FROM":
            stage = Stage(_base(folder / f"stage-{number}"))
            stages[step.value[2] if len(step.value) == 3 else str(number)] = stage
        elif stage is None:
            raise CannotEmulate(f"{step.original} before FROM")
        else:
            _apply(step, stage, stages, context, given)
    if stage is None:
        raise CannotEmulate("no FROM")
    return stage


def _apply(step: Any, stage: Stage, stages: Mapping[str, Stage], context: Path, given: Mapping[str, str]) -> None:
    value = tuple(step.value)
    match step.cmd:
        case "RUN":
            done = stage.run(["sh", "-c", value[0]], env=_pip_settings() | stage.arguments)
            if done.returncode != 0:
                raise CannotEmulate(f"line {step.start_line}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        case "COPY":
            _copy(step, stage, stages, context)
        case "WORKDIR":
            stage.workdir = value[0]
            _inside(stage, value[0]).mkdir(parents=True, exist_ok=True)
        case "ENV":
            for name, text in zip(value[::2], value[1::2], strict=True):
                stage.env[name] = Template(_unquoted(text)).substitute(stage.env)
        case "USER":
            stage.user = value[0]
        case "VOLUME":
            (stage.volume,) = value
        case "ENTRYPOINT":
            stage.entrypoint = value
        case "CMD":
            stage.cmd = value
        case "HEALTHCHECK":
            stage.healthcheck = value[1:]
        case "ARG":
            (name,) = value  # one without a default
            stage.arguments[name] = given.get(name, "")
        case "LABEL":
            pairs = zip(value[::2], value[1::2], strict=True)
            stage.labels = {name: Template(_unquoted(text)).substitute(stage.arguments) for name, text in pairs}
        case told if told not in ONLY_TOLD:
            raise CannotEmulate(f"line {step.start_line}: {step.original}")


def _copy(step: Any, stage: Stage, stages: Mapping[str, Stage], context: Path) -> None:
    *sources, target = step.value
    origin = context
    for flag in step.flags:
        name, _, text = flag.partition("=")
        if name != "--from" or text not in stages:
            raise CannotEmulate(f"line {step.start_line}: {step.original}")
        origin = stages[text].root
    for source in sources:
        found = origin / source.lstrip("/")
        into = _inside(stage, target)
        if found.is_dir():
            shutil.copytree(found, into, symlinks=True, dirs_exist_ok=True)
        elif found.is_file():
            shutil.copy2(found, into / found.name if target.endswith("/") else into)
        else:
            raise CannotEmulate(f"line {step.start_line}: {source} is not in the context")


def _inside(stage: Stage, path: str) -> Path:
    """Where a path of the image is on this machine."""
    return stage.root / str(Path("/", stage.workdir, path)).lstrip("/")


def _base(root: Path) -> Path:
    """What stands in for the base image: an empty root, with /usr and Python to be mounted, and a small /etc."""
    for name in ("dev", "proc", "usr", "opt", "root", "var/lib", "etc", BASE_BIN[1:], sys.base_prefix[1:], "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for link in ("bin", "sbin", "lib", "lib64"):
        if (Path("/") / link).is_symlink():
            (root / link).symlink_to(f"usr/{link}")
    for name in BASE_ETC:
        found = Path("/etc") / name
        if found.is_dir():
            shutil.copytree(found, root / "etc" / name, symlinks=True)
        elif found.exists():
            shutil.copy2(found, root / "etc" / name)
    (root / "etc/shadow").touch(0o600)
    python = root / BASE_BIN[1:] / "python"
    python.symlink_to(f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    pip = root / BASE_BIN[1:] / "pip"
    pip.write_text(f'#!/bin/sh\nexec {BASE_BIN}/python -m pip "$@"\n')
    pip.chmod(0o755)
    return root


def _pip_settings() -> dict[str, str]:
    """How this machine reaches its package index: not a matter of the image."""
    wanted = ("PIP_", "SSL_CERT", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    return {name: value for name, value in os.environ.items() if name.upper().startswith(wanted)}


def _unquoted(text: str) -> str:
    return text.removeprefix('"').removesuffix('"')
