/* The words of Metal's shading language, for a CPU. */
#pragma once
#include "emulator.h"

#define kernel
#define device
#define constant const
#define thread
#define threadgroup_barrier(flags) gatewright::barrier(__LINE__)
#define simdgroup_barrier(flags) gatewright::warp_barrier(__LINE__)

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;

#define GATEWRIGHT_METAL(type)                                                                                     \
    typedef type type##2 __attribute__((ext_vector_type(2), aligned(2 * sizeof(type))));                            \
    typedef type type##3 __attribute__((ext_vector_type(3), aligned(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16))); \
    typedef type type##4 __attribute__((ext_vector_type(4), aligned(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16)));
GATEWRIGHT_METAL(char)
GATEWRIGHT_METAL(uchar)
GATEWRIGHT_METAL(short)
GATEWRIGHT_METAL(ushort)
GATEWRIGHT_METAL(int)
GATEWRIGHT_METAL(uint)
GATEWRIGHT_METAL(long)
GATEWRIGHT_METAL(ulong)
GATEWRIGHT_METAL(float)

namespace metal {

#define GATEWRIGHT_MINMAX(type)                                            \
    static inline type min(type a, type b) { return b < a ? b : a; }       \
    static inline type max(type a, type b) { return a < b ? b : a; }       \
    static inline type clamp(type x, type low, type high) { return min(max(x, low), high); }
GATEWRIGHT_MINMAX(int)
GATEWRIGHT_MINMAX(uint)
GATEWRIGHT_MINMAX(long)
GATEWRIGHT_MINMAX(ulong)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline float clamp(float x, float low, float high) { return fminf(fmaxf(x, low), high); }

template <typename To, typename From> static inline To as_type(From value) { return gatewright::bits<To>(value); }
template <typename T> static inline T select(T no, T yes, bool which) { return which ? yes : no; }
static inline int mulhi(int a, int b) { return (int)((long)a * b >> 32); }
static inline uint mulhi(uint a, uint b) { return (uint)((ulong)a * b >> 32); }

#define GATEWRIGHT_REAL(name) static inline float name(float x) { return name##f(x); }
GATEWRIGHT_REAL(acos) GATEWRIGHT_REAL(acosh) GATEWRIGHT_REAL(asin) GATEWRIGHT_REAL(asinh) GATEWRIGHT_REAL(atan)
GATEWRIGHT_REAL(atanh) GATEWRIGHT_REAL(ceil) GATEWRIGHT_REAL(cos) GATEWRIGHT_REAL(cosh) GATEWRIGHT_REAL(exp)
GATEWRIGHT_REAL(exp2) GATEWRIGHT_REAL(fabs) GATEWRIGHT_REAL(floor) GATEWRIGHT_REAL(log) GATEWRIGHT_REAL(log10)
GATEWRIGHT_REAL(log2) GATEWRIGHT_REAL(rint) GATEWRIGHT_REAL(round) GATEWRIGHT_REAL(sin) GATEWRIGHT_REAL(sinh)
GATEWRIGHT_REAL(sqrt) GATEWRIGHT_REAL(tan) GATEWRIGHT_REAL(tanh) GATEWRIGHT_REAL(trunc)
static inline float rsqrt(float x) { return 1.0f / sqrtf(x); }
static inline float pow(float x, float y) { return powf(x, y); }
static inline float powr(float x, float y) { return powf(x, y); }
static inline float atan2(float x, float y) { return atan2f(x, y); }
static inline float fmod(float x, float y) { return fmodf(x, y); }
static inline float fma(float x, float y, float z) { return fmaf(x, y, z); }
static inline float ldexp(float x, int y) { return ldexpf(x, y); }
static inline int abs(int x) { return x < 0 ? -x : x; }
static inline float abs(float x) { return fabsf(x); }

namespace fast = metal;
namespace precise = metal;

}  // namespace metal
