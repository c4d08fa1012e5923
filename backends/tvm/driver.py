"""The network's own C: one function that calls the kernels in order, its header, and the names by which both go."""

import re
from collections.abc import Sequence
from textwrap import indent

import numpy as np

from ...graph import Node
from ...graph.evaluate.run import surface_shape
from ...graph.ops import Input
from ..loops.layout import interface_type
from ..loops.names import C_TYPES, meaning, walk
from ..loops.program import Block, Call, Copy, Loop, Pointer, Program, Statement


def source(program: Program, name: str) -> str:
    """Write the C source: the kernels' prototypes and the network as a sequence of calls."""
    plain = Lines(program, name).statements(program.statements, parallel=False)
    text = [
        f'#include "{name}.h"', "#include <assert.h>", "#include <string.h>", "",
        f"extern const unsigned char {name}_constants[];",
        *(["extern int gw_tiles_refused;"] if program.tiled else []), "", *prototypes(program, name), "",
        *_begin(program, name),
        *_function(program, name, f"{name}_run({_arguments(program)})", plain), "", *_parallel(program, name), "",
        *_bound(program, name), "", *_pool(name),
    ]  # fmt: skip
    return "\n".join(text) + "\n"


def _begin(program: Program, name: str) -> list[str]:
    """Write what sets the states to their beginning; nothing where there are none."""
    if not program.residents:
        return []
    lines = []
    for r in program.residents:
        place, size = f"a + {r.block.offset}", r.layout.bytes
        if r.initial is None:
            lines.append(f"    memset({place}, 0, {size});")
        else:
            lines.append(f"    memcpy({place}, {name}_constants + {r.initial.offset}, {size});")
    head = [f"void {name}_init(void *arena)", "{", "    unsigned char *const a = arena;"]
    return [*head, f"    assert((uintptr_t)arena % {name.upper()}_ALIGNMENT == 0);", *lines, "}", ""]


def _function(program: Program, name: str, head: str, body: Sequence[str]) -> list[str]:
    """Write one entry: checks of the pointers (in debug builds), the calls, the status."""
    return [
        f"int {head}",
        "{",
        *_prologue(program, name),
        *(indent(line, "    ") for line in body),
        *_epilogue(program),
        "}",
    ]


def prototypes(program: Program, name: str) -> list[str]:
    """Declare the kernels."""
    calls = {c.kernel: c for c in walk(program.statements)}
    return [
        f"void {name}_{k}({', '.join(['void *'] * len(c.arguments) + ['int32_t'] * (2 if c.parts else 0))});"
        for k, c in calls.items()
    ]


def _arguments(program: Program, extra: str = "") -> str:
    parts = [f"const {_ctype(n)} *in{i}" for i, n in enumerate(program.graph.inputs)]
    parts += [f"{_ctype(n)} *out{i}" for i, n in enumerate(program.graph.outputs)]
    return ", ".join([*parts, "void *arena"]) + extra


def _ctype(node: Node) -> str:
    return C_TYPES[interface_type(node)]


def _names(program: Program) -> list[str]:
    """Name the ports as C does."""
    graph = program.graph
    return [*(f"in{i}" for i in range(len(graph.inputs))), *(f"out{i}" for i in range(len(graph.outputs)))]


def _prologue(program: Program, name: str) -> list[str]:
    lines = [
        f"    unsigned char *const a = arena, *const w = (unsigned char *){name}_constants;",
        "    (void)a; (void)w;",
    ]
    lines += [f"    assert({port});" for port in (*_names(program), "arena")]
    lines.append(f"    assert((uintptr_t)arena % {name.upper()}_ALIGNMENT == 0);")
    if program.flagged:
        lines.append("    int32_t status[1] = {0};")
    if program.tiled:
        lines.append("    if (gw_tiles_refused) return 3;")
    return lines


def _epilogue(program: Program) -> list[str]:
    return ["    return status[0];"] if program.flagged else ["    return 0;"]


