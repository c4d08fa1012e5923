"""The lean fixed-point headers equal the vendor's: one program, compiled against each, must print the same lines.

``lean/cases.h`` holds the cases as C++ templates, this file draws the formats that they are instantiated with (fixed
seed) and ``lean/templates.cpp`` runs hls4ml's own layer templates. The vendor's headers are those that hls4ml ships.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "lean"
LEAN = Path(__file__).parents[3] / "backends" / "hls4ml" / "include"
ROUNDINGS = ("AP_TRN", "AP_TRN_ZERO", "AP_RND", "AP_RND_ZERO", "AP_RND_INF", "AP_RND_MIN_INF", "AP_RND_CONV")
OVERFLOWS = ("AP_WRAP", "AP_SAT", "AP_SAT_SYM", "AP_SAT_ZERO")
MODES = tuple(itertools.product(ROUNDINGS, OVERFLOWS))
# -DNDEBUG: the vendor's asserts stop a rounding that drops more bits than the source has; without, it is well defined
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


def case(kind: str, *formats: Format | str) -> str:
    """The C++ statement that runs one case, under a name that can be read; a str is a C type."""
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


def exact_bits(a: Format, b: Format) -> int:
    """Enough bits for a, b, their sum, their product and `a + a * b`."""
    whole = (a.integer_bits, b.integer_bits, a.integer_bits + b.integer_bits)
    fractions = (a.width - a.integer_bits, b.width - b.integer_bits)
    return max(whole) + 3 + max(*fractions, sum(fractions))


def undefined_integer(kind: str, formats: list[Format]) -> bool:
    """Whether a number with negative integer bits becomes an integer: the vendor's never initialises that."""
    if kind == "conversion":
        return formats[1].modes is None and formats[0].integer_bits < 0
    return kind == "arithmetic" and formats[0].modes is None and formats[1].integer_bits < 0


def drawn(rng: random.Random, kind: str, count: int, widths: tuple[int, int]) -> Iterator[str]:
    """`count` different cases of one kind over drawn formats."""
    operands = 2 if kind in ("conversion", "arithmetic", "division", "comparison") else 1
    seen: set[str] = set()
    while len(seen) < count:
        formats = [draw_format(rng, widths) for _ in range(operands)]
        if kind == "division" and sum(f.width for f in formats) + max(f.width - f.integer_bits for f in formats) > 60:
            continue  # the vendor's division of more than 64 bits is another algorithm; hls4ml does not come near it
        if kind in ("arithmetic", "comparison") and exact_bits(*formats) > 128:
            continue  # refused by the lean headers: see test_what_is_not_offered_is_refused_by_the_compiler
        if undefined_integer(kind, formats):
            continue
        text = case(kind, *formats)
        if text not in seen:
            seen.add(text)
            yield text


C_TYPES = ("int", "unsigned char", "unsigned", "short", "bool", "long long", "unsigned long long")


def mixed(rng: random.Random, count: int, widths: tuple[int, int], c_types: Iterable[str]) -> Iterator[str]:
    """Operations with C integers: numbers of every kind, and ap_int and ap_uint for what only these have."""
    for c_type, _ in itertools.product(c_types, range(count)):
        yield case("mixed", draw_format(rng, widths), c_type)
        yield case("integer_mixed", integer(rng.randint(*widths), rng.random() < 0.5), c_type)


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
    wrapping = [("AP_TRN", "AP_WRAP,1"), ("AP_RND", "AP_WRAP,3")]  # with saturated top bits
    for source, target, modes in itertools.product(SOURCES, TARGETS, wrapping):
        cases.append(case("conversion", source, target.with_modes(modes)))
    compare(cases, tmp_path)


