/* Products of words and bytes for cores that do one at a time. Weights are bytes plus 128, which every load gives
 * without a sign; what that adds is taken off where the sums begin. */
#ifndef GW_DOT_H
#define GW_DOT_H

#include "gw.h"

/* gcc finds registers for the loops in assembly where it optimizes for speed. */
#if (defined(__clang__) || (defined(__GNUC__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__))) \
    && defined(__ARM_ARCH) && __ARM_ARCH == 6 && defined(__thumb__)
#define GW_THUMB1
#endif

/* Two positions times two filters: x has the words of both positions for each step, weights, from at on, the bytes of
 * both filters; sum: position 0 with both filters, then position 1. */
static inline void gw_bytes_2x2(const gw_i32 *x, const uint8_t *weights, int32_t at, int32_t steps, int32_t *sum)
{
    const uint8_t *w = weights + at;
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
#ifdef GW_THUMB1
    int32_t t, u;
#define GW_STEP(first, second) \
    "ldmia %[x]!, {r4, r5}\n\t" \
    "ldrb %[t], [%[w], #" #first "]\n\t" \
    "movs %[u], %[t]\n\tmuls %[u], r4, %[u]\n\tadd %[a], %[u]\n\tmuls %[t], r5, %[t]\n\tadd %[c], %[t]\n\t" \
    "ldrb %[t], [%[w], #" #second "]\n\t" \
    "movs %[u], %[t]\n\tmuls %[u], r4, %[u]\n\tadd %[b], %[u]\n\tmuls %[t], r5, %[t]\n\tadd %[d], %[t]\n\t"
#define GW_LOOP(body, bytes, turns) \
    { \
        int32_t n = turns; \
        __asm__ volatile(".syntax unified\n1:\n\t" body "adds %[w], #" #bytes "\n\tsubs %[n], #1\n\tbne 1b" \
            : [x] "+l"(x), [w] "+l"(w), [n] "+l"(n), [a] "+h"(a), [b] "+h"(b), [c] "+h"(c), [d] "+h"(d), \
              [t] "=&l"(t), [u] "=&l"(u) \
            : : "r4", "r5", "cc", "memory"); \
    }
    if (steps >= 4) GW_LOOP(GW_STEP(0, 1) GW_STEP(2, 3) GW_STEP(4, 5) GW_STEP(6, 7), 8, steps / 4)
    if (steps % 4) GW_LOOP(GW_STEP(0, 1), 2, steps % 4)
#undef GW_STEP
#undef GW_LOOP
#else
    for (; steps > 0; steps--, x += 2, w += 2) {
        a = gw_add32(a, gw_mul32(x[0], w[0]));
        b = gw_add32(b, gw_mul32(x[0], w[1]));
        c = gw_add32(c, gw_mul32(x[1], w[0]));
        d = gw_add32(d, gw_mul32(x[1], w[1]));
    }
#endif
    sum[0] = a, sum[1] = b, sum[2] = c, sum[3] = d;
}

/* One position times four filters. */
static inline void gw_bytes_1x4(const gw_i32 *x, const uint8_t *weights, int32_t at, int32_t steps, int32_t *sum)
{
    const uint8_t *w = weights + at;
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
#ifdef GW_THUMB1
    int32_t t;
#define GW_PRODUCT(place, s) "ldrb %[t], [%[w], #" #place "]\n\tmuls %[t], r4, %[t]\n\tadd %[" #s "], %[t]\n\t"
#define GW_STEP(i, j, k, l) \
    "ldmia %[x]!, {r4}\n\t" GW_PRODUCT(i, a) GW_PRODUCT(j, b) GW_PRODUCT(k, c) GW_PRODUCT(l, d)
#define GW_LOOP(body, bytes, turns) \
    { \
        int32_t n = turns; \
        __asm__ volatile(".syntax unified\n1:\n\t" body "adds %[w], #" #bytes "\n\tsubs %[n], #1\n\tbne 1b" \
            : [x] "+l"(x), [w] "+l"(w), [n] "+l"(n), [a] "+h"(a), [b] "+h"(b), [c] "+h"(c), [d] "+h"(d), [t] "=&l"(t) \
            : : "r4", "cc", "memory"); \
    }
    if (steps >= 4) GW_LOOP(GW_STEP(0, 1, 2, 3) GW_STEP(4, 5, 6, 7) GW_STEP(8, 9, 10, 11) GW_STEP(12, 13, 14, 15), 16, steps / 4)
    if (steps % 4) GW_LOOP(GW_STEP(0, 1, 2, 3), 4, steps % 4)
#undef GW_PRODUCT
#undef GW_STEP
#undef GW_LOOP
#else
    for (; steps > 0; steps--, x++, w += 4) {
        a = gw_add32(a, gw_mul32(x[0], w[0]));
        b = gw_add32(b, gw_mul32(x[0], w[1]));
        c = gw_add32(c, gw_mul32(x[0], w[2]));
        d = gw_add32(d, gw_mul32(x[0], w[3]));
    }
#endif
    sum[0] = a, sum[1] = b, sum[2] = c, sum[3] = d;
}

#endif
