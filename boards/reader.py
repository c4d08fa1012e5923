"""From the tables of a TOML file to a ``Board``, with every problem of the file told at once.

The dataclasses of ``model`` are the schema: their field names, types and defaults say which keys there are, what each
holds and which may be left out.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from . import microcontroller
from .lines import Path
from .model import NAME, REQUIRED, TRIPLE, Board, Compiler, Figure, Fpga

SCHEMA = 1
"""The version of the schema that this package reads; a file says its own with ``schema = 1``."""

HOST = "host"
"""The name that stands for the machine itself, which no file may take."""

Table = TypeVar("Table")

KIND_NEEDS = {
    "fpga": ("fpga",), "gpu": ("gpu", "compiler"), "mcu": ("cores", "regions"), "cpu": ("cores", "compiler"),
    "phone": ("cores", "compiler"),
}  # fmt: skip
"""The tables that a board of each kind must have."""

PATTERNS = {
    NAME: "lower case words joined by dashes, like 'pynq-z2'",
    TRIPLE: "an LLVM target triple, like 'aarch64-linux-gnu'",
}
"""What the patterns of the schema ask for, in words; any other asks for a text without blanks."""

FEATURE = r"[+-][a-z0-9][a-z0-9._-]*"
CUDA_ARCH = r"sm_[0-9]+[a-z]?"
WIDEST_VECTOR_BITS = 65536
"""The longest vector registers of any instruction set, those of RISC-V."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file: the key, what was expected and got, what to try."""

    path: Path
    what: str
    hint: str = ""


def board_from(document: Mapping[str, object]) -> tuple[Board | None, tuple[Problem, ...]]:
    """Read the tables that tomllib gave; the board is None when there are problems."""
    reader = _Reader(document.get("sources"))
    reader.envelope(document)
    body = {key: value for key, value in document.items() if key not in ("schema", "sources")}
    board = reader.table(Board, body, ())
    reader.problems += _missing(document)
    if board is not None:
        reader.problems += _contradictions(board)
    return (None if reader.problems else board), tuple(reader.problems)


