/* Arm's DSP extension (ACLE, section 8.5), and the same in plain C for cores without it. */
#ifndef GW_DSP_H
#define GW_DSP_H

#include "gw.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP && defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>

#if defined(__GNUC__) || defined(__clang__)
#define GW_DSP_ASSEMBLY
/* A pointer of which the compiler does not know where it comes from: offsets stay small enough for an instruction. */
static inline const gw_i32 *gw_opaque(const gw_i32 *p)
{
    __asm__("" : "+r"(p));
    return p;
}
#define GW_OPAQUE(p) gw_opaque(p)
#else
#define GW_OPAQUE(p) (p)
#endif

static inline int32_t gw_smlad(int32_t x, int32_t y, int32_t sum) { return __smlad(x, y, sum); }
static inline int32_t gw_sadd16(int32_t x, int32_t y) { return (int32_t)__sadd16(x, y); }
static inline int32_t gw_sxtb16(int32_t x) { return (int32_t)__sxtb16(x); }
static inline int32_t gw_sxtb16_8(int32_t x) { return (int32_t)__sxtb16((int32_t)((uint32_t)x >> 8 | (uint32_t)x << 24)); }
static inline int32_t gw_uxtb16(int32_t x) { return (int32_t)__uxtb16((uint32_t)x); }
static inline int32_t gw_uxtb16_8(int32_t x) { return (int32_t)__uxtb16((uint32_t)x >> 8 | (uint32_t)x << 24); }

#else
#define GW_OPAQUE(p) (p)

/* sum + x.low * y.low + x.high * y.high */
static inline int32_t gw_smlad(int32_t x, int32_t y, int32_t sum)
{
    int32_t low = (int16_t)x * (int16_t)y, high = (x >> 16) * (y >> 16);
    return gw_add32(gw_add32(sum, low), high);
}

/* The sums of both halves. */
static inline int32_t gw_sadd16(int32_t x, int32_t y)
{
    uint32_t a = (uint32_t)x, b = (uint32_t)y;
    return (int32_t)(((a + b) & 0xffffu) | ((a & 0xffff0000u) + (b & 0xffff0000u)));
}
/* Bytes 0 and 2, each widened to 16 bits; those with _8 bytes 1 and 3. */
static inline int32_t gw_sxtb16(int32_t x)
{
    return (int32_t)(((uint32_t)(int32_t)(int8_t)x & 0xffffu) | (uint32_t)(int32_t)(int8_t)(x >> 16) << 16);
}
static inline int32_t gw_sxtb16_8(int32_t x) { return gw_sxtb16((int32_t)((uint32_t)x >> 8)); }
static inline int32_t gw_uxtb16(int32_t x) { return x & 0x00ff00ff; }
static inline int32_t gw_uxtb16_8(int32_t x) { return x >> 8 & 0x00ff00ff; }

#endif

/* Two channels of a window, by two of its rows at once or by one: sum[0] of the lower halves, sum[1] of the upper ones.
 * Neighbouring columns are step words apart; weights, from at on: for each column those of both rows, one word a channel,
 * or those of both channels in one word. The windows of two positions, which are stride columns apart, have sum[2] and
 * sum[3] too: a column that both cover is read once. */
#ifdef GW_DSP_ASSEMBLY
/* Loads that keep their place among the instructions below. */
#define GW_HERE(x) (*(const volatile gw_i32 *)&(x))
#define GW_JOIN(x, y) \
    (p = GW_HERE(x), q = GW_HERE(y)); \
    __asm__ volatile("pkhbt %[l], %[x_], %[y_], lsl #16\n\tpkhtb %[h], %[y_], %[x_], asr #16" \
        : [l] "=&r"(low), [h] "=r"(high) : [x_] "r"(p), [y_] "r"(q))
#define GW_ADD_2(w, a, b) \
    __asm__ volatile("ldrd %[p], %[q], [%[w_]], #8\n\tsmlad %[a_], %[l], %[p], %[a_]\n\tsmlad %[b_], %[h], %[q], %[b_]" \
        : [a_] "+r"(a), [b_] "+r"(b), [p] "=&r"(p), [q] "=&r"(q), [w_] "+r"(w) : [l] "r"(low), [h] "r"(high))
#define GW_ADD_1(w, x, a, b) \
    __asm__ volatile("ldr %[p], [%[w_]], #4\n\tsmlabb %[a_], %[l], %[p], %[a_]\n\tsmlatt %[b_], %[l], %[p], %[b_]" \
        : [a_] "+r"(a), [b_] "+r"(b), [p] "=&r"(p), [w_] "+r"(w) : [l] "r"(x))
#else
#define GW_HERE(x) (x)
#define GW_JOIN(x, y) \
    (p = (x), q = (y), low = (int32_t)(((uint32_t)p & 0xffffu) | (uint32_t)q << 16), \
     high = (int32_t)(((uint32_t)q & 0xffff0000u) | (uint32_t)p >> 16))
