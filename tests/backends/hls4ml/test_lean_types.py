"""The lean fixed-point headers equal the vendor's: one program, compiled against each, must print the same lines.

``lean/cases.h`` holds the cases as C++ templates, this file draws the formats that they are instantiated with (fixed seed)
and ``lean/templates.cpp`` runs hls4ml's own layer templates. The vendor's headers are those that hls4ml ships.
"""

from __future__ import annotations

import importlib.util
import itertools
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "lean"
LEAN = Path(__file__).parents[3] / "backends" / "hls4ml" / "include"
ROUNDINGS = ("AP_TRN", "AP_TRN_ZERO", "AP_RND", "AP_RND_ZERO", "AP_RND_INF", "AP_RND_MIN_INF", "AP_RND_CONV")
OVERFLOWS = ("AP_WRAP", "AP_SAT", "AP_SAT_SYM", "AP_SAT_ZERO")
MODES = tuple(itertools.product(ROUNDINGS, OVERFLOWS))
# -DNDEBUG: the vendor's asserts stop a rounding that drops more bits than the source has, which is well defined without.
VENDOR_FLAGS = ("-w", "-fpermissive", "-DNDEBUG")
STRICT_FLAGS = ("-Wall", "-Wextra", "-Werror", "-pedantic-errors")

gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


def hls4ml_templates() -> Path:
    """The folder of hls4ml's templates, found without importing hls4ml."""
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "templates"


def vendor() -> Path:
    return hls4ml_templates() / "vivado" / "ap_types"


def build(source: Path, program: Path, *flags: str, compiler: Iterable[str] = ("g++",)) -> None:
    """Compile one C++17 file; a failure shows what the compiler said."""
    command = [*compiler, "-std=c++17", *flags, str(source), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[:4000]}"


def lines(program: Path, *arguments: str) -> list[str]:
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, check=True).stdout.splitlines()


@dataclass(frozen=True)
class Format:
    """A C++ fixed-point type; `modes` is (rounding, overflow) or, for ap_int and ap_uint, None."""

    width: int
    integer_bits: int
    signed: bool = True
    modes: tuple[str, str] | None = ("AP_TRN", "AP_WRAP")

    def __str__(self) -> str:
        if self.modes is None:
            return f"ap_{'' if self.signed else 'u'}int<{self.width}>"
        return f"ap_{'' if self.signed else 'u'}fixed<{self.width},{self.integer_bits},{','.join(self.modes)}>"

    def with_modes(self, modes: tuple[str, str]) -> Format:
        return Format(self.width, self.integer_bits, self.signed, modes)


def integer(width: int, signed: bool = True) -> Format:
    return Format(width, width, signed, None)


def case(kind: str, *formats: Format) -> str:
    """The C++ statement that runs one case, under a name that can be read."""
    types = ", ".join(str(f) for f in formats)
    return f'{kind}<{types}>("{kind} {types}");'


def compare(cases: list[str], folder: Path, *lean_flags: str) -> None:
    """Both headers print the same lines for the cases, one each; a difference is shown down to the operation."""
    assert len(cases) == len(set(cases))
    source = folder / "generated.cpp"
    source.write_text('#include "cases.h"\n\nvoid all_cases() {\n    ' + "\n    ".join(cases) + "\n}\n")
    lean_program, vendor_program = folder / "lean", folder / "vendor"
    build(source, lean_program, "-O1", *(lean_flags or STRICT_FLAGS), f"-I{LEAN}", f"-I{HERE}")
    build(source, vendor_program, "-O0", *VENDOR_FLAGS, f"-I{vendor()}", f"-I{HERE}")
    ours, theirs = lines(lean_program), lines(vendor_program)
    assert len(ours) == len(theirs) == len(cases)
    assert not [line for line in ours if " n=0 " in line], "a case that looked at nothing"
    different = [a.split(" n=")[0] for a, b in zip(ours, theirs, strict=True) if a != b]
    if different:
        details = zip(lines(lean_program, different[0]), lines(vendor_program, different[0]), strict=False)
        first = next(((a, b) for a, b in details if a != b), None)
        pytest.fail(f"{len(different)} of {len(cases)} cases differ: {different[:20]}\nlean, vendor: {first}")


