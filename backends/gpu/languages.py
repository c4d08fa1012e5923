"""CUDA, OpenCL and Metal: three dialects of C."""

import re
from collections.abc import Mapping
from math import isinf, isnan
from struct import pack, unpack

from ..loops.code import Memory
from .text import Language, unsupported
from .threads import Kernel
from .wgsl import Wgsl

C_TYPES = {
    "bool": "bool", "int8": "char", "uint8": "uchar", "int16": "short", "uint16": "ushort", "int32": "int",
    "uint32": "uint", "int64": "long", "uint64": "ulong", "float32": "float", "float64": "double",
    "float16": "ushort", "bfloat16": "ushort",
}  # fmt: skip
CUDA_TYPES = {
    "int8": "signed char", "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int",
    "float16": "unsigned short", "bfloat16": "unsigned short",
    "int64": "long long", "uint64": "unsigned long long",
}  # fmt: skip
CUDA_BITS = {
    ("float32", "int32"): "__float_as_int", ("int32", "float32"): "__int_as_float",
    ("float64", "int64"): "__double_as_longlong", ("int64", "float64"): "__longlong_as_double",
}  # fmt: skip
INTRINSICS = {"nearbyint": "rint", "abs": "fabs"}
"""Operations of processors that C calls otherwise."""
EXACT = ("rint", "fabs", "floor", "ceil", "trunc", "fmod")
"""Functions of Metal that have no faster, less exact form."""
EXTREME = (-(1 << 31), -(1 << 63))
"""Integers whose digits alone are too large for their type."""


class _Dialect(Language):
    """What the dialects have in common."""

    long = "L"
    inline = "static inline"
    unroll = "#pragma unroll"

    def type(self, dtype: str) -> str:
        return C_TYPES[dtype]

    def literal(self, number: int | float, dtype: str) -> str:
        if dtype.startswith("float"):
            return self._real(float(number), dtype)
        suffix = self.long if dtype == "int64" else ""
        if number in EXTREME:
            return f"({int(number) + 1}{suffix} - 1)"
        return f"{int(number)}{suffix}"

    def _real(self, number: float, dtype: str) -> str:
        if isinf(number) or isnan(number):
            word = unpack("<i", pack("<f", number))[0]
            text = self.bits(self.literal(word, "int32"), "int32", "float32")
            return text if dtype == "float32" else self.cast(text, "float32", dtype)
        return f"{number!r}f" if dtype == "float32" else repr(number)

    def declared(self, name: str, dtype: str, value: str) -> str:
        return f"const {self.type(dtype)} {name} = {value};"

    def room(self, memory: Memory) -> str:
        space = f"{self.shared} " if memory.shared else ""
        return f"{space}{self.type(memory.dtype)} {memory.name}[{memory.size}];"

    shared: str

    def loop(self, name: str, begin: str, end: str, unrolled: bool) -> str:
        head = f"for (int {name} = {begin}; {name} < {end}; ++{name}) {{"
        return f"{self.unroll}\n{head}" if unrolled and self.unroll else head

    def cast(self, value: str, source: str, dtype: str) -> str:
        return f"({self.type(dtype)}){value}"

    def chosen(self, condition: str, a: str, b: str, dtype: str) -> str:
        return f"{condition} ? {a} : {b}"

    def function(self, name: str, dtype: str) -> str:
        return INTRINSICS.get(name, name.removesuffix("f"))


DOT4 = """
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 610
  for (int i = 0; i < 32; i += 8) c += (int)(signed char)(a >> i) * (int)(signed char)(b >> i);
  return c;
#else
  return __dp4a(a, b, c);
#endif
"""
"""Processors before sm_61 have no instruction for it."""
MULTIPLY_PIECES = """\
#ifndef GATEWRIGHT_EMULATOR
static __device__ __forceinline__ int4 gatewright_mma_m16n8k32(
    int a0, int a1, int a2, int a3, int b0, int b1, int4 c) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(c.x), "+r"(c.y), "+r"(c.z), "+r"(c.w) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  return c;
}
#endif
static __device__ __forceinline__ void multiply_pieces(
    int *sums, int at, int a0, int a1, int a2, int a3, int b0, int b1) {
  const int4 c = make_int4(sums[at], sums[at + 1], sums[at + 2], sums[at + 3]);
  const int4 d = gatewright_mma_m16n8k32(a0, a1, a2, a3, b0, b1, c);
  sums[at] = d.x;
  sums[at + 1] = d.y;
  sums[at + 2] = d.z;
  sums[at + 3] = d.w;
}"""
"""Adds the product of a piece of 16 by 32 bytes and one of 32 by 8 to four sums of each thread."""
MULTIPLY_QUARTERS = """\
#ifndef GATEWRIGHT_EMULATOR
static __device__ __forceinline__ int2 gatewright_mma_m8n8k16(int a, int b, int2 c) {
  asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};"
      : "+r"(c.x), "+r"(c.y) : "r"(a), "r"(b));
  return c;
}
#endif
static __device__ __forceinline__ void multiply_quarters(
    int *sums, int at, int a0, int a1, int a2, int a3, int b0, int b1) {
  const int2 upper = gatewright_mma_m8n8k16(a0, b0, make_int2(sums[at], sums[at + 1]));
  const int2 lower = gatewright_mma_m8n8k16(a1, b0, make_int2(sums[at + 2], sums[at + 3]));
  const int2 c = gatewright_mma_m8n8k16(a2, b1, upper);
  const int2 d = gatewright_mma_m8n8k16(a3, b1, lower);
  sums[at] = c.x;
  sums[at + 1] = c.y;
  sums[at + 2] = d.x;
  sums[at + 3] = d.y;
}"""
"""The same by the pieces of 8 by 16 and 16 by 8 bytes that processors of sm_75 multiply: each thread holds the same
elements."""


