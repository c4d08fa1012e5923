/* Products of bytes without a sign with packed weights, for cores that multiply one pair at a time: codes of 4, 2 or 1
 * bits, those of two filters 16 bits apart, so that one product is those of both. As many are summed as surely fit into
 * 16 bits, then the two sums are taken apart. */
#ifndef GW_FIELDS_H
#define GW_FIELDS_H

#include "gw.h"

/* gcc finds registers for the loops in assembly where it optimizes for speed. */
#if (defined(__clang__) || (defined(__GNUC__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__))) \
    && defined(__ARM_ARCH) && __ARM_ARCH == 6 && defined(__thumb__)
#define GW_WORDS(body, again) \
    __asm__ volatile(".syntax unified\n1:\n\tldmia %[w]!, {%[f]}\n\t" body "subs %[n], #1\n\t" again \
        : [x] "+l"(x), [w] "+l"(w), [n] "+l"(n), [u] "+h"(u), [v] "+h"(v), [f] "=&l"(f), [t] "=&l"(t) \
        : [m] "h"(mask) : "r4", "r5", "cc", "memory");
#define GW_NEAR "bne 1b"
#define GW_FAR "beq 2f\n\tb 1b\n2:" /* a branch with a condition reaches 256 bytes */
#define GW_TAKE "mov %[t], %[m]\n\tands %[t], %[f]\n\t"
#define GW_NEXT(bits) "lsrs %[f], #" #bits "\n\t"
#define GW_FIRST_2X2 \
    "ldmia %[x]!, {r4, r5}\n\t" GW_TAKE "muls r4, %[t], r4\n\tadd %[u], r4\n\tmuls r5, %[t], r5\n\tadd %[v], r5\n\t"
#define GW_STEP_2X2(bits, shift) GW_NEXT(bits) GW_FIRST_2X2
#define GW_FIRST_1X4(bits) \
    "ldmia %[x]!, {r4}\n\t" GW_TAKE "muls %[t], r4, %[t]\n\tadd %[u], %[t]\n\t" \
    GW_NEXT(bits) GW_TAKE "muls %[t], r4, %[t]\n\tadd %[v], %[t]\n\t"
#define GW_STEP_1X4(bits, shift) GW_NEXT(bits) GW_FIRST_1X4(bits)
#else
#define GW_NEAR
#define GW_FAR
#define GW_WORDS(body, again) for (; n > 0; n--) { f = (uint32_t)*w++; body }
#define GW_STEP_2X2(bits, shift) t = f >> shift & mask; u += t * (uint32_t)x[0]; v += t * (uint32_t)x[1]; x += 2;
#define GW_FIRST_2X2 GW_STEP_2X2(0, 0)
#define GW_STEP_1X4(bits, shift) \
    t = f >> shift & mask; u += t * (uint32_t)*x; t = f >> (shift + bits) & mask; v += t * (uint32_t)*x; x++;
#define GW_FIRST_1X4(bits) GW_STEP_1X4(bits, 0)
#endif

/* A number of which the compiler does not know that it is constant: loops stay loops. */
#if defined(__GNUC__) || defined(__clang__)
#define GW_UNKNOWN(n) __asm__("" : "+r"(n))
#else
#define GW_UNKNOWN(n)
#endif

/* x: a word of each position for each step; weights, from at on; most: words whose sums fit into 16 bits. */
#define GW_TILE(name, bits, body, again) \
    static inline void name(const gw_i32 *x, const int32_t *weights, int32_t at, int32_t words, int32_t most, int32_t *sum) \
    { \
        const int32_t *w = weights + at; \
        const uint32_t mask = ((1u << bits) - 1u) * 0x10001u; \
        uint32_t a = (uint32_t)sum[0], b = (uint32_t)sum[1], c = (uint32_t)sum[2], d = (uint32_t)sum[3]; \
        GW_UNKNOWN(words); \
        while (words > 0) { \
            int32_t n = words < most ? words : most; \
            uint32_t u = 0, v = 0, f, t; \
            words -= n; \
            GW_WORDS(body, again) \
            a += u & 0xffffu, b += u >> 16, c += v & 0xffffu, d += v >> 16; \
        } \
        sum[0] = (int32_t)a, sum[1] = (int32_t)b, sum[2] = (int32_t)c, sum[3] = (int32_t)d; \
    }

/* Two positions times two filters; sum: position 0 with both filters, then position 1. */
GW_TILE(gw_fields4_2x2, 4, GW_FIRST_2X2 GW_STEP_2X2(4, 4) GW_STEP_2X2(4, 8) GW_STEP_2X2(4, 12), GW_NEAR)
GW_TILE(gw_fields2_2x2, 2, GW_FIRST_2X2 GW_STEP_2X2(2, 2) GW_STEP_2X2(2, 4) GW_STEP_2X2(2, 6) GW_STEP_2X2(2, 8)
    GW_STEP_2X2(2, 10) GW_STEP_2X2(2, 12) GW_STEP_2X2(2, 14), GW_NEAR)
GW_TILE(gw_fields1_2x2, 1, GW_FIRST_2X2 GW_STEP_2X2(1, 1) GW_STEP_2X2(1, 2) GW_STEP_2X2(1, 3) GW_STEP_2X2(1, 4)
    GW_STEP_2X2(1, 5) GW_STEP_2X2(1, 6) GW_STEP_2X2(1, 7) GW_STEP_2X2(1, 8) GW_STEP_2X2(1, 9) GW_STEP_2X2(1, 10)
    GW_STEP_2X2(1, 11) GW_STEP_2X2(1, 12) GW_STEP_2X2(1, 13) GW_STEP_2X2(1, 14) GW_STEP_2X2(1, 15), GW_FAR)

/* One position times four filters. */
GW_TILE(gw_fields4_1x4, 4, GW_FIRST_1X4(4) GW_STEP_1X4(4, 8), GW_NEAR)
GW_TILE(gw_fields2_1x4, 2, GW_FIRST_1X4(2) GW_STEP_1X4(2, 4) GW_STEP_1X4(2, 8) GW_STEP_1X4(2, 12), GW_NEAR)
GW_TILE(gw_fields1_1x4, 1, GW_FIRST_1X4(1) GW_STEP_1X4(1, 2) GW_STEP_1X4(1, 4) GW_STEP_1X4(1, 6) GW_STEP_1X4(1, 8)
    GW_STEP_1X4(1, 10) GW_STEP_1X4(1, 12) GW_STEP_1X4(1, 14), GW_NEAR)
#undef GW_TILE

#endif