class Lines:
    """Statements as lines of C."""

    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name = program, name
        self.loops: dict[Loop, str] = {}

    def statements(self, statements: Sequence[Statement], *, parallel: bool) -> list[str]:
        """Write statements, in order."""
        lines: list[str] = []
        for s in statements:
            match s:
                case Call():
                    lines += self.call(s, parallel)
                case Copy():
                    lines.append(f"memcpy({self.pointer(s.target)}, {self.pointer(s.source)}, {s.bytes});")
                case Loop():
                    variable = f"t{len(self.loops)}"
                    self.loops[s] = variable
                    turns = (
                        f"int {variable} = {s.steps - 1}; {variable} >= 0; {variable}--"
                        if s.reverse
                        else (f"int {variable} = 0; {variable} < {s.steps}; {variable}++")
                    )
                    body = "\n".join(self.statements(s.body, parallel=parallel))
                    lines += [f"for ({turns}) {{", indent(body, "    "), "}"]
        return lines

    def call(self, s: Call, parallel: bool) -> list[str]:
        """Write the call of a kernel."""
        operands = [self.pointer(p) for p in s.arguments]
        if s.parts and parallel:
            packed = ", ".join(f"(void *)({o})" for o in operands)
            return [
                "{", f"    void *const operands[] = {{{packed}}};",
                f"    parallel_for(context, {s.parts}, {self.name}_{s.kernel}_part, (void *)operands);", "}",
            ]  # fmt: skip
        numbers = ["0", str(s.parts)] if s.parts else []
        return [f"{self.name}_{s.kernel}({', '.join([*operands, *numbers])});"]

    def pointer(self, p: Pointer) -> str:
        """Write an address."""
        base = _base(p.block)
        offset = p.offset + (p.block.offset if p.block is not None and not p.block.port else 0)
        if p.block is not None and p.block.port.startswith(("in", "out")):
            base = f"(unsigned char *){base}"
        text = f"{base} + {offset}" if offset else base
        return f"{text} + {self.loops[p.loop]} * {p.stride}" if p.loop is not None else text


def _base(block: Block | None) -> str:
    if block is None:
        return "w"
    return block.port or "a"


def _parallel(program: Program, name: str) -> list[str]:
    """The second entry: kernels with many parts are handed to a function of the caller's."""
    calls = {c.kernel: c for c in walk(program.statements) if c.parts}
    lines: list[str] = []
    for kernel, c in calls.items():
        operands = ", ".join([f"p[{i}]" for i in range(len(c.arguments))])
        lines += [
            f"static void {name}_{kernel}_part(void *operands, int begin, int end)", "{",
            "    void **p = operands;", f"    {name}_{kernel}({operands}, begin, end);", "}", "",
        ]  # fmt: skip
    body = ["(void)parallel_for; (void)context;", *Lines(program, name).statements(program.statements, parallel=True)]
    return [*lines, *_function(program, name, f"{name}_run_parallel({_arguments(program, _extra(name))})", body)]


def _extra(name: str) -> str:
    return f", {name}_parallel_for parallel_for, void *context"


def _bound(program: Program, name: str) -> list[str]:
    """An entry for callers to whom arguments are dear: all pointers in one array."""
    count = len(_names(program)) + 1
    operands = ", ".join(f"p[{i}]" for i in range(count))
    return [
        f"int {name}_run_bound(void *const *p)", "{", f"    return {name}_run({operands});", "}", "",
        f"int {name}_run_bound_parallel(void *const *p)", "{", f"    {name}_parallel_for parallel_for;",
        f"    memcpy(&parallel_for, &p[{count}], sizeof parallel_for);",
        f"    return {name}_run_parallel({operands}, parallel_for, p[{count + 1}]);", "}",
    ]  # fmt: skip


def _pool(name: str) -> list[str]:
    """A parallel_for that uses the threads of TVM's runtime (``TVMBackendParallelLaunch``, c_backend_api.h), which is
    given as the context: nothing of TVM is linked.
    """
    return f"""\
struct {name}_group {{ void *sync; int32_t tasks; }};
struct {name}_job {{ {name}_body body; void *operands; int parts; }};
typedef int (*{name}_task)(int task, struct {name}_group *group, void *job);

static int {name}_share(int task, struct {name}_group *group, void *data)
{{
    struct {name}_job *job = data;
    for (int i = task; i < job->parts; i += group->tasks) job->body(job->operands, i, i + 1);
    return 0;
}}

void {name}_parallel_for_tvm(void *launch, int parts, {name}_body body, void *operands)
{{
    struct {name}_job job;
    int (*start)({name}_task, void *, int);
    job.body = body;
    job.operands = operands;
    job.parts = parts;
    memcpy(&start, &launch, sizeof start);
    start({name}_share, &job, 0);
}}""".splitlines()