class _Reader:
    """Walks the tables beside the dataclasses; each method gives the value, or None after noting a problem."""

    def __init__(self, sources: object) -> None:
        self.problems: list[Problem] = []
        self.sources = sources if isinstance(sources, dict) else {}

    def wrong(self, path: Path, what: str, hint: str = "") -> None:
        self.problems.append(Problem(path, what, hint))

    def expected(self, path: Path, what: str, got: object) -> None:
        self.wrong(path, f"expected {what}, got {_show(got)}")

    def envelope(self, document: Mapping[str, object]) -> None:
        """Check what a file says of itself: the version of the schema, and the legend of its sources."""
        version = document.get("schema")
        if version != SCHEMA or isinstance(version, bool):
            got = _show(version) if version is not None else "nothing"
            self.wrong(("schema",), f"expected {SCHEMA}, got {got}", f"write schema = {SCHEMA} at the top of the file")
        legend = document.get("sources", {})
        if not isinstance(legend, dict):
            self.expected(("sources",), 'a table of texts, like hls = "Vivado report of ..."', legend)
            return
        for key, text in legend.items():
            if not isinstance(text, str) or not text.strip():
                self.expected(("sources", key), "a text that says where the figures come from", text)

    def table(self, schema: type[Table], got: object, path: Path) -> Table | None:
        """Read one table into the dataclass ``schema``."""
        if not isinstance(got, dict):
            self.expected(path, "a table", got)
            return None
        before = len(self.problems)
        known = _columns(schema)
        self.unknown_keys(got, known, path)
        values: dict[str, object] = {}
        for name, (column, hint) in known.items():
            if name in got:
                values[name] = self.column(column, hint, got[name], (*path, name))
            elif column.default is MISSING:
                self.wrong((*path, name), f"missing: expected {_describe(hint)}")
        return schema(**values) if len(self.problems) == before else None

    def unknown_keys(self, got: Mapping[str, object], known: Iterable[str], path: Path) -> None:
        known = [*known, *([] if path else ["schema", "sources"])]
        for key in got:
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
                self.wrong((*path, key), "unknown key", hint)

    def column(self, column: "Field[object]", hint: object, got: object, path: Path) -> object:
        value = self.value(hint, got, path)
        pattern = column.metadata.get("pattern")
        if pattern and isinstance(value, str) and not re.fullmatch(pattern, value):
            self.expected(path, PATTERNS.get(pattern, "no blanks"), value)
        return value

    def value(self, hint: object, got: object, path: Path) -> object:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (UnionType, Union):
            return self.value(next(each for each in arguments if each is not NoneType), got, path)
        if origin is tuple:
            return self.array(arguments[0], got, path)
        if origin is Literal:
            return self.choice(arguments, got, path)
        if origin is Figure:
            return self.figure(arguments[0], got, path)
        if isinstance(hint, type) and is_dataclass(hint):
            return self.table(hint, got, path)
        return self.plain(hint, got, path)

    def array(self, hint: object, got: object, path: Path) -> tuple[object, ...] | None:
        if not isinstance(got, list):
            self.expected(path, f"an array of {_describe(hint)}", got)
            return None
        return tuple(self.value(hint, each, (*path, index)) for index, each in enumerate(got))

    def choice(self, choices: tuple[str, ...], got: object, path: Path) -> object:
        if got in choices:
            return got
        close = get_close_matches(got, choices, n=1) if isinstance(got, str) else []
        hint = f"did you mean {close[0]!r}?" if close else ""
        self.wrong(path, f"expected one of {', '.join(choices)}, got {_show(got)}", hint)
        return None

    def plain(self, hint: object, got: object, path: Path) -> object:
        """Read a text, a truth value, or a whole number that is not a figure (an address, a level)."""
        if hint is str and isinstance(got, str) and got.strip():
            return got
        if hint is bool and isinstance(got, bool):
            return got
        if hint is int and isinstance(got, int) and not isinstance(got, bool) and got >= 0:
            return got
        self.expected(path, _describe(hint), got)
        return None

    def figure(self, number: object, got: object, path: Path) -> object:
        """Read ``{ value, source, verified }``: the number is positive and finite, the source a key of the legend."""
        if not isinstance(got, dict):
            self.wrong(path, f"expected a figure, got {_show(got)}", 'write { value = ..., source = "..." }')
            return None
        before = len(self.problems)
        self.unknown_keys(got, ("value", "source", "verified"), path)
        for key in ("value", "source"):
            if key not in got:
                self.wrong((*path, key), f"missing: a figure has a {key}")
        value, source, verified = got.get("value", 1), got.get("source"), got.get("verified", True)
        if not _positive(number, value):
            self.expected((*path, "value"), "a positive whole number" if number is int else "a positive number", value)
        if not isinstance(verified, bool):
            self.expected((*path, "verified"), "true or false", verified)
        text = self.source(source, (*path, "source")) if "source" in got else None
        if text is None or len(self.problems) > before:
            return None
        return Figure(value, text, bool(verified))

    def source(self, key: object, path: Path) -> str | None:
        if isinstance(key, str) and isinstance(self.sources.get(key), str):
            return str(self.sources[key])
        close = get_close_matches(key, self.sources, n=1) if isinstance(key, str) else []
        hint = f"did you mean {close[0]!r}?" if close else 'name it in the table [sources], like hls = "Vivado report"'
        self.wrong(path, f"expected a key of [sources], got {_show(key)}", hint)
        return None


def _positive(number: object, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if number is int else (int, float)):
        return False
    return math.isfinite(value) and value > 0


_Columns = dict[str, tuple["Field[object]", object]]
_COLUMNS: dict[type, _Columns] = {}  # get_type_hints is slow, and each dataclass is asked for many times a file


def _columns(schema: type) -> _Columns:
    if schema not in _COLUMNS:
        hints = get_type_hints(schema)
        _COLUMNS[schema] = {each.name: (each, hints[each.name]) for each in fields(schema)}
    return _COLUMNS[schema]


def _describe(hint: object) -> str:
    """Say in words what a type asks for."""
    arguments = get_args(hint)
    match get_origin(hint):
        case None:
            names = {str: "a text", bool: "true or false", int: "a whole number, 0 or more"}
            return names.get(hint, "a table") if isinstance(hint, type) else "a table"
        case origin if origin is Literal:
            return f"one of {', '.join(arguments)}"
        case origin if origin is Figure:
            return 'a figure like { value = 100, source = "..." }'
        case origin if origin is tuple:
            return "an array"
        case _:
            return _describe(arguments[0])


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _missing(document: Mapping[str, object]) -> Iterable[Problem]:
    """Find what the kind of board or the vendor of the device asks for; told even where other keys are wrong."""
    kind, fpga = document.get("kind"), document.get("fpga")
    for table in KIND_NEEDS.get(kind, ()) if isinstance(kind, str) else ():
        if not document.get(table):
            yield Problem((table,), f"missing: a board of kind {kind!r} has it")
    resources = fpga.get("resources") if isinstance(fpga, dict) else None
    if isinstance(fpga, dict) and isinstance(resources, dict):
        for vendor, names in REQUIRED.items():
            for name in (name for name in names if fpga.get("vendor") == vendor and name not in resources):
                yield Problem(("fpga", "resources", name), f"missing: a device of {vendor} has it")


