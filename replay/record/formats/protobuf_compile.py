"""The text of a Protobuf schema to descriptors, by protoc as grpcio-tools has it. Editions, proto3 and proto2.

protoc is a program of its own here: it runs in a folder that is gone afterwards, and what it complains about is told by
line and column. It finds the references by their names, and `google/protobuf/*`, `google/type/*` and
`confluent/meta.proto`; nothing else, for a registry would not find it either (Confluent's knows these files by heart:
ProtobufSchema.java).
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from replay.errors import UsageError, install_extra
from replay.record.formats.base import Reference

_WHERE = "--schema"
_FILE = "replay-schema.proto"
_TIMEOUT_S = 60
_PACKAGES = {"google.protobuf": "protobuf", "grpc_tools": "grpcio-tools", "google.type": "googleapis-common-protos"}
_PROBLEM = re.compile(r"(?P<file>[^:]+\.proto)(?::(?P<line>\d+):(?P<column>\d+))?: (?P<what>.*)")
_PROBLEMS_SHOWN = 3


_CONFLUENT_META = """\
syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Rule { string name = 1; string doc = 2; string expr = 3; string sql = 4; }
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; repeated Rule rules = 4; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
"""
_BUILT_IN = {"confluent/meta.proto": _CONFLUENT_META}
"""What a registry knows, and no package of ours brings: tags of fields are options of this kind."""


def require_packages() -> None:
    """Raises `UsageError` where a package that this format cannot do without is missing."""
    missing = [package for module, package in _PACKAGES.items() if not _is_there(module)]
    if missing:
        raise UsageError(
            f"Protobuf needs the package {missing[0]}, which is not installed",
            where="--format",
            todo=install_extra("protobuf"),
        )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is in
        return False


@lru_cache(maxsize=16)
def compiled(text: str, references: tuple[Reference, ...] = ()) -> Any:
    """The `FileDescriptor` of a schema, in a pool of its own. Raises `UsageError` for a text that is none."""
    require_packages()
    from google.protobuf import descriptor_pb2, descriptor_pool  # noqa: PLC0415 - an extra

    pool = descriptor_pool.DescriptorPool()
    try:
        for file in descriptor_pb2.FileDescriptorSet.FromString(_run_protoc(text, references)).file:
            pool.Add(file)
    except TypeError as error:  # what protoc lets pass and the library does not
        raise _not_a_schema(str(error)) from None
    return pool.FindFileByName(_FILE)


def found(file: Any, message: str | None) -> Any:
    """The `Descriptor` of this message (by its full name, or its name in the file), or of the first one."""
    messages = {one.full_name: one for one in _all_of(_in_order(file))}
    if not messages:
        raise _not_a_schema("it has no message")
    if message is None:
        return next(iter(messages.values()))
    for name in (message, f"{file.package}.{message}"):
        if name in messages:
            return messages[name]
    raise UsageError(
        f"there is no message {message!r} in it, only: {', '.join(messages)}", where=_WHERE, todo="name one of these"
    )


def message_indexes(descriptor: Any) -> tuple[int, ...]:
    """The path of a message in its file: its number among those beside it, from outside to inside.

    Messages that protoc makes of maps do not count, as for Confluent's registry, which never sees them.
    """
    outer = descriptor.containing_type
    beside = _in_order(descriptor.file) if outer is None else _declared(outer.nested_types)
    own = [one.full_name for one in beside].index(descriptor.full_name)
    return (*(message_indexes(outer) if outer is not None else ()), own)


def _in_order(file: Any) -> list[Any]:
    return list(file.message_types_by_name.values())


def _declared(messages: Sequence[Any]) -> list[Any]:
    return [message for message in messages if not message.GetOptions().map_entry]


def _all_of(messages: Sequence[Any]) -> Iterator[Any]:
    for message in messages:
        yield message
        yield from _all_of(_declared(message.nested_types))


# -- protoc -----------------------------------------------------------------------------------------------


def _run_protoc(text: str, references: tuple[Reference, ...]) -> bytes:
    """A serialized `FileDescriptorSet`: the schema and all it imports, each behind what it imports itself."""
    with TemporaryDirectory(prefix="replay-") as folder:
        root = Path(folder)
        for name, content in {**_BUILT_IN, **{reference.name: reference.text for reference in references}}.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or name == _FILE:
                raise _not_a_schema(f"a reference cannot be named {name!r}")
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(content, "utf-8")
        (root / _FILE).write_text(text, "utf-8")
        # -P: what lies in the folder is no Python
        command = [sys.executable, "-P", "-m", "grpc_tools.protoc", "-I.", *_google_types()]
        command += ["--include_imports", "--descriptor_set_out=descriptors", _FILE]
        ran = subprocess.run(
            command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
        if ran.returncode:
            raise _not_a_schema(_problems(ran.stderr.decode(errors="replace")))
        return (root / "descriptors").read_bytes()


def _google_types() -> list[str]:
    spec = find_spec("google.type")
    return [f"-Igoogle/type={path}" for path in (spec.submodule_search_locations or ())] if spec else []


def _problems(output: str) -> str:
    problems = [match for match in map(_PROBLEM.fullmatch, output.splitlines()) if match]
    told = [_told(problem) for problem in problems if not problem["what"].startswith("warning: ")]
    if not told:
        return "protoc takes it for none, and does not say why"
    more = f" (and {len(told) - _PROBLEMS_SHOWN} more)" if len(told) > _PROBLEMS_SHOWN else ""
    return "; ".join(told[:_PROBLEMS_SHOWN]) + more


def _told(problem: re.Match[str]) -> str:
    name = PurePosixPath(problem["file"]).as_posix().removeprefix("./")
    place = [] if name == _FILE else [name]
    if problem["line"]:
        place.append(f"line {problem['line']}, column {problem['column']}")
    return f"{', '.join(place)}: {problem['what']}" if place else problem["what"]


def _not_a_schema(why: str) -> UsageError:
    return UsageError(f"this is no Protobuf schema: {why}", where=_WHERE, todo="correct its text")