def header(program: Program, name: str) -> str:
    """Write the header: the sizes as constants, formats as comments, the functions."""
    graph, upper = program.graph, name.upper()
    lines = [
        f"#ifndef {upper}_H", f"#define {upper}_H", "", "#include <stdint.h>", "",
        "#ifdef __cplusplus", 'extern "C" {', "#endif", "",
        "/* Bytes of working memory, and how its address has to be aligned. */",
        f"#define {upper}_ARENA_BYTES {max(program.arena, 1)}", f"#define {upper}_ALIGNMENT 64", "",
    ]  # fmt: skip
    for kind, nodes in (("in", graph.inputs), ("out", graph.outputs)):
        for i, node in enumerate(nodes):
            lines += _port(node, kind, i, upper)
    lines += _states(program, name)
    arena = "the arena keeps what the network remembers" if program.residents else "the arena's content is not kept"
    lines += [
        f"/* Run the network once. Every pointer is used during the call only; {arena}.",
        " * Gives 0, 1 where an index lay outside of what it picks from, 2 where a divisor was zero"
        + (",\n * 3 where the processor has no AMX, or the operating system does not let this process use it."
           if program.tiled else "."),
        " * Any number of calls may run at the same time, each with an arena of its own. */",
        f"int {name}_run({_arguments(program)});", "",
        "/* The same, all pointers (inputs, outputs, arena) in one array. */",
        f"int {name}_run_bound(void *const *p);", "",
        "/* The same with large layers cut into parts: parallel_for has to call body(operands, begin, end) on ranges",
        " * that cover 0 to parts, in any order and from any threads, and to return when all are done. */",
        f"typedef void (*{name}_body)(void *operands, int begin, int end);",
        f"typedef void (*{name}_parallel_for)(void *context, int parts, {name}_body body, void *operands);",
        f"int {name}_run_parallel({_arguments(program, _extra(name))});", "",
        "/* All pointers in one array, parallel_for and context behind the arena. */",
        f"int {name}_run_bound_parallel(void *const *p);", "",
        "/* A parallel_for with the threads of TVM's runtime; context is the address of TVMBackendParallelLaunch. */",
        f"void {name}_parallel_for_tvm(void *launch, int parts, {name}_body body, void *operands);", "",
        "#ifdef __cplusplus", "}", "#endif", "", "#endif",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _states(program: Program, name: str) -> list[str]:
    """Say what a network remembers, and declare what makes it begin."""
    if not program.residents:
        return []
    kept = [
        f" *   {_plain(r.state.name)}: {'x'.join(map(str, r.layout.shape)) or 'scalar'} {C_TYPES[r.layout.dtype]}"
        for r in program.residents
    ]
    return [
        "/* Set what the network remembers, which lies in the arena, to its beginning: once before the first run,",
        " * and to begin anew. Each arena is a stream of its own. It remembers:", *kept, " */",
        f"void {name}_init(void *arena);", "",
    ]  # fmt: skip


def _plain(text: str) -> str:
    return re.sub(r"[^\w .:()-]", "_", text, flags=re.ASCII)


def _port(node: Node, kind: str, i: int, upper: str) -> list[str]:
    op = node.op
    named = op.name if isinstance(op, Input) else getattr(op, "name", "")
    shape = surface_shape(node)
    text = f"{kind}{i}: {_plain(named)}, {'x'.join(map(str, shape)) or 'scalar'} {_ctype(node)}, {meaning(node)}"
    size = int(np.prod(shape))
    return [f"/* {text} */", f"#define {upper}_{kind.upper()}{i}_ELEMENTS {size}", ""]
