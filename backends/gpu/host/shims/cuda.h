/* The words of CUDA, for a CPU. */
#pragma once
#include "emulator.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#undef __restrict__
#define __restrict__ __restrict
#define __syncthreads() gatewright::barrier(__LINE__)
#define __syncwarp(...) gatewright::warp_barrier(__LINE__)

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef long long longlong;

#define GATEWRIGHT_VECTORS(type, name)                                                     \
    typedef type name##2 __attribute__((ext_vector_type(2), aligned(2 * sizeof(type))));   \
    typedef type name##3 __attribute__((ext_vector_type(3), aligned(sizeof(type))));       \
    typedef type name##4 __attribute__((ext_vector_type(4), aligned(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16))); \
    static inline name##2 make_##name##2(type x, type y) { return name##2{x, y}; }         \
    static inline name##3 make_##name##3(type x, type y, type z) { return name##3{x, y, z}; } \
    static inline name##4 make_##name##4(type x, type y, type z, type w) { return name##4{x, y, z, w}; }

GATEWRIGHT_VECTORS(signed char, char)
GATEWRIGHT_VECTORS(unsigned char, uchar)
GATEWRIGHT_VECTORS(short, short)
GATEWRIGHT_VECTORS(unsigned short, ushort)
GATEWRIGHT_VECTORS(int, int)
GATEWRIGHT_VECTORS(unsigned int, uint)
GATEWRIGHT_VECTORS(long long, longlong)
GATEWRIGHT_VECTORS(unsigned long long, ulonglong)
GATEWRIGHT_VECTORS(float, float)
GATEWRIGHT_VECTORS(double, double)

static gatewright::Index &threadIdx = gatewright::thread_index, &blockIdx = gatewright::block_index, &blockDim = gatewright::threads,
                         &gridDim = gatewright::blocks;

#define GATEWRIGHT_MINMAX(type)                                            \
    static inline type min(type a, type b) { return b < a ? b : a; }       \
    static inline type max(type a, type b) { return a < b ? b : a; }

GATEWRIGHT_MINMAX(int)
GATEWRIGHT_MINMAX(unsigned int)
GATEWRIGHT_MINMAX(long)
GATEWRIGHT_MINMAX(unsigned long)
GATEWRIGHT_MINMAX(long long)
GATEWRIGHT_MINMAX(unsigned long long)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }

template <typename T> static inline T __ldg(const T *address) { return *address; }
static inline int __dp4a(int a, int b, int c) { return gatewright::dot4(a, b, c); }
static inline int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static inline long long __mul64hi(long long a, long long b) { return (long long)((__int128)a * b >> 64); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
static inline int __clz(int a) { return a ? __builtin_clz((unsigned)a) : 32; }
static inline int __clzll(long long a) { return a ? __builtin_clzll((unsigned long long)a) : 64; }
static inline int __popc(unsigned a) { return __builtin_popcount(a); }
static inline int __float_as_int(float a) { return gatewright::bits<int>(a); }
static inline unsigned __float_as_uint(float a) { return gatewright::bits<unsigned>(a); }
static inline float __int_as_float(int a) { return gatewright::bits<float>(a); }
static inline float __uint_as_float(unsigned a) { return gatewright::bits<float>(a); }
static inline long long __double_as_longlong(double a) { return gatewright::bits<long long>(a); }
static inline double __longlong_as_double(long long a) { return gatewright::bits<double>(a); }
static inline float __fdividef(float a, float b) { return a / b; }
#define __expf(a) expf(a)
#define __logf(a) logf(a)
#define __powf(a, b) powf(a, b)
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline float rsqrtf(float a) { return 1.0f / sqrtf(a); }

static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    unsigned long long both = (unsigned long long)b << 32 | a;
    unsigned result = 0;
    for (int i = 0; i < 4; i++) {
        unsigned pick = selector >> 4 * i & 15, byte = (unsigned)(both >> 8 * (pick & 7)) & 255;
        result |= (pick & 8 ? (byte & 128 ? 255u : 0u) : byte) << 8 * i;
    }
    return result;
}

