"""The C interface is used from a C program that is linked with the static library, libc and libm, and nothing else."""

import subprocess
from functools import cache
from pathlib import Path
from signal import SIGABRT

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

import gatewright
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.layout import interface_type
from gatewright.backends.loops.machine import Machine
from gatewright.backends.loops.names import walk
from gatewright.backends.loops.program import Program
from gatewright.backends.tvm.build import Built, build
from gatewright.backends.zig import zig_path
from gatewright.graph import Graph
from gatewright.simulation import make_vectors

from .emulated import expected
from .networks import large, small_cnn

STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic")
COUNT = 8

MAIN = r"""
#include "net.h"
#include "vectors.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int calls;

/* Ranges of one to three parts, the last ones first. */
static void backwards(void *context, int parts, net_body body, void *operands)
{
    int end = parts, length = 1;
    ++*(int *)context;
    while (end > 0) {
        int begin = end - length < 0 ? 0 : end - length;
        body(operands, begin, end);
        end = begin;
        length = length % 3 + 1;
    }
}

struct share { net_body body; void *operands; int begin, end; };

static void *one(void *argument)
{
    struct share *s = argument;
    s->body(s->operands, s->begin, s->end);
    return NULL;
}

static void threads(void *context, int parts, net_body body, void *operands)
{
    pthread_t thread[3];
    struct share share[3];
    int i;
    ++*(int *)context;
    for (i = 0; i < 3; i++) {
        share[i].body = body;
        share[i].operands = operands;
        share[i].begin = parts * i / 3;
        share[i].end = parts * (i + 1) / 3;
        if (pthread_create(&thread[i], NULL, one, &share[i])) exit(9);
    }
    for (i = 0; i < 3; i++) pthread_join(thread[i], NULL);
}

static int differs(const char *entry, int sample, const OUT_TYPE *got)
{
    if (!memcmp(got, outputs[sample], sizeof outputs[sample])) return 0;
    printf("%s: sample %d differs\n", entry, sample);
    return 1;
}

int main(void)
{
    unsigned char *room = malloc(NET_ARENA_BYTES + NET_ALIGNMENT), *arena = room;
    unsigned char *odd = malloc(sizeof inputs[0] + 1);
    OUT_TYPE out[NET_OUT0_ELEMENTS];
    void *bound[5];
    net_parallel_for each[2];
    int i, k, wrong = 0;
    each[0] = backwards;
    each[1] = threads;
    arena += (NET_ALIGNMENT - (size_t)room % NET_ALIGNMENT) % NET_ALIGNMENT;
    for (i = 0; i < COUNT; i++) {
        const IN_TYPE *in = inputs[i];
        memset(arena, 0xAA, NET_ARENA_BYTES);
        wrong += net_run(in, out, arena) || differs("run", i, out);
        bound[0] = memcpy(odd + (sizeof(IN_TYPE) == 1), in, sizeof inputs[i]);
        bound[1] = out;
        bound[2] = arena;
        wrong += net_run_bound(bound) || differs("run_bound", i, out);
        for (k = 0; k < 2; k++) {
            memset(arena, 0xAA, NET_ARENA_BYTES);
            wrong += net_run_parallel(in, out, arena, each[k], &calls) || differs("run_parallel", i, out);
            memcpy(&bound[3], &each[k], sizeof each[k]);
            bound[4] = &calls;
            wrong += net_run_bound_parallel(bound) || differs("run_bound_parallel", i, out);
        }
    }
    printf("%d calls of parallel_for\n", calls);
    free(odd);
    free(room);
    return wrong != 0;
}
"""
MISUSE = r"""
#include "net.h"
#include <stdlib.h>
static union { long long align; unsigned char bytes[NET_ARENA_BYTES + 2 * NET_ALIGNMENT]; } room;
static IN_TYPE in[NET_IN0_ELEMENTS];
static OUT_TYPE out[NET_OUT0_ELEMENTS];
int main(int count, char **words)
{
    size_t rest = (size_t)room.bytes % NET_ALIGNMENT;
    unsigned char *arena = room.bytes + (rest ? NET_ALIGNMENT - rest : 0);
    (void)count;
    switch (words[1][0]) {
    case 'f': return net_run(in, out, arena);
    case 'm': return net_run(in, out, arena + 8);
    case 'n': return net_run(in, out, NULL);
    default: return net_run(NULL, out, arena);
    }
}
"""
CPP = """
#include "net.h"
int main()
{
    net_parallel_for none = nullptr;
    static_assert(NET_ARENA_BYTES > 0, "");
    return none == nullptr && &net_run != nullptr ? 0 : 1;
}
"""


