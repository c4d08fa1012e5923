/* The words of OpenCL C, for a CPU. */
#pragma once
#include "emulator.h"

#define __kernel
#define kernel
#define __global
#define __constant const
#define __private
#define restrict __restrict
#define CLK_LOCAL_MEM_FENCE 1
#define CLK_GLOBAL_MEM_FENCE 2
#define barrier(flags) gatewright::barrier(__LINE__)
#define work_group_barrier(flags) gatewright::barrier(__LINE__)
#define get_local_id(axis) ((unsigned long)threadIdx[axis])
#define get_group_id(axis) ((unsigned long)blockIdx[axis])
#define get_local_size(axis) ((unsigned long)gatewright::threads[axis])
#define get_num_groups(axis) ((unsigned long)gatewright::blocks[axis])
#define get_global_id(axis) (get_group_id(axis) * get_local_size(axis) + get_local_id(axis))

/* char is signed, long has 64 bits: see the compiler's options */
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;

#define GATEWRIGHT_VECTOR(type, n)                                                                                  \
    typedef type type##n __attribute__((ext_vector_type(n), aligned(n * sizeof(type) < 16 ? (n == 3 ? 4 : n) * sizeof(type) : 16))); \
    static inline type##n vload##n(size_t at, const type *p) {                                                      \
        type##n v;                                                                                                  \
        for (int i = 0; i < n; i++)                                                                                 \
            v[i] = p[at * n + i];                                                                                   \
        return v;                                                                                                   \
    }                                                                                                               \
    static inline void vstore##n(type##n v, size_t at, type *p) {                                                   \
        for (int i = 0; i < n; i++)                                                                                 \
            p[at * n + i] = v[i];                                                                                   \
    }
#define GATEWRIGHT_TYPE(type)                                                                                       \
    GATEWRIGHT_VECTOR(type, 2)                                                                                      \
    GATEWRIGHT_VECTOR(type, 3)                                                                                      \
    GATEWRIGHT_VECTOR(type, 4)                                                                                      \
    GATEWRIGHT_VECTOR(type, 8)                                                                                      \
    GATEWRIGHT_VECTOR(type, 16)                                                                                     \
    template <typename T> static inline type convert_##type(T x) { return (type)x; }                                \
    template <typename T> static inline type as_##type(T x) { return gatewright::bits<type>(x); }                   \
    template <typename T> static inline type##2 convert_##type##2(T x) { return __builtin_convertvector(x, type##2); } \
    template <typename T> static inline type##4 convert_##type##4(T x) { return __builtin_convertvector(x, type##4); } \
    template <typename T> static inline type##8 convert_##type##8(T x) { return __builtin_convertvector(x, type##8); } \
    template <typename T> static inline type##16 convert_##type##16(T x) { return __builtin_convertvector(x, type##16); } \
    template <typename T> static inline type##2 as_##type##2(T x) { return gatewright::bits<type##2>(x); }          \
    template <typename T> static inline type##4 as_##type##4(T x) { return gatewright::bits<type##4>(x); }

GATEWRIGHT_TYPE(char)
GATEWRIGHT_TYPE(uchar)
GATEWRIGHT_TYPE(short)
GATEWRIGHT_TYPE(ushort)
GATEWRIGHT_TYPE(int)
GATEWRIGHT_TYPE(uint)
GATEWRIGHT_TYPE(long)
GATEWRIGHT_TYPE(ulong)
GATEWRIGHT_TYPE(float)
GATEWRIGHT_TYPE(double)

static gatewright::Index &threadIdx = gatewright::thread_index, &blockIdx = gatewright::block_index;

template <typename T> static inline T min(T a, T b) { return b < a ? b : a; }
template <typename T> static inline T max(T a, T b) { return a < b ? b : a; }
template <typename T> static inline T clamp(T x, T low, T high) { return min(max(x, low), high); }
template <> inline float min(float a, float b) { return fminf(a, b); }
template <> inline float max(float a, float b) { return fmaxf(a, b); }
template <typename T> static inline T select(T no, T yes, int which) { return which ? yes : no; }
template <typename T> static inline T mad(T a, T b, T c) { return a * b + c; }
static inline int mul24(int a, int b) { return a * b; }
static inline int mul_hi(int a, int b) { return (int)((long)a * b >> 32); }
static inline uint mul_hi(uint a, uint b) { return (uint)((ulong)a * b >> 32); }
static inline long mul_hi(long a, long b) { return (long)((__int128)a * b >> 64); }
static inline ulong mul_hi(ulong a, ulong b) { return (ulong)((unsigned __int128)a * b >> 64); }

#define GATEWRIGHT_REAL(name) static inline float name(float x) { return name##f(x); }
GATEWRIGHT_REAL(acos) GATEWRIGHT_REAL(acosh) GATEWRIGHT_REAL(asin) GATEWRIGHT_REAL(asinh) GATEWRIGHT_REAL(atan)
GATEWRIGHT_REAL(atanh) GATEWRIGHT_REAL(cbrt) GATEWRIGHT_REAL(ceil) GATEWRIGHT_REAL(cos) GATEWRIGHT_REAL(cosh)
GATEWRIGHT_REAL(erf) GATEWRIGHT_REAL(exp) GATEWRIGHT_REAL(exp2) GATEWRIGHT_REAL(expm1) GATEWRIGHT_REAL(fabs)
GATEWRIGHT_REAL(floor) GATEWRIGHT_REAL(log) GATEWRIGHT_REAL(log10) GATEWRIGHT_REAL(log1p) GATEWRIGHT_REAL(log2)
GATEWRIGHT_REAL(rint) GATEWRIGHT_REAL(round) GATEWRIGHT_REAL(sin) GATEWRIGHT_REAL(sinh) GATEWRIGHT_REAL(sqrt)
GATEWRIGHT_REAL(tan) GATEWRIGHT_REAL(tanh) GATEWRIGHT_REAL(trunc)
static inline float rsqrt(float x) { return 1.0f / sqrtf(x); }
static inline float native_exp(float x) { return expf(x); }
static inline float native_recip(float x) { return 1.0f / x; }
static inline float pow(float x, float y) { return powf(x, y); }
static inline float atan2(float x, float y) { return atan2f(x, y); }
static inline float fmod(float x, float y) { return fmodf(x, y); }
static inline float fmin(float x, float y) { return fminf(x, y); }
static inline float fmax(float x, float y) { return fmaxf(x, y); }
static inline float fma(float x, float y, float z) { return fmaf(x, y, z); }
static inline float ldexp(float x, int y) { return ldexpf(x, y); }
