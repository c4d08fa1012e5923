"""Programs against the kernels' C++: in which order packs are read and written, and how many.

The kernels run with streams that keep a log. What C++ has read before a write, the program must have read as well.
"""

import ctypes
import shutil
from collections.abc import Iterator

import numpy as np
import pytest

from gatewright.backends.hls4ml import make_options
from gatewright.backends.hls4ml.plan import make_plan
from gatewright.boards import load as load_board
from gatewright.graph import GatewrightError
from gatewright.simulation.design import Design, LayerSpec, of_plan
from gatewright.simulation.schedule import network, program
from gatewright.simulation.stream import simulate

from ...backends.hls4ml import test_kernels_choose as choose
from ...backends.hls4ml import test_kernels_computed as computed
from ...backends.hls4ml import test_kernels_linear as linear
from ...backends.hls4ml import test_kernels_pointwise as pointwise
from ...backends.hls4ml import test_kernels_runtimes as runtimes
from ...backends.hls4ml import test_kernels_scan as scans
from ...backends.hls4ml import test_kernels_shape as shape
from ...backends.hls4ml.hls_driver import LEAN, Case, Program, needs_gxx

OPTIONS = make_options(load_board("alveo-u250"), io="stream")
LOG = """#include <vector>
inline std::vector<long long> &stream_log() { static std::vector<long long> events; return events; }
extern "C" __attribute__((used)) inline long log_size() { return stream_log().size(); }
extern "C" __attribute__((used)) inline long long log_event(long i) { return stream_log()[i]; }
extern "C" __attribute__((used)) inline void log_clear() { stream_log().clear(); }
namespace hls {"""
DEEPEST = 40
"""Cycles that a pipeline's read may be ahead of an earlier iteration's write."""


def every() -> Iterator[Case]:
    yield from (*choose.choices(), *choose.greatest(), *choose.picks())
    yield from (*computed.reads(), *computed.writes(), *computed.orders(), *computed.divisions())
    yield from (*linear.everything(), *pointwise.everything(), *runtimes.softmaxes(), *runtimes.rescales())
    yield from (*scans.lowered(), scans.images(), scans.no_sequence(), *shape.everything())


def design_of(one: Case) -> Design | None:
    try:
        return of_plan(make_plan(one.graph, OPTIONS), OPTIONS)
    except GatewrightError:
        return None


def spec_of(one: Case, design: Design) -> LayerSpec | None:
    """The layer of the case's kernel, where the plan has just one."""
    found = [s for s in design.layers if s.op == "kernel" and s.function == one.kernel.function]
    return found[0] if len(found) == 1 and len(found[0].inputs) == len(one.kernel.inputs) else None


def test_all_kernels_have_a_program_and_run() -> None:
    seen = set()
    for one in every():
        design = design_of(one)
        if design is None:
            continue
        run = simulate(network(design), 2)
        assert run.deadlock is None, one.name
        seen.update(s.function for s in design.layers if s.op == "kernel")
    assert len(seen) > 40


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, list[LayerSpec], list[Design]]:
    """The first and the last case of each kernel, compiled with streams that keep a log."""
    by_function: dict[str, list[tuple[Case, LayerSpec, Design]]] = {}
    for one in every():
        design = design_of(one)
        spec = spec_of(one, design) if design else None
        if spec and design:
            by_function.setdefault(one.kernel.function, []).append((one, spec, design))
    chosen = [found[i] for found in by_function.values() for i in sorted({0, len(found) - 1})]
    include = tmp_path_factory.mktemp("logged") / "include"
    shutil.copytree(LEAN, include)
    text = (include / "hls_stream.h").read_text().replace("namespace hls {", LOG, 1)
    text = text.replace("void write(const T &value) {", "void write(const T &value) { KEEP(1)", 1)
    text = text.replace("    T read() {", "    T read() { KEEP(0)", 1)
    keep = "#define KEEP(kind) stream_log().push_back((long long)this * 2 + kind);\n"
    (include / "hls_stream.h").write_text(keep + text)
    cases, specs, designs = zip(*chosen, strict=True)
    flags = ("-std=c++17", "-O0")
    return Program(cases, tmp_path_factory.mktemp("kernels"), include=include, flags=flags), list(specs), list(designs)


def order(library: ctypes.CDLL, operands: int) -> list[int]:
    """The kernel's own accesses: an operand's number for a read of it, -1 for a write of the result."""
    library.log_event.restype = ctypes.c_longlong
    ports: dict[int, int] = {}
    found = []
    for i in range(library.log_size()):
        stream, written = divmod(library.log_event(i), 2)
        port = ports.setdefault(stream, len(ports))  # the test feeds the operands one after the other
        if port < operands and not written:
            found.append(port)
        elif port >= operands and written:
            found.append(-1)
    return found


@needs_gxx
def test_programs_read_what_the_kernels_have_read(logged: tuple[Program, list[LayerSpec], list[Design]]) -> None:
    compiled, specs, designs = logged
    for i, (one, spec, design) in enumerate(zip(compiled.cases, specs, designs, strict=True)):
        compiled.library.log_clear()
        compiled.run(i, [np.ones((1, *n.shape), np.int64) for n in one.kernel.inputs], True)
        found = program(spec, design)
        events = order(compiled.library, len(one.kernel.inputs))
        writes = found.writes[0]
        counts = [events.count(port) for port in range(len(found.reads))]
        assert (counts, events.count(-1)) == ([r.size for r in found.reads], writes.size), one.name
        taken, given = [0] * len(found.reads), 0
        for port in events:
            if port < 0:
                assert all(r[n - 1] <= writes[given] for r, n in zip(found.reads, taken, strict=True) if n), one.name
                given += 1
            else:
                assert not given or found.reads[port][taken[port]] > writes[given - 1] - DEEPEST, one.name
                taken[port] += 1