def machine() -> Machine:
    c = gatewright.boards()["host"].compiler
    assert c is not None
    return Machine(c.triple, c.cpu, c.features, c.vector_bits, c.abi)


@cache
def compiled(graph: Graph) -> tuple[Program, Built]:
    program = make_program(graph, machine())
    return program, build(program, "net")


def types(graph: Graph) -> list[str]:
    ctypes = {"float32": "float"}
    names = [interface_type(node) for node in (graph.inputs[0], graph.outputs[0])]
    return [f"-D{side}_TYPE={ctypes.get(n, f'{n}_t')}" for side, n in zip(("IN", "OUT"), names, strict=True)]


def table(name: str, dtype: str, values: np.ndarray) -> str:
    rows = ",\n".join("{" + ",".join(map(str, row.ravel().tolist())) + "}" for row in values)
    return f"static const {dtype} {name}[{len(values)}][{values[0].size}] = {{\n{rows}\n}};\n"


def compile_with(folder: Path, *arguments: str) -> None:
    command = [zig_path(), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def write(folder: Path, built: Built, **texts: str) -> None:
    for name, data in (built.files | built.sources).items():
        (folder / name).write_bytes(data)
    for name, text in texts.items():
        (folder / name.replace("_", ".")).write_text(text)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([folder / "program", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("graph", "parts"), [(small_cnn, False), (large, True)])
def test_a_c_program_runs_the_network(graph, parts: bool, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    program, built = compiled(graph())
    assert any(c.parts for c in walk(program.statements)) == parts
    (fed,), (wanted,) = expected(graph(), make_vectors(graph(), COUNT))
    vectors = f"#define COUNT {COUNT}\n" + table("inputs", "IN_TYPE", fed) + table("outputs", "OUT_TYPE", wanted)
    write(tmp_path, built, main_c=MAIN, vectors_h=vectors)
    for name in built.sources:  # nothing but the static library and the header is there to be used
        if not name.endswith(".h"):
            (tmp_path / name).unlink()
    flags = [*STRICT, "-std=c99", *types(graph())]
    compile_with(tmp_path, "cc", *flags, "main.c", "libnet.a", "-lm", "-pthread", "-o", "program")
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert (done.stdout.strip() == "0 calls of parallel_for") != parts


def test_the_driver_is_strict_c99(tmp_path: Path) -> None:
    for graph in (small_cnn(), large()):
        write(tmp_path, compiled(graph)[1])
        compile_with(tmp_path, "cc", *STRICT, "-std=c99", "-c", "net.c", "-o", "net.o")


def test_the_header_serves_cpp(tmp_path: Path) -> None:
    write(tmp_path, compiled(small_cnn())[1], main_cpp=CPP)
    compile_with(tmp_path, "cc", *STRICT, "-std=c++11", "-c", "main.cpp", "-o", "main.o")


def test_debug_builds_refuse_wrong_pointers(tmp_path: Path) -> None:
    write(tmp_path, compiled(small_cnn())[1], main_c=MISUSE)
    sources = ["main.c", "net.c", "constants.S", "kernels.o"]
    compile_with(tmp_path, "cc", *types(small_cnn()), *sources, "-o", "program")
    assert run(tmp_path, "fine").returncode == 0
    for word, condition in (("misaligned", "NET_ALIGNMENT"), ("null", "arena"), ("input", "in0")):
        done = run(tmp_path, word)
        assert done.returncode == -SIGABRT
        assert condition in done.stderr