# --- the cases -------------------------------------------------------------------------------------------------------

SOURCES = (
    Format(7, 4),
    Format(7, 4, signed=False),
    Format(6, -1),
    Format(4, 6, signed=False),
    integer(5),
)
TARGETS = (Format(4, 2), Format(4, 2, signed=False))
MORE_SOURCES = (
    Format(9, 5),
    Format(9, 5, signed=False),
    Format(8, 1),
    Format(5, -3),
    Format(5, -3, signed=False),
    Format(7, 9),
    integer(8),
    integer(6, signed=False),
)
MORE_TARGETS = (
    Format(5, 3),
    Format(1, 1),
    Format(1, 0, signed=False),
    Format(6, 8),
    Format(4, 6, signed=False),
    Format(3, -2),
    Format(12, 2, signed=False),
)


def conversions(sources: Iterable[Format], targets: Iterable[Format]) -> Iterator[str]:
    for source, target, modes in itertools.product(sources, targets, MODES):
        yield case("conversion", source, target.with_modes(modes))


def draw_format(rng: random.Random, widths: tuple[int, int], points: int = 3) -> Format:
    """A fixed-point format, every seventh an integer; the point lies up to `points` bits outside of it."""
    width, signed = rng.randint(*widths), rng.random() < 0.6
    if rng.random() < 1 / 7:
        return integer(width, signed)
    return Format(width, rng.randint(-points, width + points), signed, rng.choice(MODES))


def fits(result_bits: int) -> bool:
    return result_bits <= 127


def drawn(rng: random.Random, kind: str, count: int, widths: tuple[int, int]) -> Iterator[str]:
    """`count` different cases of one kind over drawn formats."""
    operands = 2 if kind in ("conversion", "arithmetic", "division", "comparison") else 1
    seen: set[str] = set()
    while len(seen) < count:
        formats = [draw_format(rng, widths) for _ in range(operands)]
        if kind == "division" and sum(f.width for f in formats) + max(f.width - f.integer_bits for f in formats) > 60:
            continue  # the vendor's division of more than 64 bits is another algorithm; it is not used by hls4ml
        text = case(kind, *formats)
        if text not in seen:
            seen.add(text)
            yield text


def integers(rng: random.Random, count: int, widths: tuple[int, int]) -> Iterator[str]:
    pairs = {(rng.randint(*widths), rng.random() < 0.5, rng.randint(*widths), rng.random() < 0.5) for _ in range(count)}
    for w1, s1, w2, s2 in sorted(pairs):
        for kind in ("arithmetic", "division", "remainder_of", "comparison"):
            yield case(kind, integer(w1, s1), integer(w2, s2))


# --- the tests -------------------------------------------------------------------------------------------------------


@gxx
def test_conversions_equal_the_vendors_for_every_rounding_and_overflow(tmp_path: Path) -> None:
    """All values of seven-bit sources into four bits: signs, negative integer bits, more integer bits than bits."""
    cases = list(conversions(SOURCES, TARGETS))
    assert len(cases) == len(SOURCES) * len(TARGETS) * 28
    compare(cases, tmp_path)


@gxx
def test_operators_equal_the_vendors_on_drawn_formats(tmp_path: Path) -> None:
    rng = random.Random(20240607)
    cases = [
        *drawn(rng, "arithmetic", 10, (1, 6)),
        *drawn(rng, "arithmetic", 6, (7, 40)),
        *drawn(rng, "division", 8, (2, 16)),
        *drawn(rng, "comparison", 14, (1, 40)),
        *drawn(rng, "conversion", 20, (1, 60)),
        *drawn(rng, "unary", 10, (1, 40)),
        *drawn(rng, "bits", 6, (2, 40)),
        *drawn(rng, "mixed", 3, (2, 20)),
        *(case("from_doubles", TARGETS[i % 2].with_modes(m)) for i, m in enumerate(MODES)),
        *integers(rng, 3, (1, 12)),
    ]
    compare(cases, tmp_path)