namespace gatewright {

static unsigned exchange[MOST][12];

/** What each thread of a warp holds becomes what all of them can read, until the next exchange. */
static inline unsigned lane_of_warp() { return current % WARP; }

template <int N> static inline const unsigned (*give(const unsigned (&mine)[N], int line))[12] {
    warp_barrier(line);
    memcpy(exchange[current], mine, sizeof mine);
    warp_barrier(line);
    return exchange + current / WARP * WARP;
}

/** d = a b + c of 8-bit integers, a of 16 rows and b of 8 columns, spread over a warp as PTX ISA 9.7.15 (mma.m16n8k32
 * and m16n8k16) says: `a` holds rows lane / 4 and 8 more, `b` column lane / 4, both by fours; c and d columns
 * 2 (lane % 4) and the one after it.
 */
template <int A, int B> static inline void multiply(int (&d)[4], const unsigned (&mine)[A + B], const int (&c)[4], int line) {
    const unsigned (*all)[12] = give(mine, line);
    unsigned lane = lane_of_warp();
    for (int i = 0; i < 4; i++) {
        unsigned row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
        int sum = c[i];
        for (unsigned k = 0; k < 16 * B; k += 4) {
            unsigned high = k / 16, from = k % 16 / 4;
            unsigned left = all[row % 8 * 4 + from][2 * high + row / 8], right = all[column * 4 + from][A + high];
            sum = dot4((int)left, (int)right, sum);
        }
        d[i] = sum;
    }
}

}  // namespace gatewright

template <typename T> static inline T __shfl_sync(unsigned, T value, int from, int width = 32, int line = __builtin_LINE()) {
    static_assert(sizeof(T) == 4, "of four bytes");
    const unsigned mine[1] = {gatewright::bits<unsigned>(value)};
    unsigned lane = gatewright::lane_of_warp(), base = lane / width * width;
    return gatewright::bits<T>(gatewright::give(mine, line)[base + (unsigned)from % width][0]);
}
template <typename T> static inline T __shfl_xor_sync(unsigned m, T value, int mask, int width = 32, int line = __builtin_LINE()) {
    return __shfl_sync(m, value, (int)(gatewright::lane_of_warp() ^ mask), width, line);
}
template <typename T> static inline T __shfl_down_sync(unsigned m, T value, unsigned by, int width = 32, int line = __builtin_LINE()) {
    unsigned lane = gatewright::lane_of_warp();
    return __shfl_sync(m, value, (int)(lane % width + by < (unsigned)width ? lane + by : lane), width, line);
}

static inline int4 gatewright_mma_m16n8k32(int a0, int a1, int a2, int a3, int b0, int b1, int4 c, int line = __builtin_LINE()) {
    const unsigned mine[6] = {(unsigned)a0, (unsigned)a1, (unsigned)a2, (unsigned)a3, (unsigned)b0, (unsigned)b1};
    const int before[4] = {c.x, c.y, c.z, c.w};
    int d[4];
    gatewright::multiply<4, 2>(d, mine, before, line);
    return make_int4(d[0], d[1], d[2], d[3]);
}
static inline int4 gatewright_mma_m16n8k16(int a0, int a1, int b0, int4 c, int line = __builtin_LINE()) {
    const unsigned mine[3] = {(unsigned)a0, (unsigned)a1, (unsigned)b0};
    const int before[4] = {c.x, c.y, c.z, c.w};
    int d[4];
    gatewright::multiply<2, 1>(d, mine, before, line);
    return make_int4(d[0], d[1], d[2], d[3]);
}
static inline int2 gatewright_mma_m8n8k16(int a, int b, int2 c, int line = __builtin_LINE()) {
    const unsigned mine[2] = {(unsigned)a, (unsigned)b};
    const unsigned (*all)[12] = gatewright::give(mine, line);
    unsigned lane = gatewright::lane_of_warp(), row = lane / 4, column = lane % 4 * 2;
    for (unsigned k = 0; k < 4; k++) {
        c.x = gatewright::dot4((int)all[row * 4 + k][0], (int)all[column * 4 + k][1], c.x);
        c.y = gatewright::dot4((int)all[row * 4 + k][0], (int)all[column * 4 + 4 + k][1], c.y);
    }
    return c;
}
