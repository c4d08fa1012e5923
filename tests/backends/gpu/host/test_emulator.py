"""The emulator computes what kernels say, and finds what no device may be asked to do."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from gatewright.backends.gpu.host import compiled, open_network
from gatewright.backends.gpu.host.emulator import EmulationError, Emulator
from gatewright.backends.gpu.host.runtime.plan import Plan, PlanError, read_plan
from gatewright.backends.zig import BuildError
from gatewright.graph import FileError, NDArray

from .projects import LANGUAGES, constants, expected, files, plan, samples

WORD = np.dtype(np.int32).itemsize


@pytest.mark.parametrize("language", LANGUAGES)
def test_computes_the_product(language: str) -> None:
    network = open_network(files(language), "emulator")
    for x, y in zip(samples(4), expected(samples(4)), strict=True):
        network.inputs[0][...] = x
        assert network.run() == 0
        np.testing.assert_array_equal(network.outputs[0], y)


def single(text: str, *, words: int = 64, threads: int = 64, blocks: int = 1, language: str = "cuda") -> Emulator:
    """Make an emulator of one CUDA kernel ``f(const int *x, int *y)`` of ``words`` words each."""
    port = {"shape": [words], "type": "int32", "bytes": WORD * words}
    data: dict[str, Any] = {
        "schema": 1, "name": "f", "language": language, "arch": None, "inputs": [{"name": "x", **port}],
        "outputs": [{"name": "y", **port}], "arena_bytes": 0,
        "constants": {"file": "constants.bin", "bytes": 0, "sha256": ""},
        "kernels": {
            "k0": {
                "source": "k", "entry": "f", "threads": [threads, 1, 1], "arguments": ["int32"] * 2, "writes": [0, 1],
            }
        },
        "launches": [
            {
                "kernel": "k0", "blocks": [blocks, 1, 1], "layer": "only", "macs": 0,
                "arguments": [
                    {"buffer": "in0", "offset": 0, "bytes": WORD * words},
                    {"buffer": "out0", "offset": 0, "bytes": WORD * words},
                ],
            }
        ],
    }  # fmt: skip
    return Emulator(read_plan(json.dumps(data)), {"k": text}, b"")


def cuda(body: str) -> str:
    head = 'extern "C" __global__ void f(int* __restrict__ x, int* __restrict__ y)'
    return f"{head} {{\n int i = threadIdx.x;\n{body}\n}}\n"


def run(emulator: Emulator, x: NDArray) -> NDArray:
    emulator.write("in0", x.astype(np.int32))
    emulator.launch()
    y = np.zeros(len(x), np.int32)
    emulator.read("out0", y)
    return y


X = np.arange(64)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("if (i < 40) __syncthreads(); y[i] = x[i];", r"does not wait where others of its block do"),
        ("if (i < 40) { __syncthreads(); } else {\n __syncthreads(); }", r"waits at another barrier"),
        ("y[i] = x[i + 1];", r"thread \(63, 0, 0\) of block \(0, 0, 0\) touches what lies 0 bytes after argument 0"),
        ("y[i + 100] = x[i];", r"after argument 1 \(out0 at 0, 256 bytes\)"),
        ("if (i == 5) x[i] = 3; y[i] = 1;", r"thread \(5, 0, 0\).*writes to argument 0"),
        ("y[i] = 7 / (x[i] - 3);", r"thread \(3, 0, 0\).*divides by zero"),
    ],
)
def test_finds_what_is_wrong(body: str, said: str) -> None:
    emulator = single(cuda(body))
    with pytest.raises(EmulationError, match=rf"kernel k0 \(only\): .*{said}"):
        run(emulator, X)


def test_finds_accesses_before_the_beginning() -> None:
    emulator = single(cuda("y[i] = x[i - 1];"))
    run(emulator, X)  # arguments stand at the end of their pages, and at the beginning in the next run
    with pytest.raises(EmulationError, match="touches what lies 4 bytes before argument 0"):
        run(emulator, X)


def test_an_error_leaves_the_emulator_usable() -> None:
    emulator = single(cuda("__syncthreads(); y[i] = 100 / x[i];"))
    for _ in range(2):
        with pytest.raises(EmulationError):
            run(emulator, X)
        np.testing.assert_array_equal(run(emulator, X + 1), 100 // (X + 1))


def test_memory_that_nobody_wrote_is_not_zero() -> None:
    shared = single(cuda("__shared__ int s[64]; y[i] = s[i]; __syncthreads(); s[i] = 0;"), blocks=1)
    assert (run(shared, X).view(np.uint32) == 0xA5A5A5A5).all()


def test_a_missing_barrier_shows() -> None:
    """Threads run in both orders: what depends on it differs in one of two runs."""
    racing = single(cuda("__shared__ int s[64]; s[i] = x[i]; y[i] = s[i ^ 1];"))
    right = single(cuda("__shared__ int s[64]; s[i] = x[i]; __syncthreads(); y[i] = s[i ^ 1];"))
    assert all((run(right, X) == (X ^ 1)).all() for _ in range(2))
    assert not any((run(racing, X) == (X ^ 1)).all() for _ in range(2))


def test_barriers_in_loops_and_many_blocks() -> None:
    text = cuda(
        "__shared__ int s[64]; int sum = 0;\n"
        "for (int k = 0; k < 64; k++) { s[i] = x[k] * (i + 1) + blockIdx.x; __syncthreads(); sum += s[63 - i];"
        " __syncthreads(); }\n if (blockIdx.x == 2) y[i] = sum;"
    )
    emulator = single(text, blocks=5)
    for _ in range(2):
        np.testing.assert_array_equal(run(emulator, X), X.sum() * (64 - X) + 2 * 64)


def test_threads_switch_without_assembly_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "FLAGS", (*compiled.FLAGS, "-DGATEWRIGHT_SETJMP"))
    emulator = single(cuda("__shared__ int s[64]; s[i] = x[i]; __syncthreads(); y[i] = s[63 - i];"), blocks=2)
    for _ in range(3):
        np.testing.assert_array_equal(run(emulator, X), X[::-1])


FRAGMENTS: Callable[[int], str] = lambda depth: (  # noqa: E731
    "int lane = i, g = lane / 4, t = lane % 4;\n"
    "const signed char *a = (const signed char *)x, *b = a + 16 * K;\n"
    "#define A(r, c) (*(const int *)(a + (r) * K + (c)))\n#define B(n, c) (*(const int *)(b + (n) * K + (c)))\n"
    "int4 c = make_int4(1, 2, 3, 4);\n"
    + (
        "c = gatewright_mma_m16n8k32(A(g, t*4), A(g+8, t*4), A(g, 16+t*4), A(g+8, 16+t*4), B(g, t*4), B(g, 16+t*4), c);"
        if depth == 32
        else "c = gatewright_mma_m16n8k16(A(g, t*4), A(g+8, t*4), B(g, t*4), c);"
    )
    + "\ny[g*8 + t*2] = c.x; y[g*8 + t*2 + 1] = c.y; y[(g+8)*8 + t*2] = c.z; y[(g+8)*8 + t*2 + 1] = c.w;"
).replace("K", str(depth))


@pytest.mark.parametrize("depth", [16, 32])
def test_tensor_core_products(depth: int) -> None:
    a = np.random.default_rng(0).integers(-128, 128, (16, depth)).astype(np.int8)
    b = np.random.default_rng(1).integers(-128, 128, (8, depth)).astype(np.int8)
    held = np.concatenate([a.ravel(), b.ravel(), np.zeros(768 - 24 * depth, np.int8)]).view(np.int32)
    emulator = single(cuda(FRAGMENTS(depth)), words=192, threads=32)
    got = run(emulator, held)[:128].reshape(16, 8)
    start = np.tile(np.array([[1, 2]] * 8 + [[3, 4]] * 8), (1, 4))
    np.testing.assert_array_equal(got, a.astype(np.int32) @ b.T.astype(np.int32) + start)


def test_tensor_core_products_of_turing() -> None:
    """Which thread holds what: PTX ISA, "Matrix Fragments for mma.m8n8k16" with .s8 and .s32."""
    a, b = (np.random.default_rng(k).integers(-128, 128, (8, 16)).astype(np.int8) for k in (0, 1))
    text = (
        "int lane = i; int2 c = gatewright_mma_m8n8k16(x[lane], x[32 + lane], make_int2(1, 2));\n"
        "y[lane / 4 * 8 + lane % 4 * 2] = c.x; y[lane / 4 * 8 + lane % 4 * 2 + 1] = c.y;"
    )
    emulator = single(cuda(text), words=64, threads=32)
    got = run(emulator, np.concatenate([a.ravel(), b.ravel()]).view(np.int32))[:64].reshape(8, 8)
    np.testing.assert_array_equal(got, a.astype(np.int32) @ b.T.astype(np.int32) + np.tile([1, 2], 4))


def test_threads_of_a_warp_exchange_values() -> None:
    turns = "for (int m = 16; m; m /= 2)\n v += __shfl_xor_sync(0xffffffffu, v, m);\n"
    emulator = single(cuda(f"int v = x[i];\n{turns}y[i] = v;"))
    np.testing.assert_array_equal(run(emulator, X), np.where(X < 32, X[:32].sum(), X[32:].sum()))


def test_text_that_is_refused_is_told() -> None:
    with pytest.raises(BuildError, match="nonsense"):
        single(cuda("nonsense(x);"))
    with pytest.raises(BuildError, match="no kernel f"):
        single("")


def changed(**launch: Any) -> Plan:
    data = plan("cuda")
    data["launches"][0] |= launch
    return read_plan(json.dumps(data))


@pytest.mark.parametrize(
    ("launch", "said"),
    [
        ({"blocks": [0, 1, 1]}, "blocks of"), ({"arguments": []}, "passes 0 arguments"),
        ({"arguments": [{"buffer": "in0", "offset": 64, "bytes": 4096}] * 3}, "takes 4096 bytes at 64 of in0"),
        ({"arguments": [{"buffer": "other", "offset": 0, "bytes": 1}] * 3}, "a buffer 'other', which there is not"),
        ({"arguments": [{"buffer": "constants", "offset": 0, "bytes": 1}] * 3}, "writes to the constants"),
        ({"kernel": "k9"}, "damaged"),
    ],
)  # fmt: skip
def test_a_plan_that_is_wrong_is_refused(launch: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        changed(**launch)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def test_a_plan_with_anything_anywhere_is_refused_or_read() -> None:
    whole = plan("cuda")
    refused = 0
    for path in [p for p in places(whole) if p]:
        for strange in (None, -1, 1 << 70, 2.5, "x", [], {}, True):
            data = json.loads(json.dumps(whole))
            inner = data
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = strange
            try:
                read_plan(json.dumps(data))
            except PlanError:
                refused += 1
    assert refused > 200


def test_a_project_that_is_damaged_is_told() -> None:
    whole = files("cuda")
    for name in whole:
        with pytest.raises(FileError, match="is not there"):
            open_network({k: v for k, v in whole.items() if k != name}, "emulator")
    with pytest.raises(FileError, match=r"has 10 bytes"):
        open_network(whole | {"src/constants.bin": constants("cuda")[:10]}, "emulator")
    with pytest.raises(FileError, match="damaged"):
        open_network(whole | {"src/plan.json": b"{"}, "emulator")
