"""Small programs, built once by ziglang for each core: kernels, faults, printing."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from gatewright.backends.firmware.emulator import Image
from gatewright.backends.firmware.toolchain import toolchain
from gatewright.backends.loops.machine import Machine
from gatewright.backends.zig import zig
from gatewright.boards import Board, load
from gatewright.boards.microcontroller import code_regions, data_regions

BOARDS = {
    "cortex-m0plus": "cortex-m0plus", "cortex-m3": "cortex-m3", "cortex-m4": "cortex-m4", "cortex-m7": "cortex-m7",
    "cortex-m33": "cortex-m33", "rv32imc": "riscv32-generic",
}  # fmt: skip
"""The board of each emulated core."""

MAIN = r"""
#include <stdint.h>
typedef unsigned char u8;
void *memset(void *d, int c, __SIZE_TYPE__ n) { volatile u8 *p = d; while (n--) *p++ = (u8)c; return d; }
void *memcpy(void *d, const void *s, __SIZE_TYPE__ n)
{ volatile u8 *p = d; const u8 *q = s; while (n--) *p++ = *q++; return d; }
#define KEPT __attribute__((used, noinline))

#if defined(__arm__) && !defined(__thumb2__) /* what the compiler's library has for cores that cannot */
KEPT uint32_t __aeabi_uidiv(uint32_t a, uint32_t b)
{
    uint32_t q = 0, r = 0;
    for (int i = 31; i >= 0; i--) { r = r << 1 | (a >> i & 1); if (r >= b) { r -= b; q |= 1u << i; } }
    return q;
}
KEPT uint64_t __aeabi_lmul(uint64_t a, uint64_t b)
{
    uint64_t s = 0;
    for (int i = 0; i < 64; i++) if (b >> i & 1) s += a << i;
    return s;
}
KEPT uint64_t __aeabi_llsl(uint64_t a, int n)
{
    uint32_t low = (uint32_t)a, high = (uint32_t)(a >> 32);
    if (n >= 32) return (uint64_t)(low << (n - 32)) << 32;
    return n ? (uint64_t)(high << n | low >> (32 - n)) << 32 | low << n : a;
}
KEPT uint64_t __aeabi_llsr(uint64_t a, int n)
{
    uint32_t low = (uint32_t)a, high = (uint32_t)(a >> 32);
    if (n >= 32) return high >> (n - 32);
    return n ? (uint64_t)(high >> n) << 32 | (low >> n | high << (32 - n)) : a;
}
#endif

int8_t input[64], output[64];
const int8_t weights[64] = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, 15, -16};
int32_t started = 41;
static volatile uint32_t sink;
extern volatile int32_t given; /* zero, unless it is loaded; after the stack, outside of the image */

/* y[i] = saturate(x[i] * w[i] + started), 64 times */
KEPT void scale(void)
{
    for (int i = 0; i < 64; i++) {
        int32_t v = input[i] * weights[i] + started;
        output[i] = (int8_t)(v > 127 ? 127 : v < -128 ? -128 : v);
    }
}

KEPT int32_t add4(int32_t a, int32_t b, int32_t c, int32_t d) { return a + 2 * b + 3 * c + 4 * d; }

KEPT int64_t wide(int32_t a, int32_t b) { return (int64_t)a * b; }
KEPT uint32_t divided(uint32_t a, uint32_t b) { return a / b; }

KEPT static int32_t inner(int32_t n)
{
    int32_t s = 0;
#pragma clang loop unroll(disable)
    for (int32_t i = 0; i < n; i++) s += i ^ (int32_t)sink;
    return s;
}
KEPT static int32_t deep(int32_t n)
{
    volatile int32_t room[200];
    for (int i = 0; i < 200; i++) room[i] = n + i;
    return room[17] + inner(n);
}
KEPT int32_t nested(int32_t n) { return deep(n) + inner(2 * n) + inner(3); }

KEPT uint32_t fibonacci(uint32_t n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2) + sink; }
KEPT int32_t through(int32_t n) { int32_t (*volatile f)(int32_t) = inner; return f(n) + 1; }
KEPT int32_t variable(int32_t n)
{
    volatile int32_t room[n];
    room[0] = n; room[n - 1] = 3;
    return room[0] + inner(room[n - 1]);
}
/* a big frame, which takes a constant from a register to make */
KEPT int32_t big(int32_t n)
{
    volatile int32_t room[3000];
    for (int i = 0; i < 3000; i++) room[i] = i;
    return room[n] + inner(2);
}
KEPT int32_t choose(int32_t n)
{
    switch (n) {
    case 0: return inner(1); case 1: return 77 + (int32_t)sink; case 2: return inner(5) + 2; case 3: return n * 9;
    case 4: return inner(7) * 3; case 5: return 12; case 6: return inner(n); default: return -1;
    }
}

KEPT int32_t read_nothing(void) { return *(volatile int32_t *)0x70000000; }
KEPT void write_code(void) { *(volatile int8_t *)weights = 1; }
KEPT void jump_nowhere(void) { ((void (*)(void))0x70000001)(); }
KEPT int32_t unaligned(void) { return *(volatile int32_t *)((uintptr_t)input | 1); }
KEPT void endless(void) { for (;;) sink++; }