@gxx
def test_operators_equal_the_vendors_on_drawn_formats(tmp_path: Path) -> None:
    rng = random.Random(20240607)
    cases = [
        *drawn(rng, "arithmetic", 6, (1, 6)),
        *drawn(rng, "arithmetic", 3, (7, 40)),
        *drawn(rng, "division", 5, (2, 16)),
        *drawn(rng, "comparison", 8, (1, 40)),
        *drawn(rng, "conversion", 12, (1, 60)),
        *drawn(rng, "unary", 6, (1, 40)),
        *drawn(rng, "bits", 6, (2, 40)),
        *mixed(rng, 1, (2, 20), C_TYPES[:1]),
        *(case("from_doubles", TARGETS[i % 2].with_modes(m)) for i, m in enumerate(MODES)),
        case("from_doubles", integer(6)),
        *integers(rng, 2, (1, 12)),
    ]
    compare(cases, tmp_path)


@gxx
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_operators_equal_the_vendors_on_many_formats(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    cases = [
        *drawn(rng, "arithmetic", 25, (1, 7)),
        *drawn(rng, "arithmetic", 15, (8, 40)),
        *drawn(rng, "division", 20, (1, 18)),
        *drawn(rng, "comparison", 40, (1, 64)),
        *drawn(rng, "conversion", 80, (1, 64)),
        *drawn(rng, "unary", 20, (1, 64)),
        *drawn(rng, "bits", 15, (1, 64)),
        *drawn(rng, "from_doubles", 40, (1, 64)),
        *mixed(rng, 1, (1, 30), C_TYPES),
        *integers(rng, 8, (1, 30)),
    ]
    compare(cases, tmp_path)


@gxx
@pytest.mark.slow
@pytest.mark.parametrize("target", MORE_TARGETS, ids=str)
def test_conversions_equal_the_vendors_for_more_formats(tmp_path: Path, target: Format) -> None:
    doubles = [case("from_doubles", target.with_modes(modes)) for modes in MODES]
    compare([*conversions(MORE_SOURCES, [target]), *doubles], tmp_path)


def nnet_utils(backend: str, folder: Path) -> Path:
    """The template headers of an hls4ml project: Vivado's, some of them replaced for Vitis."""
    merged = folder / backend
    for source in ("vivado", "vitis")[: 1 if backend == "vivado" else 2]:
        shutil.copytree(hls4ml_templates() / source / "nnet_utils", merged, dirs_exist_ok=True)
    return merged


@gxx
def test_hls4mls_layer_templates_compute_what_they_do_with_the_vendors(tmp_path: Path) -> None:
    """Dense, convolution, pooling, activations, merges, padding, in parallel and in streams, for Vivado and Vitis."""
    source = HERE / "templates.cpp"
    results = {}
    for backend, level in (
        ("vivado", "-O0"),
        ("vitis", "-O1"),
    ):  # -O0: no layer parameter may need an address
        build(source, tmp_path / "lean", level, "-w", f"-I{LEAN}", f"-I{nnet_utils(backend, tmp_path)}")
        results[backend] = lines(tmp_path / "lean")
    build(source, tmp_path / "vendor", "-O0", *VENDOR_FLAGS, f"-I{vendor()}", f"-I{tmp_path / 'vitis'}")
    assert len(results["vitis"]) > 70
    assert results["vitis"] == lines(tmp_path / "vendor")
    assert results["vivado"] == results["vitis"]


@gxx
@pytest.mark.parametrize("backend", ["vivado", "vitis"])
def test_all_of_hls4mls_template_headers_compile(tmp_path: Path, backend: str) -> None:
    headers = nnet_utils(backend, tmp_path)
    # nnet_sepconv2d.h does not compile with the vendor's types either: it lacks an include
    names = sorted(p.name for p in headers.glob("*.h") if not p.name.startswith("nnet_sepconv2d."))
    assert len(names) > 40
    (tmp_path / "all.cpp").write_text("".join(f'#include "{name}"\n' for name in names))
    build(tmp_path / "all.cpp", tmp_path / "all.o", "-c", "-w", f"-I{LEAN}", f"-I{headers}")


@gxx
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("ap_fixed<129, 3> x = 0;", "compile this project with the vendor's ap_types headers"),
        ("ap_ufixed<128, 3> x = 0;", "compile this project with the vendor's ap_types headers"),
        ("ap_fixed<80, 3> x = 0; auto y = x * x; y += 1;", "compile this project with the vendor's ap_types headers"),
        ("ap_fixed<60, 60> x = 0; ap_fixed<60, -40> y = 0; bool b = x < y; x = b;", "more than 128 bits"),
        ("ap_fixed<8, 3, AP_TRN, AP_WRAP_SM> x = 0;", "AP_WRAP_SM is not offered"),
        ("ap_int<4> x = 1; ap_int<4> y = 2; ap_uint<8> z = (x, y);", "deleted function"),
        ("ap_fixed<8, 3> x = 1; x = x % x;", "% is for ap_int and ap_uint only"),
    ],
)
def test_what_is_not_offered_is_refused_by_the_compiler(tmp_path: Path, body: str, message: str) -> None:
    """The message is what the simulation looks for to fall back to the vendor's headers."""
    (tmp_path / "refused.cpp").write_text(f'#include "ap_fixed.h"\n\nvoid f() {{ {body} }}\n')
    command = ["g++", "-std=c++17", "-fsyntax-only", f"-I{LEAN}", str(tmp_path / "refused.cpp")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert message in done.stderr


@gxx
def test_wide_values_are_exact(tmp_path: Path) -> None:
    """Up to 128 bits, which the vendor's multi-word arithmetic is not needed for: against Python's integers."""
    rng = random.Random(5)
    expected, body = [], []
    for _ in range(40):
        a, b = rng.getrandbits(62) - (1 << 61), rng.getrandbits(62) - (1 << 61)
        for operator, value in (("*", a * b), ("+", a + b), ("-", a - b)):
            body.append(f"show(ap_int<62>({a}ll) {operator} ap_int<62>({b}ll));")
            expected.append(str(value))
        body.append(f"show(ap_fixed<124, 124>(ap_int<62>({a}ll) * ap_int<62>({b}ll)) >> 7);")
        expected.append(str(a * b >> 7))
    source = tmp_path / "wide.cpp"
    source.write_text(
        '#include <iostream>\n#include <string>\n#include "ap_int.h"\n'
        "template <class T> void show(const T &x) {\n"
        "    ap_int<T::width> bits;\n    bits.range() = x.range();\n"
        "    std::cout << bits << std::endl;\n}\n"
        "int main() {\n" + "\n".join(body) + "\n}\n"
    )
    build(source, tmp_path / "wide", "-O0", *STRICT_FLAGS, f"-I{LEAN}")
    assert lines(tmp_path / "wide") == expected


@dataclass
class Played:
    results: list[int]
    empty_reads: int
    leftovers: int


@pytest.fixture(scope="module")
def stream_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if shutil.which("g++") is None:
        pytest.skip("no g++")
    library = tmp_path_factory.mktemp("stream") / "stream.so"
    build(HERE / "stream.cpp", library, "-O1", "-shared", "-fPIC", *STRICT_FLAGS, f"-I{LEAN}")
    loaded = ctypes.CDLL(str(library))
    loaded.lean_stream_empty_reads.restype = loaded.lean_stream_leftovers.restype = ctypes.c_ulong
    return loaded


def play(library: ctypes.CDLL, operations: list[int]) -> Played:
    before = library.lean_stream_empty_reads(), library.lean_stream_leftovers()
    results = (ctypes.c_int * len(operations))()
    library.play((ctypes.c_int * len(operations))(*operations), len(operations), results)
    after = library.lean_stream_empty_reads(), library.lean_stream_leftovers()
    return Played(list(results), after[0] - before[0], after[1] - before[1])


def test_a_stream_keeps_order_while_it_grows_and_wraps(stream_library: ctypes.CDLL) -> None:
    rng = random.Random(3)
    operations, expected, queue = [], [], []
    for i in range(2000):
        action = rng.choice(["write", "write", "read", "read_nb", "size", "state"] if i % 400 < 250 else ["read"])
        if action == "read" and not queue:
            action = "read_nb"
        if action == "write":
            queue.append(i)
        answer = {
            "write": lambda: 0,
            "read": lambda: queue.pop(0),
            "read_nb": lambda: queue.pop(0) if queue else -100,
            "size": lambda: len(queue),
            "state": lambda: int(not queue),
        }[action]()
        operations.append({"write": i, "read": -1, "read_nb": -2, "size": -3, "state": -4}[action])
        expected.append(answer)
    operations += [-1] * len(queue)
    expected += queue
    assert play(stream_library, operations) == Played(expected, 0, 0)


def test_reading_an_empty_stream_and_leaving_data_are_counted(
    stream_library: ctypes.CDLL, capfd: pytest.CaptureFixture[str]
) -> None:
    assert play(stream_library, [7, -1, -1, -1]) == Played([0, 7, 0, 0], 2, 0)
    assert play(stream_library, [7, 8, -1]) == Played([0, 0, 7], 0, 1)
    assert play(stream_library, [5, -1, -2]) == Played([0, 5, -100], 0, 0)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "'played' is read while empty" in captured.err
    assert "'played' is destroyed with data in it" in captured.err


def test_the_warnings_end_but_the_counting_goes_on(
    stream_library: ctypes.CDLL, capfd: pytest.CaptureFixture[str]
) -> None:
    assert play(stream_library, [-1] * 100).empty_reads == 100
    assert len(capfd.readouterr().err.splitlines()) <= 9


def test_a_shift_register_delays(stream_library: ctypes.CDLL) -> None:
    values = [3, -4, 5, 0, 6, 7, 0, 8, 9, 10, 11, 12]  # 0: not enabled
    out, oldest = (ctypes.c_int * 12)(), (ctypes.c_int * 12)()
    stream_library.shift((ctypes.c_int * 12)(*values), 12, 2, out, oldest)
    register, expected_out, expected_oldest = [0] * 5, [], []
    for value in values:
        expected_out.append(register[2])
        if value:
            register = [value, *register[:4]]
        expected_oldest.append(register[4])
    assert (list(out), list(oldest)) == (expected_out, expected_oldest)


@gxx
@pytest.mark.slow
@pytest.mark.parametrize("standard", ["c++20", "c++23"])
def test_newer_standards_compile(tmp_path: Path, standard: str) -> None:
    """hls4ml's own build script asks for C++23 where the compiler has it."""
    headers = nnet_utils("vitis", tmp_path)
    build(HERE / "templates.cpp", tmp_path / "program", "-w", f"-std={standard}", f"-I{LEAN}", f"-I{headers}")
    build(HERE / "templates.cpp", tmp_path / "reference", "-w", f"-I{LEAN}", f"-I{headers}")
    assert lines(tmp_path / "program") == lines(tmp_path / "reference")


@gxx
@pytest.mark.slow
def test_ziglang_gives_the_same(tmp_path: Path) -> None:
    """The compiler for machines without g++; its first C++ program builds its library, for minutes."""
    zig = (sys.executable, "-m", "ziglang", "c++")
    rng = random.Random(9)
    kinds = ("arithmetic", "comparison", "conversion", "unary", "bits", "from_doubles")
    cases = [*itertools.chain.from_iterable(drawn(rng, kind, 8, (1, 30)) for kind in kinds), *integers(rng, 3, (1, 20))]
    source = tmp_path / "generated.cpp"
    source.write_text('#include "cases.h"\n\nvoid all_cases() {\n    ' + "\n    ".join(cases) + "\n}\n")
    flags = ("-O1", *STRICT_FLAGS, f"-I{LEAN}", f"-I{HERE}")
    build(source, tmp_path / "zig", *flags, compiler=zig)
    build(source, tmp_path / "gcc", *flags)
    assert lines(tmp_path / "zig") == lines(tmp_path / "gcc")
