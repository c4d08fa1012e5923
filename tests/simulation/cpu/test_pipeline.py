"""Cycles of blocks on cores: what bounds them, against what their documentation says."""

from dataclasses import replace

import pytest

from gatewright.boards import boards
from gatewright.simulation.cpu.assembly import Instruction
from gatewright.simulation.cpu.cores import core_of, cores
from gatewright.simulation.cpu.isa import instruction_set
from gatewright.simulation.cpu.micro import KINDS, Micro
from gatewright.simulation.cpu.pipeline import Pipeline, Rate


def rate(core: str, triple: str, *lines: str) -> Rate:
    """Run lines of assembly on a core."""
    lens = instruction_set(triple).lens
    block = [lens.micro(Instruction(n, tuple(o.strip() for o in r.split(", ")))) for n, _, r in (x.partition(" ") for x in lines)]  # fmt: skip # noqa: E501
    return Pipeline(cores()[core]).rate(block)


A64, X64 = "aarch64-linux-gnu", "x86_64-linux-gnu"


def test_sums_on_one_register_wait_for_each_other() -> None:
    chain = rate("cortex-a76", A64, "fmla v0.4s, v1.4s, v2.4s")
    assert (chain.cycles, chain.bound) == (pytest.approx(2, abs=0.3), "latency")


def test_sums_on_many_registers_fill_the_pipes() -> None:
    many = rate("cortex-a76", A64, *(f"fmla v{k}.4s, v30.4s, v31.4s" for k in range(24)))
    assert many.bound == "v0+v1"
    assert many.cycles == pytest.approx(12, rel=0.1)


def test_a_core_in_order_waits_where_another_goes_on() -> None:
    lines = ["ldr q0, [x0]", "add v1.4s, v0.4s, v0.4s", "ldr q2, [x1]", "add v3.4s, v2.4s, v2.4s"]
    assert rate("cortex-a53", A64, *lines).cycles > 2 * rate("cortex-a76", A64, *lines).cycles


def test_what_is_loaded_with_a_product_is_no_part_of_the_chain() -> None:
    found = rate("generic-avx512", X64, "vfmadd231ps (%rdi), %zmm1, %zmm0")
    assert found.cycles == pytest.approx(4, abs=0.5)  # the product's latency, without that of the load


def test_moves_that_renaming_does_away_with_cost_no_pipe() -> None:
    lens = instruction_set(X64).lens
    assert lens.micro(Instruction("vmovdqa64", ("%zmm1", "%zmm2"))) == Micro((), frozenset({"v1"}), frozenset({"v2"}))
    assert lens.micro(Instruction("vpxor", ("%xmm3", "%xmm3", "%xmm3"))).reads == frozenset()


def test_pairs_and_gathers_are_several_loads() -> None:
    arm, x86 = instruction_set(A64).lens, instruction_set(X64).lens
    assert arm.micro(Instruction("ldp", ("q0", "q1", "[x8, #32]"))).work == (("load", 2.0),)
    gather = x86.micro(Instruction("vpgatherdd", ("(%rdi,%zmm1,4)", "%zmm2 {%k1}")))
    assert gather.work[0] == ("load", 16.0)


def test_groups_of_registers_take_longer_on_risc_v() -> None:
    lens = instruction_set("riscv64-linux-gnu", ("+v", "+zvl256b")).lens
    lens.micro(Instruction("vsetivli", ("zero", "16", "e32", "m4", "ta", "ma")))
    assert lens.micro(Instruction("vadd.vv", ("v8", "v12", "v16"))).work == (("vec", 4.0),)
    lens.micro(Instruction("vsetivli", ("zero", "8", "e8", "mf2", "ta", "ma")))
    assert lens.micro(Instruction("vwmacc.vx", ("v8", "a0", "v16"))).work == (("vmul", 1.0),)


@pytest.mark.parametrize("core", cores().values(), ids=lambda core: core.name)
def test_cores_say_everything(core) -> None:  # type: ignore[no-untyped-def]
    assert set(core.kinds) == set(KINDS)
    assert core.sources
    assert all(0 <= p < len(core.pipes) for w in core.kinds.values() for p in w.pipes)


def test_every_board_has_a_core() -> None:
    known = {n: core_of(b)[0].name for n, b in boards().items() if b.kind in ("cpu", "phone") and b.compiler}
    wanted = {
        "raspberry-pi-4": "cortex-a72", "raspberry-pi-5": "cortex-a76", "jetson-orin-nano": "cortex-a78",
        "pixel-8": "cortex-x3", "snapdragon-8-gen-3": "cortex-x3", "iphone-15-pro": "apple-performance",
        "apple-m1": "apple-performance", "riscv-k1": "spacemit-x60", "riscv64-generic": "riscv-scalar",
        "armv7-neon": "cortex-a9", "x86-avx2": "generic-avx2", "x86-avx512": "generic-avx512",
        "x86-amx": "sapphire-rapids",
        "aarch64-generic": "cortex-a72",
    }  # fmt: skip
    assert {n: known[n] for n in wanted} == wanted


def test_code_for_a_matrix_unit_is_for_a_core_that_has_one() -> None:
    plain = boards()["x86-avx512"]
    assert plain.compiler is not None
    unit = replace(plain.compiler, features=(*plain.compiler.features, "+amx-tile", "+amx-int8"))
    assert not core_of(plain)[0].kinds["tile"].pipes
    assert core_of(replace(plain, compiler=unit))[0].kinds["tile"].pipes