HALVES = """\
INLINE float float32_of_bfloat16(USHORT x) { return TO_FLOAT((int)x << 16); }
---
INLINE USHORT bfloat16_of_float32(float x) {
  const UINT bits = (UINT)TO_INT(x);
  return (USHORT)((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
---
INLINE float float32_of_float16(USHORT x) {
#ifdef DEVICE
  WIDEN
#else
  const UINT size = x & 0x7fffu;
  const UINT normal = (size << 13) + (size >= 0x7c00u ? 0x70000000u : 0x38000000u);
  const UINT found = size < 0x400u ? (UINT)TO_INT((float)size * 5.9604644775390625e-08f) : normal;
  return TO_FLOAT((int)(found | (x & 0x8000u) << 16));
#endif
}
---
INLINE USHORT float16_of_float32(float x) {
#ifdef DEVICE
  NARROW
#else
  const UINT bits = (UINT)TO_INT(x), size = bits & 0x7fffffffu;
  const UINT normal = (size + 0xc8000fffu + (size >> 13 & 1u)) >> 13;
  const UINT small = (UINT)TO_INT(TO_FLOAT((int)size) + 0.5f) - 0x3f000000u;
  const UINT special = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const UINT found = size >= 0x477ff000u ? special : size < 0x38800000u ? small : normal;
  return (USHORT)(found | (bits >> 16 & 0x8000u));
#endif
}"""
"""Floats of 16 bits from their bits and back, halves to even: by the device's instructions, and where kernels are
emulated in integers. In units of 2^-24 small numbers are rounded by a sum with 0.5."""


def _halves(inline: str, **words: str) -> dict[str, str]:
    """Give the functions of ``HALVES`` in a dialect's words, by name."""
    text = HALVES
    for word, meaning in {"INLINE": inline, **words}.items():
        text = re.sub(rf"\b{word}\b", meaning.replace("\\", r"\\"), text)
    parts = text.split("\n---\n")
    return {part.partition("(")[0].split()[-1]: part for part in parts}


def _dialect(inline: str, dot: str) -> dict[str, str]:
    """Give the functions that stand before kernels; ``dot`` adds the products of four signed bytes in a, b to c."""
    return {
        "greater64": f"{inline} double greater64(double a, double b) {{ return a > b ? a : b; }}",
        "lesser64": f"{inline} double lesser64(double a, double b) {{ return a < b ? a : b; }}",
        "greater": f"{inline} float greater(float a, float b) {{ return a > b ? a : b; }}",
        "lesser": f"{inline} float lesser(float a, float b) {{ return a < b ? a : b; }}",
        "dot4": f"{inline} int dot4(int a, int b, int c) {{{dot}}}",
    }


class _Cuda(_Dialect):
    """CUDA C++; nothing is included, so that it compiles at run time too."""

    kind, suffix, long, shared = "cuda", "cu", "LL", "__shared__"
    helpers: Mapping[str, str] = {
        **_dialect("static __device__ __forceinline__", DOT4), "multiply_pieces": MULTIPLY_PIECES,
        "multiply_quarters": MULTIPLY_QUARTERS,
        **_halves(
            "static __device__ __forceinline__", USHORT="unsigned short", UINT="unsigned int", DEVICE="__CUDA_ARCH__",
            TO_FLOAT="__int_as_float", TO_INT="__float_as_int",
            WIDEN='float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x)); return y;',
            NARROW='unsigned short y; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x)); return y;',
        ),
    }  # fmt: skip

    def type(self, dtype: str) -> str:
        return CUDA_TYPES.get(dtype) or super().type(dtype)

    def head(self, name: str, kernel: Kernel) -> str:
        told = [f"{'' if p.written else 'const '}{self.type(p.dtype)} *__restrict__ {p.name}" for p in kernel.ports]
        return f'extern "C" __global__ void __launch_bounds__({kernel.threads}) {name}({", ".join(told)}) {{'

    def index(self, tag: str) -> str:
        return "(int)threadIdx.x" if tag == "thread" else f"(int)blockIdx.{tag[-1]}"

    def bits(self, value: str, source: str, dtype: str) -> str:
        return f"{CUDA_BITS[source, dtype]}({value})"

    def function(self, name: str, dtype: str) -> str:
        name = super().function(name, dtype)
        return name if dtype == "float64" else f"{name}f"

    def barrier(self) -> str:
        return "__syncthreads();"


