"""The boards that ship with the package, the user's own files, and the machine itself."""

import os
import re
import tomllib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from ..graph.errors import FileError, GatewrightError, ManyErrors, OptionError, unknown
from .host import host
from .lines import key_lines, line_of
from .model import Board
from .reader import HOST, Problem, board_from

LARGEST_BYTES = 1 << 20
"""A board file is a page of text; what is larger is something else."""


def load(name_or_path: str | os.PathLike[str]) -> Board:
    """Give the board of that name, or read the user's own file.

    What ends in ``.toml`` or has a path separator in it is a file; ``host`` is the machine that this runs on.

    Raises:
        OptionError: there is no board of that name (with the near miss), or a key of the file is wrong.
        FileError: the file cannot be read or is not TOML.
        ManyErrors: the file has several problems; each names file, line and key.

    """
    name = os.fspath(name_or_path)
    if name.lower().endswith(".toml") or any(mark and mark in name for mark in (os.sep, os.altsep)):
        return _read_file(Path(name))
    if name not in names():
        raise unknown("board", name, names())
    return host() if name == HOST else _shipped(name)


def names() -> list[str]:
    """Give the names that ``load`` knows, sorted, ``host`` among them."""
    return sorted((*_resources(), HOST))


def boards() -> dict[str, Board]:
    """Give every board that ``load`` knows, by its name."""
    return {name: load(name) for name in names()}


@cache
def _resources() -> dict[str, Traversable]:
    """Give the shipped files by the name of their board; they are listed once a process."""
    entries = (files(__package__) / "data").iterdir()
    return {entry.name.removesuffix(".toml"): entry for entry in entries if entry.name.endswith(".toml")}


@cache
def _shipped(name: str) -> Board:
    return parse(_resources()[name].read_text(encoding="utf-8"), where=f"boards/data/{name}.toml")


def _read_file(path: Path) -> Board:
    where = str(path)
    try:
        if not path.exists():
            raise FileError("there is no such file", where=where, hint="a shipped board is named without .toml")
        if not path.is_file():
            raise FileError("expected a TOML file, got something else", where=where)
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as problem:
        raise FileError(f"cannot be read: {problem}", where=where) from problem
    if len(content) > LARGEST_BYTES:
        raise FileError(f"expected a board file, got more than {LARGEST_BYTES >> 10} KiB", where=where)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise FileError("is not UTF-8 text", where=f"{where}:{line}") from problem
    return parse(text, where=where)


def parse(text: str, *, where: str) -> Board:
    """Read the board that ``text`` describes; ``where`` is the file's name for the messages.

    Raises as ``load`` does.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError as problem:
        raise FileError("is nested too deep to be a board file", where=where) from problem
    except ValueError as problem:
        raise _syntax_error(str(problem), text, where) from problem
    board, problems = board_from(document)
    if board is None:
        raise _schema_error(problems, text, where)
    return board


def _syntax_error(message: str, text: str, where: str) -> FileError:
    found = re.search(r"\(at line (\d+), column \d+\)", message)
    line = int(found[1]) if found else text.count("\n") + 1 if "end of document" in message else 0
    return FileError(f"is not TOML: {message}", where=f"{where}:{line}" if line else where)


def _schema_error(problems: tuple[Problem, ...], text: str, where: str) -> GatewrightError:
    lines = key_lines(text)
    errors = sorted(((line_of(lines, each.path), each) for each in problems), key=lambda pair: pair[0])
    told = [
        OptionError(f"{_dotted(each.path)}: {each.what}", where=f"{where}:{line}", hint=each.hint)
        for line, each in errors
    ]
    return told[0] if len(told) == 1 else ManyErrors(told)


def _dotted(path: tuple[str | int, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