def _contradictions(board: Board) -> list[Problem]:
    """Find what is well formed and yet cannot be."""
    return [
        *_name_problems(board),
        *(_fpga_problems(board.fpga) if board.fpga else ()),
        *_cache_problems(board),
        *(_compiler_problems(board.kind, board.compiler) if board.compiler else ()),
        *(Problem(*told) for told in (microcontroller.problems(board) if board.kind == "mcu" else ())),
    ]


def _name_problems(board: Board) -> Iterable[Problem]:
    if board.name == HOST:
        yield Problem(("name",), f"the name {HOST!r} stands for the machine itself", "choose another name")
    if board.fpga and board.kind != "fpga":
        yield Problem(("fpga",), f"a board of kind {board.kind!r} has no such table", 'write kind = "fpga"')


def _fpga_problems(fpga: Fpga) -> Iterable[Problem]:
    clock = fpga.clock
    low, high = clock.lowest_mhz or clock.default_mhz, clock.highest_mhz or clock.default_mhz
    if not low.value <= clock.default_mhz.value <= high.value:
        what = f"expected a clock between {low.value} and {high.value} MHz, got {clock.default_mhz.value}"
        yield Problem(("fpga", "clock", "default_mhz"), what)
    if fpga.vendor == "AMD" and fpga.speed_grade and fpga.speed_grade not in fpga.part:
        what = f"the part {fpga.part!r} does not have the speed grade {fpga.speed_grade!r}"
        yield Problem(("fpga", "speed_grade"), what)
    tools = [each.tool for each in fpga.tool_parts]
    for index, tool in enumerate(tools):
        if tool in tools[:index] or tool not in fpga.hls:
            what = f"{tool!r} is " + ("given twice" if tool in tools[:index] else "not one of the tools in hls")
            yield Problem(("fpga", "tool_parts", index, "tool"), what)


def _cache_problems(board: Board) -> Iterable[Problem]:
    names = [core.name for core in board.cores]
    for index, each in enumerate(board.caches):
        if each.cores is not None and each.cores not in names:
            what = f"expected the name of one of the cores ({', '.join(names) or 'none'}), got {each.cores!r}"
            yield Problem(("caches", index, "cores"), what)


def _compiler_problems(kind: str, compiler: Compiler) -> Iterable[Problem]:
    graphics = compiler.kind not in ("llvm", "c")
    if graphics != (kind == "gpu") or (kind == "mcu") != (compiler.kind == "c"):
        expected = {"gpu": "cuda, opencl, metal or webgpu", "mcu": "c"}.get(kind, "llvm")
        hint = "the graphics processor of a machine is a board of its own, of kind 'gpu'" if kind != "gpu" else ""
        what = f"expected {expected} on a board of kind {kind!r}, got {compiler.kind!r}"
        yield Problem(("compiler", "kind"), what, hint)
    cuda = compiler.kind == "cuda"
    if not re.fullmatch(CUDA_ARCH if cuda else "", compiler.arch):
        expected = "CUDA's name of the device, like 'sm_87'" if cuda else "nothing, as this is not CUDA"
        yield Problem(("compiler", "arch"), f"expected {expected}, got {_show(compiler.arch)}")
    bits = compiler.vector_bits
    if bits and not (64 <= bits <= WIDEST_VECTOR_BITS and bits.bit_count() == 1):
        what = f"expected 0 or a power of two from 64 to {WIDEST_VECTOR_BITS}, got {bits}"
        yield Problem(("compiler", "vector_bits"), what)
    names = [word[1:] for word in compiler.features]
    for index, word in enumerate(compiler.features):
        if not re.fullmatch(FEATURE, word):
            hint = f"did you mean '+{word}'?" if re.fullmatch(FEATURE, f"+{word}") else ""
            what = f"expected a feature of LLVM with its sign, like '+dotprod', got {_show(word)}"
            yield Problem(("compiler", "features", index), what, hint)
        elif names[index] in names[:index]:
            yield Problem(("compiler", "features", index), f"{names[index]!r} is given twice")