static int host(int operation, const void *parameter)
{
#ifdef __arm__
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameter;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
#else
    register int r0 __asm__("a0") = operation;
    register const void *r1 __asm__("a1") = parameter;
    __asm__ volatile(".option push\n.option norvc\n.balign 16\nslli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n.option pop"
                     : "+r"(r0) : "r"(r1) : "memory");
#endif
    return r0;
}
KEPT void quit(int status)
{
    uint32_t block[2] = {0x20026, (uint32_t)status};
    host(0x20, block);
    for (;;) { }
}
KEPT void breakpoint(void)
{
#ifdef __arm__
    __asm__ volatile("bkpt 1");
#else
    __asm__ volatile("ebreak");
#endif
}
KEPT void asks(void) { uint32_t block[3] = {0}; host(0x01, block); }

#if defined(__thumb2__)
/* instructions of an IT block count whether or not their conditions hold, as in QEMU */
KEPT __attribute__((naked)) int32_t conditional(int32_t a)
{
    __asm__ volatile(
        "cmp r0, #5\n ittet gt\n addgt r0, #1\n addgt r0, #2\n suble r0, #1\n addgt r0, #3\n"
        "cmp r0, #100\n it gt\n bxgt lr\n cbz r0, 1f\n ite eq\n moveq r0, #1\n addne r0, #7\n 1: bx lr");
}
#else
KEPT int32_t conditional(int32_t a) { return a > 5 ? a + 6 : a - 1; }
#endif

int main(void)
{
    for (int i = 0; i < 64; i++) input[i] = (int8_t)(3 * i - 90);
    scale();
    sink = 0;
    int32_t sum = nested(10) + (int32_t)wide(1 << 20, 12345) + (int32_t)divided(1000003, 17);
    for (int i = -3; i < 120; i += 7) sum += conditional(i) + choose(i & 7);
    sum += given;
    for (int i = 0; i < 64; i++) sum = sum * 31 + output[i];
    char text[] = "sum 00000000\n";
    for (int i = 0; i < 8; i++) text[11 - i] = "0123456789abcdef"[((uint32_t)sum >> (4 * i)) & 15];
    host(0x04, text);
    host(0x03, "!");
    sink = (uint32_t)(fibonacci(10) + (uint32_t)through(3) + (uint32_t)variable(9) + (uint32_t)big(4));
    return 7;
}

#ifdef __arm__
extern uint32_t _estack[];
void reset(void)
{
#ifdef __ARM_FEATURE_MVE
    *(volatile uint32_t *)0xE000ED88 |= 15 << 20; /* Helium is off at first */
    __asm__ volatile("dsb\n isb");
#endif
    quit(main());
}
void fault(void) { quit(99); }
__attribute__((section(".vectors"), used)) void *const vectors[7] = {_estack, reset, fault, fault, fault, fault, fault};
#else
__attribute__((naked, section(".vectors"), used)) void reset(void) { __asm__ volatile("la sp, _estack\n j begin"); }
KEPT void begin(void) { quit(main()); }
#endif
"""

SCRIPT = """\
MEMORY {{ ROM (rx) : ORIGIN = {code:#x}, LENGTH = {code_size}
 RAM (rwx) : ORIGIN = {data:#x}, LENGTH = {data_size} }}
SECTIONS {{
 .text : {{ KEEP(*(.vectors)) *(.text*) *(.rodata*) *(.srodata*) }} > ROM
 .ARM.exidx : {{ *(.ARM.exidx*) }} > ROM
 .data : {{ *(.data*) *(.sdata*) }} > RAM
 .bss (NOLOAD) : {{ *(.bss*) *(.sbss*) *(COMMON) }} > RAM
 _estack = {data:#x} + 0x10000;
 given = {data:#x} + 0x18000;
}}
"""


def board_of(core: str) -> Board:
    return load(BOARDS[core])


@cache
def built(core: str, source: str = MAIN, level: str = "-O2") -> bytes:
    """Give the linked program for a core, as the bytes of its ELF file."""
    return build(board_of(core), source, level)


def build(board: Board, source: str, level: str, *, hard: bool = False) -> bytes:
    told, code, data = board.compiler, code_regions(board)[0], data_regions(board)[0]
    assert told is not None
    script = SCRIPT.format(
        code=code.address, code_size=int(code.size_kib.value * 1024), data=data.address,
        data_size=int(data.size_kib.value * 1024),
    )  # fmt: skip
    features = tuple(f for f in told.features if hard or not f.startswith(("+vfp", "+fp")))
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "main.c").write_text(source)
        (folder / "link.ld").write_text(script)
        triple = told.triple if hard else told.triple.removesuffix("hf")
        flags = toolchain(Machine(triple, told.cpu, features, 0, told.abi)).zig
        linked = ("-nostdlib", "-T", "link.ld", "-Wl,-e,reset")
        plain = ("-g0", "-ffreestanding", "-fno-sanitize=all", "-w")
        zig(("cc", *flags, level, *plain, "main.c", *linked, "-o", "a.elf"), folder)
        return (folder / "a.elf").read_bytes()


@cache
def image(core: str) -> Image:
    return Image.read(built(core))