#define GW_ADD_2(w, a, b) (a = gw_smlad(low, (w)[0], a), b = gw_smlad(high, (w)[1], b), (w) += 2)
#define GW_ADD_1(w, x, a, b) \
    (p = *(w)++, a = gw_add32(a, (int16_t)(x) * (int16_t)p), b = gw_add32(b, ((x) >> 16) * (p >> 16)))
#endif

static inline void gw_rows_2(const gw_i32 *x, int32_t first, int32_t second, const int32_t *weights, int32_t at,
                             int32_t step, int32_t columns, int32_t *sum)
{
    const gw_i32 *y = GW_OPAQUE(x + second);
    const int32_t *w = weights + at;
    int32_t a = sum[0], b = sum[1], low, high, p, q;
    x = GW_OPAQUE(x + first);
    for (int32_t m = 0; m < columns; m++) {
        GW_JOIN(x[m * step], y[m * step]);
        GW_ADD_2(w, a, b);
    }
    sum[0] = a, sum[1] = b;
}

static inline void gw_rows_1(const gw_i32 *x, int32_t first, const int32_t *weights, int32_t at, int32_t step,
                             int32_t columns, int32_t *sum)
{
    const int32_t *w = weights + at;
    int32_t a = sum[0], b = sum[1], p;
    x = GW_OPAQUE(x + first);
    for (int32_t m = 0; m < columns; m++) {
        int32_t one = GW_HERE(x[m * step]);
        GW_ADD_1(w, one, a, b);
    }
    sum[0] = a, sum[1] = b;
}

static inline void gw_rows_2_twice(const gw_i32 *x, int32_t first, int32_t second, const int32_t *weights, int32_t at,
                                   int32_t step, int32_t columns, int32_t stride, int32_t *sum)
{
    const gw_i32 *y = GW_OPAQUE(x + second);
    const int32_t *v = weights + at, *w = v;
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3], low, high, p, q;
    x = GW_OPAQUE(x + first);
    for (int32_t m = 0; m < columns + stride; m++) {
        if (m >= columns && m < stride) continue;
        GW_JOIN(x[m * step], y[m * step]);
        if (m < columns) GW_ADD_2(v, a, b);
        if (m >= stride) GW_ADD_2(w, c, d);
    }
    sum[0] = a, sum[1] = b, sum[2] = c, sum[3] = d;
}

static inline void gw_rows_1_twice(const gw_i32 *x, int32_t first, const int32_t *weights, int32_t at, int32_t step,
                                   int32_t columns, int32_t stride, int32_t *sum)
{
    const int32_t *v = weights + at, *w = v;
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3], p, one;
    x = GW_OPAQUE(x + first);
    for (int32_t m = 0; m < columns + stride; m++) {
        if (m >= columns && m < stride) continue;
        one = GW_HERE(x[m * step]);
        if (m < columns) GW_ADD_1(v, one, a, b);
        if (m >= stride) GW_ADD_1(w, one, c, d);
    }
    sum[0] = a, sum[1] = b, sum[2] = c, sum[3] = d;
}

/* Two positions times two filters, four channels a step. x: for each step a word of each position with channels 0 and 2,
 * then a word of each with 1 and 3; weights, from at on: the bytes of both filters; sum: position 0 with both filters, then
 * position 1. */
static inline void gw_dot_2x2(const gw_i32 *x, const int32_t *weights, int32_t at, int32_t steps, int32_t *sum)
{
    const int32_t *w = weights + at;
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
#ifdef GW_DSP_ASSEMBLY
    int32_t f, g, h, p, q;
#define GW_STEP \
    "ldrd %[f], %[g], [%[w]], #8\n\t" \
    "ldrd %[p], %[q], [%[x]], #8\n\t" \
    "sxtb16 %[h], %[f]\n\t" \
    "smlad %[a], %[p], %[h], %[a]\n\t" \
    "smlad %[c], %[q], %[h], %[c]\n\t" \
    "sxtb16 %[h], %[g]\n\t" \
    "smlad %[b], %[p], %[h], %[b]\n\t" \
    "smlad %[d], %[q], %[h], %[d]\n\t" \
    "ldrd %[p], %[q], [%[x]], #8\n\t" \
    "sxtb16 %[f], %[f], ror #8\n\t" \
    "smlad %[a], %[p], %[f], %[a]\n\t" \
    "smlad %[c], %[q], %[f], %[c]\n\t" \
    "sxtb16 %[g], %[g], ror #8\n\t" \
    "smlad %[b], %[p], %[g], %[b]\n\t" \
    "smlad %[d], %[q], %[g], %[d]\n\t"
#define GW_LOOP(head, body, tail, turns) \
    { \
        int32_t n = turns; \
        __asm__ volatile(head body tail \
            : [x] "+r"(x), [w] "+r"(w), [n] "+r"(n), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), \
              [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h), [p] "=&r"(p), [q] "=&r"(q) \
            : : "cc", "memory"); \
    }
    if (steps >= 8) GW_LOOP("1:\n\t", GW_STEP GW_STEP GW_STEP GW_STEP, "subs %[n], %[n], #1\n\tbne 1b", steps / 4)
    else if (steps >= 4) GW_LOOP("", GW_STEP GW_STEP GW_STEP GW_STEP, "", 1)
    if (steps % 4 >= 2) GW_LOOP("", GW_STEP GW_STEP, "", 1)
    if (steps % 2) GW_LOOP("", GW_STEP, "", 1)
