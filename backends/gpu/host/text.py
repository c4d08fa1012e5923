"""The text of kernels as C++ that the emulator compiles: shared memory becomes room that a block takes, the indices of
threads become local constants, and every entry can be called with a list of addresses.
"""

import re
from collections.abc import Mapping

from .runtime.plan import Plan
from .wgsl import translate

SHIMS = {"cuda": "cuda.h", "opencl": "opencl.h", "metal": "metal.h", "webgpu": "wgsl.h"}
WAITING = re.compile(r"__syncthreads|__syncwarp|__shfl|mma|[bB]arrier|simd_|sub_?group")
"""What only threads that run together can do."""
SHARED = {
    "cuda": r"__shared__\s+(?:alignas\(\d+\)\s+)?((?:(?:un)?signed\s+)?\w+(?:\s+long)?)\s+(\w+)\[([^\]]+)\];",
    "opencl": r"__local\s+((?:unsigned\s+)?\w+)\s+(\w+)\[([^\]]+)\];",
    "metal": r"threadgroup\s+((?:unsigned\s+)?\w+)\s+(\w+)\[([^\]]+)\];",
}
SPACES = {"cuda": r"\b__shared__\b", "opencl": r"\b__local\b", "metal": r"\bthreadgroup\b"}
"""Words that say where a pointer points to, which matters to no CPU."""
INDICES = "const gatewright::Index threadIdx = gatewright::thread_index, blockIdx = gatewright::block_index;"
"""What every kernel begins with: as constants of its own, the compiler knows that no store changes them."""
ROOM = " size_t gatewright_shared = 0, gatewright_declared = 0;"
"""Where the next array in shared memory begins."""
TABLE = """
extern "C" __attribute__((visibility("default"))) int gatewright_launch(
    int number, const uint32_t *blocks, const uint32_t *threads, int n, char *const *data, const size_t *bytes,
    const unsigned char *writes, int backward, gatewright::Report *report) {
    return gatewright::launch(gatewright_kernels[number], blocks, threads, n, data, bytes, writes, backward, report);
}
extern "C" __attribute__((visibility("default"))) void gatewright_release() { gatewright::release(); }
extern "C" __attribute__((visibility("default"))) size_t gatewright_shared_bytes() {
    return gatewright::shared_declared;
}
"""


def as_cpp(plan: Plan, sources: Mapping[str, str]) -> str:
    """Give one C++ file with the kernels of a plan, in the order of ``plan.kernels``. Raises ValueError where an entry
    is not in its source.
    """
    parts, rows = [f'#include "{SHIMS[plan.language]}"\n'], []
    bodies: dict[tuple[str, str], tuple[str, bool]] = {}
    for number, source in enumerate(plan.sources):
        entries = list(dict.fromkeys(k.entry for k in plan.kernels.values() if k.source == source))
        text = sources[source]
        space = f"file{number}"
        if plan.language == "webgpu":
            text = translate(text, entries, ROOM)
            parts.append(f"namespace {space} {{\n{text}\n}}\n")
            known = {e: (f"{space}::{e}", bool(WAITING.search(text))) for e in entries}
        else:
            text, waiting = _adapted(text, entries, plan.language)
            parts.append(text)
            known = {e: (e, waiting[e]) for e in entries}
        bodies |= {(source, e): v for e, v in known.items()}
    for number, kernel in enumerate(plan.kernels.values()):
        entry, waits = bodies[kernel.source, kernel.entry]
        parts.append(
            f"static void gatewright_call_{number}(void **operands) {{ gatewright::call({entry}, operands); }}\n"
        )
        rows.append(f"    {{gatewright_call_{number}, {str(waits).lower()}}},\n")
    return "".join([*parts, "static const gatewright::Kernel gatewright_kernels[] = {\n", *rows, "};\n", TABLE])


def _adapted(text: str, entries: list[str], language: str) -> tuple[str, dict[str, bool]]:
    """Prepare text that is C++ but for its words; say which entries wait for other threads."""
    text = re.sub(r"^[ \t]*#[ \t]*include[ \t]*<.*$", "", text, flags=re.M)
    text = re.sub(r"__attribute__\(\(reqd_work_group_size\([^)]*\)\)\)", "", text)
    begins: dict[int, str] = {}
    for entry in entries:
        found = re.search(rf"\b{re.escape(entry)}\s*\(([^;{{]*)\)\s*{{", text)
        if found is None:
            raise ValueError(f"no kernel {entry} in the source")
        prologue = f" {INDICES}{ROOM}"
        head = found.group(0)
        if language == "metal":
            head, prologue = _metal_head(head)
        text = text[: found.start()] + head + prologue + text[found.end() :]
    for entry in entries:
        begins[next(re.finditer(rf"\b{re.escape(entry)}\s*\([^;{{]*\)\s*{{", text)).start()] = entry
    places = sorted(begins)
    ends = [*places[1:], len(text)]
    waiting = {begins[a]: bool(WAITING.search(text, a, b)) for a, b in zip(places, ends, strict=True)}
    text = re.sub(SHARED[language], r"GATEWRIGHT_SHARED(\1, \2, \3)", text)
    return re.sub(SPACES[language], "", text), waiting


def _metal_head(head: str) -> tuple[str, str]:
    """Take the indices out of a kernel's parameters; give its head and what defines them instead."""
    prologue = ROOM
    for word, index in (
        ("threadgroup_position_in_grid", "block_index"),
        ("thread_position_in_threadgroup", "thread_index"),
    ):
        found = re.search(rf",?\s*(uint[23]?)\s+(\w+)\s*\[\[\s*{word}\s*\]\]", head)
        if found is None:
            continue
        one = ".x" if found.group(1) == "uint" else ""
        prologue = f" const auto {found.group(2)} = gatewright::{index}{one};" + prologue
        head = head.replace(found.group(0), "")
    return re.sub(r"\[\[\s*buffer\(\d+\)\s*\]\]", "", head), prologue


__all__ = ["as_cpp"]
