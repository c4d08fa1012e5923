"""Decoding: known encodings and what the manuals say they are; any bytes decode to something."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.backends.firmware.emulator import core
from gatewright.backends.firmware.emulator.counts import decode_block
from gatewright.backends.firmware.emulator.kinds import Instruction, Kind

THUMB = [
    ("b510", Kind.STORE_MULTIPLE, 2, "push {r4, lr}"), ("bd10", Kind.RETURN_POP, 2, "pop {r4, pc}"),
    ("bc30", Kind.LOAD_MULTIPLE, 2, "pop {r4, r5}"), ("c806", Kind.LOAD_MULTIPLE, 2, "ldm r0, {r1, r2}"),
    ("c006", Kind.STORE_MULTIPLE, 2, "stm r0!, {r1, r2}"), ("4770", Kind.RETURN, 0, "bx lr"),
    ("4718", Kind.INDIRECT, 0, "bx r3"), ("4798", Kind.INDIRECT_CALL, 0, "blx r3"),
    ("46f7", Kind.RETURN, 0, "mov pc, lr"),
    ("4348", Kind.MULTIPLY, 0, "muls r0, r1, r0"), ("1840", Kind.ALU, 0, "adds r0, r0, r1"),
    ("4801", Kind.LOAD_LITERAL, 1, "ldr r0, [pc, #4]"), ("6808", Kind.LOAD, 1, "ldr r0, [r1]"),
    ("6008", Kind.STORE, 1, "str r0, [r1]"), ("5608", Kind.LOAD, 1, "ldrsb r0, [r1, r0]"),
    ("7008", Kind.STORE, 1, "strb r0, [r1]"), ("8808", Kind.LOAD, 1, "ldrh r0, [r1]"),
    ("9801", Kind.LOAD, 1, "ldr r0, [sp, #4]"),
    ("a001", Kind.ALU, 0, "adr r0, #4"), ("b082", Kind.ALU, 0, "sub sp, #8"), ("b240", Kind.ALU, 0, "sxtb r0, r0"),
    ("bf08", Kind.IT, 0, "it eq"), ("bf00", Kind.SYSTEM, 0, "nop"), ("be00", Kind.SYSTEM, 0, "bkpt"),
    ("df00", Kind.SYSTEM, 0, "svc"),
    ("fb210302", Kind.MULTIPLY_PAIRS, 0, "smlad r3, r1, r2, r0"),
    ("fb11f002", Kind.MULTIPLY_PAIRS, 0, "smulbb r0, r1, r2"),
    ("fb812300", Kind.MULTIPLY_LONG, 0, "smull r2, r3, r1, r0"),
    ("fb51f002", Kind.MULTIPLY_LONG, 0, "smmul r0, r1, r2"),
    ("fb010302", Kind.MULTIPLY, 0, "mla r3, r1, r2, r0"), ("fb91f0f2", Kind.DIVIDE, 0, "sdiv r0, r1, r2"),
    ("fbb1f0f2", Kind.DIVIDE, 0, "udiv r0, r1, r2"), ("e9d12300", Kind.LOAD_MULTIPLE, 2, "ldrd r2, r3, [r1]"),
    ("e9c12300", Kind.STORE_MULTIPLE, 2, "strd r2, r3, [r1]"), ("f8d10004", Kind.LOAD, 1, "ldr.w r0, [r1, #4]"),
    ("f8df0010", Kind.LOAD_LITERAL, 1, "ldr.w r0, [pc, #16]"), ("f8c10004", Kind.STORE, 1, "str.w r0, [r1, #4]"),
    ("f8d1f000", Kind.INDIRECT, 1, "ldr pc, [r1]"), ("f85dfb04", Kind.RETURN_POP, 1, "pop {pc}"),
    ("f890f000", Kind.SYSTEM, 0, "pld [r0]"), ("e8bd8010", Kind.RETURN_POP, 2, "pop.w {r4, pc}"),
    ("e92d4ff0", Kind.STORE_MULTIPLE, 9, "push.w {r4-r11, lr}"), ("e8dff001", Kind.INDIRECT, 1, "tbb [pc, r1]"),
    ("e8510f00", Kind.LOAD, 1, "ldrex r0, [r1]"), ("ea4f0001", Kind.ALU, 0, "mov.w r0, r1"),
    ("f04f0001", Kind.ALU, 0, "mov.w r0, #1"),
    ("f2400001", Kind.ALU, 0, "movw r0, #1"), ("fa2ff081", Kind.ALU, 0, "sxtb16 r0, r1"),
    ("f3bf8f4f", Kind.SYSTEM, 0, "dsb"),
    ("ed900a00", Kind.LOAD, 1, "vldr s0, [r0]"), ("ed800b00", Kind.STORE_MULTIPLE, 2, "vstr d0, [r0]"),
    ("ec900a04", Kind.LOAD_MULTIPLE, 4, "vldmia r0, {s0-s3}"), ("ee200a21", Kind.FLOAT, 0, "vmul.f32 s0, s0, s3"),
    ("ee000a21", Kind.FLOAT_MULTIPLY_ADD, 0, "vmla.f32"), ("eea00a21", Kind.FLOAT_MULTIPLY_ADD, 0, "vfma.f32"),
    ("ee800a21", Kind.FLOAT_DIVIDE, 0, "vdiv.f32"), ("eeb10ae0", Kind.FLOAT_DIVIDE, 0, "vsqrt.f32 s0, s1"),
    ("eeb10a60", Kind.FLOAT, 0, "vneg.f32 s0, s1"), ("ee000a10", Kind.FLOAT, 0, "vmov s0, r0"),
    ("ed901e00", Kind.VECTOR_MEMORY, 0, "vldrb.u8 q0, [r0]"),
]  # fmt: skip
BRANCHES = [
    ("d0fe", Kind.CONDITIONAL, 0), ("e7fe", Kind.BRANCH, 0), ("b100", Kind.CONDITIONAL, 4), ("f7fffffe", Kind.CALL, 0),
    ("f7ffbffe", Kind.BRANCH, 0), ("f43faffe", Kind.CONDITIONAL, 0), ("f000f802", Kind.CALL, 8),
    ("f00fc003", Kind.LOOP, 0),
]  # fmt: skip
RISCV = [
    ("8082", Kind.RETURN, 0), ("9002", Kind.SYSTEM, 0), ("9502", Kind.INDIRECT_CALL, 0), ("8502", Kind.INDIRECT, 0),
    ("4108", Kind.LOAD, 1), ("c10c", Kind.STORE, 1), ("4501", Kind.ALU, 0), ("852e", Kind.ALU, 0),
    ("c606", Kind.STORE, 1),
    ("40b2", Kind.LOAD, 1), ("02b50533", Kind.MULTIPLY, 0), ("02b51533", Kind.MULTIPLY_LONG, 0),
    ("02b55533", Kind.DIVIDE, 0),
    ("00b50533", Kind.ALU, 0), ("00052503", Kind.LOAD, 1), ("00a52023", Kind.STORE, 1), ("00008067", Kind.RETURN, 0),
    ("000080e7", Kind.INDIRECT_CALL, 0), ("00000517", Kind.ALU, 0), ("30002573", Kind.SYSTEM, 0),
    ("9d4d", Kind.MULTIPLY, 0),
]  # fmt: skip
RISCV_BRANCHES = [
    ("a001", Kind.BRANCH, 0), ("fe000ee3", Kind.CONDITIONAL, -4), ("0000006f", Kind.BRANCH, 0),
    ("ff5ff0ef", Kind.CALL, -12),
    ("c111", Kind.CONDITIONAL, 4), ("2001", Kind.CALL, 0),
]  # fmt: skip
AT = 0x1000


def one(name: str, text: str) -> Instruction:
    halves = [text[i : i + 4] for i in range(0, len(text), 4)]
    if name.startswith("rv"):
        halves.reverse()
    code = b"".join(bytes.fromhex(h)[::-1] for h in halves)
    found = core(name).decode(code + bytes(4), 0, AT)
    assert found.length == len(code)
    return found


@pytest.mark.parametrize(("text", "kind", "words", "spelled"), THUMB, ids=[t[3] for t in THUMB])
def test_thumb(text: str, kind: Kind, words: int, spelled: str) -> None:
    found = one("cortex-m4", text)
    assert (found.kind, found.words) == (kind, words), spelled


@pytest.mark.parametrize(("text", "kind", "offset"), BRANCHES)
def test_thumb_branches(text: str, kind: Kind, offset: int) -> None:
    found = one("cortex-m55", text)
    assert (found.kind, found.target) == (kind, AT + offset)


@pytest.mark.parametrize(("text", "kind", "words"), RISCV)
def test_riscv(text: str, kind: Kind, words: int) -> None:
    found = one("rv32imc", text)
    assert (found.kind, found.words) == (kind, words)


@pytest.mark.parametrize(("text", "kind", "offset"), RISCV_BRANCHES)
def test_riscv_branches(text: str, kind: Kind, offset: int) -> None:
    found = one("rv32imc", text)
    assert (found.kind, found.target) == (kind, AT + offset)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(name=st.sampled_from(["cortex-m4", "rv32imac"]), code=st.binary(min_size=2, max_size=64))
def test_any_bytes_decode(name: str, code: bytes) -> None:
    found = decode_block(core(name), code, AT)
    assert all(i.length in (2, 4) for i in found)
    assert sum(i.length for i in found) >= len(code)