class _OpenCl(_Dialect):
    """OpenCL C 1.2."""

    kind, suffix, shared = "opencl", "cl", "__local"
    helpers: Mapping[str, str] = {
        **_dialect(
            "static inline",
            " const char4 x = as_char4(a), y = as_char4(b); return c + x.x * y.x + x.y * y.y + x.z * y.z + x.w * y.w; ",
        ),
        **_halves(
            "static inline", USHORT="ushort", UINT="uint", DEVICE="__OPENCL_VERSION__", TO_FLOAT="as_float",
            TO_INT="as_int", WIDEN="return vload_half(0, (const half *)&x);",
            NARROW="ushort y; vstore_half_rte(x, 0, (half *)&y); return y;",
        ),
    }  # fmt: skip

    def type(self, dtype: str) -> str:
        if dtype == "float64":
            self.called.add("double")
        return super().type(dtype)

    def preface(self) -> str:
        wide = "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n" if "double" in self.called else ""
        return wide + super().preface()

    def head(self, name: str, kernel: Kernel) -> str:
        told = [
            f"__global {'' if p.written else 'const '}{self.type(p.dtype)} *restrict {p.name}" for p in kernel.ports
        ]
        size = f"__attribute__((reqd_work_group_size({kernel.threads}, 1, 1)))"
        return f"__kernel {size}\nvoid {name}({', '.join(told)}) {{"

    def index(self, tag: str) -> str:
        return "(int)get_local_id(0)" if tag == "thread" else f"(int)get_group_id({'xyz'.index(tag[-1])})"

    def bits(self, value: str, source: str, dtype: str) -> str:
        return f"as_{self.type(dtype)}({value})"

    def barrier(self) -> str:
        return "barrier(CLK_LOCAL_MEM_FENCE);"


class _Metal(_Dialect):
    """The Metal shading language 2."""

    kind, suffix, shared = "metal", "metal", "threadgroup"
    helpers: Mapping[str, str] = {
        **_dialect(
            "static inline",
            " const char4 x = as_type<char4>(a), y = as_type<char4>(b); "
            "return c + x.x * y.x + x.y * y.y + x.z * y.z + x.w * y.w; ",
        ),
        **_halves(
            "static inline", USHORT="ushort", UINT="uint", DEVICE="__METAL_VERSION__", TO_FLOAT="as_type<float>",
            TO_INT="as_type<int>", WIDEN="return float(as_type<half>(x));",
            NARROW="return as_type<ushort>(half(x));",
        ),
    }  # fmt: skip

    def type(self, dtype: str) -> str:
        if dtype == "float64":
            raise unsupported(dtype, "Metal")
        return super().type(dtype)

    def preface(self) -> str:
        return f"#include <metal_stdlib>\nusing namespace metal;\n{super().preface()}"

    def head(self, name: str, kernel: Kernel) -> str:
        told = [
            f"device {'' if p.written else 'const '}{self.type(p.dtype)} *{p.name} [[buffer({i})]]"
            for i, p in enumerate(kernel.ports)
        ]
        told += [
            "uint3 block [[threadgroup_position_in_grid]]", "uint3 within [[thread_position_in_threadgroup]]",
        ]  # fmt: skip
        return f"kernel void {name}({', '.join(told)}) {{"

    def index(self, tag: str) -> str:
        return "(int)within.x" if tag == "thread" else f"(int)block.{tag[-1]}"

    def bits(self, value: str, source: str, dtype: str) -> str:
        return f"as_type<{self.type(dtype)}>({value})"

    def function(self, name: str, dtype: str) -> str:
        name = super().function(name, dtype)
        return name if name in EXACT else f"precise::{name}"

    def barrier(self) -> str:
        return "threadgroup_barrier(mem_flags::mem_threadgroup);"


LANGUAGES: Mapping[str, type[Language]] = {language.kind: language for language in (_Cuda, _OpenCl, _Metal, Wgsl)}
"""The languages by what a board file calls them."""
