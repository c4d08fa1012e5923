/* The words of WGSL, in which every type is a function too, for a CPU. */
#pragma once
#include "emulator.h"

typedef int i32;
typedef unsigned int u32;
typedef float f32;

template <typename T> struct Vector { typedef T two __attribute__((ext_vector_type(2))); typedef T four __attribute__((ext_vector_type(4))); };
template <typename T> using vec2 = typename Vector<T>::two;
template <typename T> using vec4 = typename Vector<T>::four;

#define workgroupBarrier() gatewright::barrier(__LINE__)
#define storageBarrier() gatewright::barrier(__LINE__)

#define GATEWRIGHT_MINMAX(type)                                            \
    static inline type min(type a, type b) { return b < a ? b : a; }       \
    static inline type max(type a, type b) { return a < b ? b : a; }       \
    static inline type clamp(type x, type low, type high) { return min(max(x, low), high); }
GATEWRIGHT_MINMAX(i32)
GATEWRIGHT_MINMAX(u32)
static inline f32 min(f32 a, f32 b) { return fminf(a, b); }
static inline f32 max(f32 a, f32 b) { return fmaxf(a, b); }
static inline f32 clamp(f32 x, f32 low, f32 high) { return fminf(fmaxf(x, low), high); }

template <typename To, typename From> static inline To bitcast(From value) { return gatewright::bits<To>(value); }
template <typename T> static inline T select(T no, T yes, bool which) { return which ? yes : no; }
static inline i32 dot4I8Packed(u32 a, u32 b) { return gatewright::dot4((int)a, (int)b, 0); }
static inline u32 dot4U8Packed(u32 a, u32 b) {
    u32 sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (a >> 8 * i & 255) * (b >> 8 * i & 255);
    return sum;
}
static inline i32 extractBits(i32 x, u32 from, u32 count) { return count ? (i32)((u32)x << (32 - from - count)) >> (32 - count) : 0; }
static inline u32 extractBits(u32 x, u32 from, u32 count) { return count ? x << (32 - from - count) >> (32 - count) : 0; }
static inline i32 countLeadingZeros(i32 x) { return x ? __builtin_clz((u32)x) : 32; }
static inline u32 countLeadingZeros(u32 x) { return x ? (u32)__builtin_clz(x) : 32; }

#define GATEWRIGHT_REAL(name) static inline f32 name(f32 x) { return name##f(x); }
GATEWRIGHT_REAL(acos) GATEWRIGHT_REAL(acosh) GATEWRIGHT_REAL(asin) GATEWRIGHT_REAL(asinh) GATEWRIGHT_REAL(atan)
GATEWRIGHT_REAL(atanh) GATEWRIGHT_REAL(ceil) GATEWRIGHT_REAL(cos) GATEWRIGHT_REAL(cosh) GATEWRIGHT_REAL(exp)
GATEWRIGHT_REAL(exp2) GATEWRIGHT_REAL(floor) GATEWRIGHT_REAL(log) GATEWRIGHT_REAL(log2) GATEWRIGHT_REAL(sin)
GATEWRIGHT_REAL(sinh) GATEWRIGHT_REAL(sqrt) GATEWRIGHT_REAL(tan) GATEWRIGHT_REAL(tanh) GATEWRIGHT_REAL(trunc)
static inline f32 round(f32 x) { return rintf(x); }
static inline f32 inverseSqrt(f32 x) { return 1.0f / sqrtf(x); }
static inline f32 pow(f32 x, f32 y) { return powf(x, y); }
static inline f32 atan2(f32 x, f32 y) { return atan2f(x, y); }
static inline f32 fma(f32 x, f32 y, f32 z) { return fmaf(x, y, z); }
static inline f32 abs(f32 x) { return fabsf(x); }
static inline i32 abs(i32 x) { return x < 0 ? -x : x; }
static inline f32 ldexp(f32 x, i32 y) { return ldexpf(x, y); }

namespace gatewright {

/** As WGSL has it: by 0, and the lowest number by -1, gives the dividend, and leaves nothing. */
static inline i32 quotient(i32 a, i32 b) { return b == 0 || (b == -1 && a == INT32_MIN) ? a : a / b; }
static inline u32 quotient(u32 a, u32 b) { return b ? a / b : a; }
static inline f32 quotient(f32 a, f32 b) { return a / b; }

}  // namespace gatewright

template <typename T> static inline vec2<T> make2(T x, T y) { return vec2<T>{x, y}; }
template <typename T> static inline vec4<T> make4(T x, T y, T z, T w) { return vec4<T>{x, y, z, w}; }
template <typename T> static inline vec2<T> make2(T x) { return vec2<T>{x, x}; }
template <typename T> static inline vec4<T> make4(T x) { return vec4<T>{x, x, x, x}; }
