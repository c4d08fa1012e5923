"""How often the blocks of machine code run: loops of every instruction set, the stack, and what cannot be known."""

import re

import pytest

from gatewright.graph import GatewrightError
from gatewright.simulation.cpu import control
from gatewright.simulation.cpu.assembly import functions
from gatewright.simulation.cpu.control import Counter, Counts
from gatewright.simulation.cpu.isa import instruction_set

X86 = "x86_64-linux-gnu"
ARM64 = "aarch64-linux-gnu"
ARM32 = "armv7-linux-gnueabihf"
RISCV = "riscv64-linux-gnu"


def count(triple: str, text: str, *arguments: int, features: tuple[str, ...] = ()) -> Counts:
    """Count the only function of a text, whose instructions are written with blanks."""
    isa = instruction_set(triple, features)
    tabbed = "\n".join(re.sub(r"^\s+(\S+)\s*", r"\t\1\t", line) for line in text.strip("\n").splitlines())
    (function,) = functions(tabbed, isa.jumps).values()
    return Counter(function, isa.reader).count(arguments)


def test_nested_loops_of_x86_count_as_they_run() -> None:
    found = count(X86, """
f:
    pushq %rbx
    xorl %eax, %eax
.LBB0_1:
    movl $96, %ecx
.LBB0_2:
    vpdpbusd (%rdi,%rcx), %zmm1, %zmm0
    addq $-16, %rcx
    jne .LBB0_2
    incl %eax
    cmpl %esi, %eax
    jl .LBB0_1
    popq %rbx
    retq
""", 1 << 33, 5)  # fmt: skip
    assert found == Counts((1, 5, 30, 5, 1), True)


def test_arguments_on_the_stack_and_spilled_counters_are_followed() -> None:
    found = count(X86, """
f:
    subq $24, %rsp
    movl 32(%rsp), %eax
    movq %rax, 8(%rsp)
.LBB0_1:
    movq 8(%rsp), %rcx
    leaq -2(%rcx), %rcx
    movq %rcx, 8(%rsp)
    testq %rcx, %rcx
    jg .LBB0_1
    addq $24, %rsp
    retq
""", *[k << 33 for k in range(1, 7)], 9)  # fmt: skip
    assert found == Counts((1, 5, 1), True)


def test_aarch64_counts_pointers_that_run_to_an_end_and_bits() -> None:
    found = count(ARM64, """
f:
    mov x8, x0
    add x9, x0, w1, sxtw #4
    mov w10, #5
.LBB0_1:
    ldr q0, [x8], #16
    sdot v1.4s, v0.16b, v2.16b
    cmp x8, x9
    b.ne .LBB0_1
    tbnz w10, #1, .LBB0_3
    ldp x11, x12, [sp]
.LBB0_3:
    subs x10, x10, #1
    b.ne .LBB0_3
    ret
""", 1 << 33, 12)  # fmt: skip
    assert found == Counts((1, 12, 1, 1, 5, 1), True)


def test_apples_spelling_is_read() -> None:
    found = count("arm64-apple-ios", """
_f:
    mov x8, #-64
LBB0_1:
    fmla.4s v0, v1, v2
    adds x8, x8, #16
    b.ne LBB0_1
    ret
""", 1 << 33)  # fmt: skip
    assert found == Counts((1, 4, 1), True)


def test_armv7_counts_with_conditional_instructions() -> None:
    found = count(ARM32, """
f:
    push {r4, lr}
    mov r4, #7
    cmp r1, #3
    movlt r4, #2
    ldr r12, [sp, #8]
.LBB0_1:
    vld1.32 {d16, d17}, [r0]!
    subs r4, r4, #1
    bne .LBB0_1
    cmp r12, r3
    popeq {r4, pc}
.LBB0_3:
    add r3, r3, #1
    cmp r3, r12
    bne .LBB0_3
    pop {r4, pc}
""", 1 << 24, 1, 0, 0, 6)  # fmt: skip
    assert found == Counts((1, 2, 1, 6, 1), True)


def test_riscv_counts_with_stack_behind_vectors_of_unknown_length() -> None:
    found = count(RISCV, """
f:
    addi sp, sp, -32
    csrr t0, vlenb
    slli t0, t0, 1
    sub sp, sp, t0
    add t1, sp, t0
    li a2, 3
    sd a2, 8(t1)
.LBB0_1:
    csrr t2, vlenb
    sh1add t2, t2, sp
    ld a3, 8(t2)
.LBB0_2:
    vsetvli zero, a1, e8, m1, ta, ma
    addiw a3, a3, -1
    bnez a3, .LBB0_2
    addi a1, a1, -1
    bgtz a1, .LBB0_1
    ret
""", 1 << 33, 4, features=("+v", "+zvl256b"))  # fmt: skip
    assert found == Counts((1, 4, 12, 4, 1), True)


def test_a_branch_on_data_is_told() -> None:
    found = count(ARM64, """
f:
    ldr w8, [x0]
    cbz w8, .LBB0_2
    add w8, w8, #1
.LBB0_2:
    ret
""", 1 << 33)  # fmt: skip
    assert found == Counts((1, 1, 1), False)


def test_a_loop_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MOST", 1000)
    with pytest.raises(GatewrightError, match="does not end"):
        count(ARM64, """
f:
    mov x8, #1
.LBB0_1:
    cbnz x8, .LBB0_1
    ret
""")  # fmt: skip