#undef GW_STEP
#undef GW_LOOP
#else
    for (; steps > 0; steps--, x += 4, w += 2) {
        int32_t f = gw_sxtb16(w[0]), g = gw_sxtb16_8(w[0]);
        a = gw_smlad(x[2], g, gw_smlad(x[0], f, a));
        c = gw_smlad(x[3], g, gw_smlad(x[1], f, c));
        f = gw_sxtb16(w[1]), g = gw_sxtb16_8(w[1]);
        b = gw_smlad(x[2], g, gw_smlad(x[0], f, b));
        d = gw_smlad(x[3], g, gw_smlad(x[1], f, d));
    }
#endif
    sum[0] = a, sum[1] = b, sum[2] = c, sum[3] = d;
}

/* One position times four filters. */
static inline void gw_dot_1x4(const gw_i32 *x, const int32_t *weights, int32_t at, int32_t steps, int32_t *sum)
{
    const int32_t *w = weights + at;
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
#ifdef GW_DSP_ASSEMBLY
    int32_t f, g, h, y, z;
#define GW_STEP \
    "ldrd %[y], %[z], [%[x]], #8\n\t" \
    "ldrd %[f], %[g], [%[w]], #8\n\t" \
    "sxtb16 %[h], %[f]\n\t" \
    "smlad %[a], %[y], %[h], %[a]\n\t" \
    "sxtb16 %[f], %[f], ror #8\n\t" \
    "smlad %[a], %[z], %[f], %[a]\n\t" \
    "sxtb16 %[h], %[g]\n\t" \
    "smlad %[b], %[y], %[h], %[b]\n\t" \
    "sxtb16 %[g], %[g], ror #8\n\t" \
    "smlad %[b], %[z], %[g], %[b]\n\t" \
    "ldrd %[f], %[g], [%[w]], #8\n\t" \
    "sxtb16 %[h], %[f]\n\t" \
    "smlad %[c], %[y], %[h], %[c]\n\t" \
    "sxtb16 %[f], %[f], ror #8\n\t" \
    "smlad %[c], %[z], %[f], %[c]\n\t" \
    "sxtb16 %[h], %[g]\n\t" \
    "smlad %[d], %[y], %[h], %[d]\n\t" \
    "sxtb16 %[g], %[g], ror #8\n\t" \
    "smlad %[d], %[z], %[g], %[d]\n\t"
#define GW_LOOP(head, body, tail, turns) \
    { \
        int32_t n = turns; \
        __asm__ volatile(head body tail \
            : [x] "+r"(x), [w] "+r"(w), [n] "+r"(n), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), \
              [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h), [y] "=&r"(y), [z] "=&r"(z) \
            : : "cc", "memory"); \
    }
    if (steps >= 8) GW_LOOP("1:\n\t", GW_STEP GW_STEP GW_STEP GW_STEP, "subs %[n], %[n], #1\n\tbne 1b", steps / 4)
    else if (steps >= 4) GW_LOOP("", GW_STEP GW_STEP GW_STEP GW_STEP, "", 1)
    if (steps % 4 >= 2) GW_LOOP("", GW_STEP GW_STEP, "", 1)
    if (steps % 2) GW_LOOP("", GW_STEP, "", 1)
#undef GW_STEP
#undef GW_LOOP
#else
    for (; steps > 0; steps--, x += 2, w += 4) {
        a = gw_smlad(x[1], gw_sxtb16_8(w[0]), gw_smlad(x[0], gw_sxtb16(w[0]), a));
        b = gw_smlad(x[1], gw_sxtb16_8(w[1]), gw_smlad(x[0], gw_sxtb16(w[1]), b));
        c = gw_smlad(x[1], gw_sxtb16_8(w[2]), gw_smlad(x[0], gw_sxtb16(w[2]), c));
        d = gw_smlad(x[1], gw_sxtb16_8(w[3]), gw_smlad(x[0], gw_sxtb16(w[3]), d));
    }
#endif
    sum[0] = a, sum[1] = b, sum[2] = c, sum[3] = d;
}

#endif
