/* Floating point as far as networks use it beside + - * /: every function rounds as IEEE 754 says, without a library. */
#ifndef GW_FLOAT_H
#define GW_FLOAT_H

#include "gw.h"

union gw_bits32 { float real; int32_t whole; uint32_t bits; };
union gw_bits64 { double real; int64_t whole; uint64_t bits; };

static inline float gw_float32_of_int32(int32_t v) { union gw_bits32 b; b.whole = v; return b.real; }
static inline int32_t gw_int32_of_float32(float v) { union gw_bits32 b; b.real = v; return b.whole; }
static inline double gw_float64_of_int64(int64_t v) { union gw_bits64 b; b.whole = v; return b.real; }
static inline int64_t gw_int64_of_float64(double v) { union gw_bits64 b; b.real = v; return b.whole; }
#if defined(__GNUC__) || defined(__clang__) /* constants, which arrays may begin with */
#define GW_INFINITY __builtin_inff()
#define GW_NAN __builtin_nanf("")
#else
#define GW_INFINITY gw_float32_of_int32(0x7f800000)
#define GW_NAN gw_float32_of_int32(0x7fc00000)
#endif

/* Floats of 16 bits, which memory holds as their bits; to them with halves to even. */
static inline float gw_float32_of_bfloat16(uint16_t v) { return gw_float32_of_int32((int32_t)((uint32_t)v << 16)); }

static inline uint16_t gw_bfloat16_of_float32(float v)
{
    uint32_t bits = (uint32_t)gw_int32_of_float32(v);
    return (uint16_t)(v != v ? 0x7fc0u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static inline float gw_float32_of_float16(uint16_t v)
{
    uint32_t size = v & 0x7fffu, bits = (size << 13) + (size >= 0x7c00u ? 0x70000000u : 0x38000000u);
    if (size < 0x400u) bits = (uint32_t)gw_int32_of_float32((float)size * 5.9604644775390625e-08f);
    return gw_float32_of_int32((int32_t)(bits | (v & 0x8000u) << 16));
}

static inline uint16_t gw_float16_of_float32(float v)
{
    uint32_t bits = (uint32_t)gw_int32_of_float32(v), size = bits & 0x7fffffffu, found;
    if (size >= 0x477ff000u) found = size > 0x7f800000u ? 0x7e00u : 0x7c00u; /* 65520 and beyond */
    else if (size >= 0x38800000u) found = (size - 0x37fff001u + (size >> 13 & 1u)) >> 13;
    else found = (uint32_t)gw_int32_of_float32(gw_float32_of_int32((int32_t)size) + 0.5f) - 0x3f000000u;
    return (uint16_t)(found | (bits >> 16 & 0x8000u));
}

/* Whole numbers, toward zero; 0 where there is no number. What is beyond the type was clamped before. */
static inline int32_t gw_whole32f(float x) { return x == x ? (int32_t)x : 0; }
static inline int32_t gw_whole32d(double x) { return x == x ? (int32_t)x : 0; }
static inline int64_t gw_whole64f(float x) { return x == x ? (int64_t)x : 0; }
static inline int64_t gw_whole64d(double x) { return x == x ? (int64_t)x : 0; }

static inline float gw_minf(float a, float b) { return a < b ? a : b; }
static inline float gw_maxf(float a, float b) { return a > b ? a : b; }
static inline double gw_mind(double a, double b) { return a < b ? a : b; }
static inline double gw_maxd(double a, double b) { return a > b ? a : b; }

static inline float gw_absf(float x) { return gw_float32_of_int32(gw_int32_of_float32(x) & 0x7fffffff); }
static inline double gw_absd(double x) { return gw_float64_of_int64(gw_int64_of_float64(x) & INT64_MAX); }

static inline float gw_truncf(float x)
{
    union gw_bits32 b;
    int32_t e;
    b.real = x;
    e = (int32_t)(b.bits >> 23 & 0xff) - 127;
    if (e < 0) b.bits &= 0x80000000u;
    else if (e < 23) b.bits &= ~(0x007fffffu >> e);
    return b.real;
}

static inline double gw_truncd(double x)
{
    union gw_bits64 b;
    int32_t e;
    b.real = x;
    e = (int32_t)(b.bits >> 52 & 0x7ff) - 1023;
    if (e < 0) b.bits &= UINT64_C(0x8000000000000000);
    else if (e < 52) b.bits &= ~(UINT64_C(0x000fffffffffffff) >> e);
    return b.real;
}

static inline float gw_floorf(float x) { float t = gw_truncf(x); return t > x ? t - 1.0f : t; }
static inline double gw_floord(double x) { double t = gw_truncd(x); return t > x ? t - 1.0 : t; }
static inline float gw_ceilf(float x) { float t = gw_truncf(x); return t < x ? t + 1.0f : t; }
static inline double gw_ceild(double x) { double t = gw_truncd(x); return t < x ? t + 1.0 : t; }

/* To the nearest whole number, halves to the even one. */
static inline float gw_nearbyintf(float x)
{
    float t = gw_truncf(x), rest = gw_absf(x - t), one = x < 0.0f ? -1.0f : 1.0f;
    if (gw_absf(x) >= 8388608.0f || x != x) return x;
    if (rest > 0.5f || (rest == 0.5f && gw_truncf(t * 0.5f) * 2.0f != t)) t += one;
    return t;
}

static inline double gw_nearbyintd(double x)
{
    double t = gw_truncd(x), rest = gw_absd(x - t), one = x < 0.0 ? -1.0 : 1.0;
    if (gw_absd(x) >= 4503599627370496.0 || x != x) return x;
    if (rest > 0.5 || (rest == 0.5 && gw_truncd(t * 0.5) * 2.0 != t)) t += one;
    return t;
}

/* The square root, correctly rounded: the instruction where there is one, else digit by digit. */
static inline float gw_sqrtf(float x)
{
#if defined(__ARM_FP) && (__ARM_FP & 4) && (defined(__GNUC__) || defined(__clang__))
    float r;
    __asm__("vsqrt.f32 %0, %1" : "=t"(r) : "t"(x));
    return r;
#else
    union gw_bits32 b;
    uint64_t rest, root = 0, bit;
    uint32_t fraction;
    int32_t e;
    b.real = x;
    if (x != x || x == 0.0f || b.bits == 0x7f800000u) return x;
    if (b.whole < 0) return GW_NAN;
    e = (int32_t)(b.bits >> 23);
    fraction = b.bits & 0x007fffffu;
    if (e != 0) fraction |= 0x00800000u;
    else for (e = 1; !(fraction & 0x00800000u); e--) fraction <<= 1;
    e -= 127;
    rest = (uint64_t)fraction << (e & 1 ? 26 : 25);
    for (bit = UINT64_C(1) << 48; bit != 0; bit >>= 2) {
        if (rest >= root + bit) {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    /* 25 bits of the root; it is never half way between two floats */
    b.whole = ((e - (e & 1)) / 2 + 126) * 0x00800000 + (int32_t)((root + 1) >> 1);
    return b.real;
#endif
}

#endif
