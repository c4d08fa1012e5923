/* Products with packed weights for the DSP extension: codes of 4, 2 or 1 bits, pairs of which stand 16 bits apart, so
 * that a shifted AND takes one out. A word holds for each step the pairs of all filters of the tile, the lowest first. */
#ifndef GW_PAIRS_H
#define GW_PAIRS_H

#include "gw_dsp.h"

#ifdef GW_DSP_ASSEMBLY
#define GW_LOOP(head, body, tail, turns, more) \
    { \
        int32_t n = turns; \
        __asm__ volatile(head body tail \
            : [x] "+r"(x), [w] "+r"(w), [n] "+r"(n), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), \
              [f] "=&r"(f), [h] "=&r"(h), [p] "=&r"(p), [q] "=&r"(q), more \
            : [m] "r"(mask) : "cc", "memory"); \
    }
#define GW_AGAIN "subs %[n], %[n], #1\n\tbne 1b"
/* One step: a word of the column of each position, times the pairs of two filters of word f. */
#define GW_STEP(load, f, first, second) \
    load \
    "and %[h], %[m], %[" #f "]" first "\n\t" \
    "smlad %[a], %[p], %[h], %[a]\n\t" \
    "smlad %[c], %[q], %[h], %[c]\n\t" \
    "and %[h], %[m], %[" #f "]" second "\n\t" \
    "smlad %[b], %[p], %[h], %[b]\n\t" \
    "smlad %[d], %[q], %[h], %[d]\n\t"
/* One step: a word of the column of the only position, times the pairs of four filters of word f. */
#define GW_FOUR(x, f, i, j, k, l) \
    "and %[h], %[m], %[" #f "]" i "\n\tsmlad %[a], %[" #x "], %[h], %[a]\n\t" \
    "and %[h], %[m], %[" #f "]" j "\n\tsmlad %[b], %[" #x "], %[h], %[b]\n\t" \
    "and %[h], %[m], %[" #f "]" k "\n\tsmlad %[c], %[" #x "], %[h], %[c]\n\t" \
    "and %[h], %[m], %[" #f "]" l "\n\tsmlad %[d], %[" #x "], %[h], %[d]\n\t"
#define GW_BY(n) ", lsr #" #n
#define GW_WORD "ldr %[f], [%[w]], #4\n\t"
#define GW_WORDS "ldrd %[f], %[g], [%[w]], #8\n\t"
#define GW_X "ldr %[p], [%[x]], #4\n\t"
#define GW_XX "ldrd %[p], %[q], [%[x]], #8\n\t"
#define GW_XY "ldr %[p], [%[x]], #4\n\tldr %[q], [%[y]], #4\n\t"
#define GW_G [g] "=&r"(g)
#define GW_Y [y] "+r"(y)
#endif

/* Two positions times two filters: x has for each step a word of the first position, y one of the second, apart words from
 * each other; sum: position 0 with both filters, then position 1. */
static inline void gw_pairs_2x2(const gw_i32 *x, const gw_i32 *y, int32_t apart, const int32_t *w, int32_t words,
                                int32_t bits, int32_t *sum)
{
    const int32_t mask = ((1 << bits) - 1) * 0x10001;
    for (; words > 0; words--, w++) {
        for (int32_t shift = 0; shift < 16; shift += 2 * bits, x += apart, y += apart) {
            const int32_t f = *w >> shift & mask, g = *w >> (shift + bits) & mask;
            sum[0] = gw_smlad(*x, f, sum[0]);
            sum[1] = gw_smlad(*x, g, sum[1]);
            sum[2] = gw_smlad(*y, f, sum[2]);
            sum[3] = gw_smlad(*y, g, sum[3]);
        }
    }
}

/* One position times four filters. */
static inline void gw_pairs_1x4(const gw_i32 *x, const int32_t *w, int32_t words, int32_t bits, int32_t *sum)
{
    const int32_t mask = ((1 << bits) - 1) * 0x10001;
    for (; words > 0; words--, w++) {
        for (int32_t shift = 0; shift < 16; shift += 4 * bits, x++) {
            for (int32_t i = 0; i < 4; i++) sum[i] = gw_smlad(*x, *w >> (shift + i * bits) & mask, sum[i]);
        }
    }
}

#ifdef GW_DSP_ASSEMBLY
#define GW_TILE(bits, loops) \
    { \
        const int32_t *w = weights + at, mask = ((1 << bits) - 1) * 0x10001; \
        int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3], f, h, p, q; \
        loops \
        sum[0] = a, sum[1] = b, sum[2] = c, sum[3] = d; \
    }
#define GW_MANY(body, count, more) \
    if (words >= 2 * count) GW_LOOP("1:\n\t", body, "subs %[n], %[n], #1\n\tbne 1b", words / count, more) \
    else if (words >= count) GW_LOOP("", body, "", 1, more)
#define GW_REST(body, count, more) if (words % (2 * count) >= count) GW_LOOP("", body, "", 1, more)
#define GW_4(load, f) GW_STEP(load, f, "", GW_BY(4)) GW_STEP(load, f, GW_BY(8), GW_BY(12))
#define GW_2(load, f) \
    GW_STEP(load, f, "", GW_BY(2)) GW_STEP(load, f, GW_BY(4), GW_BY(6)) \
    GW_STEP(load, f, GW_BY(8), GW_BY(10)) GW_STEP(load, f, GW_BY(12), GW_BY(14))
#define GW_1(load, f) \
    GW_STEP(load, f, "", GW_BY(1)) GW_STEP(load, f, GW_BY(2), GW_BY(3)) \
    GW_STEP(load, f, GW_BY(4), GW_BY(5)) GW_STEP(load, f, GW_BY(6), GW_BY(7)) \
    GW_STEP(load, f, GW_BY(8), GW_BY(9)) GW_STEP(load, f, GW_BY(10), GW_BY(11)) \
    GW_STEP(load, f, GW_BY(12), GW_BY(13)) GW_STEP(load, f, GW_BY(14), GW_BY(15))
#define GW_4_4 GW_WORDS GW_4(GW_XX, f) GW_4(GW_XX, g)
#define GW_4_2X2 GW_MANY(GW_4_4 GW_4_4, 4, GW_G) GW_REST(GW_4_4, 2, GW_G) GW_REST(GW_WORD GW_4(GW_XX, f), 1, GW_G)
#define GW_2_2X2 GW_MANY(GW_WORDS GW_2(GW_XX, f) GW_2(GW_XX, g), 2, GW_G) GW_REST(GW_WORD GW_2(GW_XX, f), 1, GW_G)
#define GW_1_2X2 GW_MANY(GW_WORD GW_1(GW_XX, f), 1, GW_G)
#define GW_4_APART GW_MANY(GW_WORD GW_4(GW_XY, f) GW_WORD GW_4(GW_XY, f), 2, GW_Y) GW_REST(GW_WORD GW_4(GW_XY, f), 1, GW_Y)
#define GW_2_APART GW_MANY(GW_WORD GW_2(GW_XY, f), 1, GW_Y)
#define GW_1_APART GW_MANY(GW_WORD GW_1(GW_XY, f), 1, GW_Y)
#define GW_Q4(x, f) GW_FOUR(x, f, "", GW_BY(4), GW_BY(8), GW_BY(12))
#define GW_Q2(f) GW_FOUR(p, f, "", GW_BY(2), GW_BY(4), GW_BY(6)) GW_FOUR(q, f, GW_BY(8), GW_BY(10), GW_BY(12), GW_BY(14))
#define GW_Q1 \
    GW_XX GW_FOUR(p, f, "", GW_BY(1), GW_BY(2), GW_BY(3)) GW_FOUR(q, f, GW_BY(4), GW_BY(5), GW_BY(6), GW_BY(7)) \
    GW_XX GW_FOUR(p, f, GW_BY(8), GW_BY(9), GW_BY(10), GW_BY(11)) \
    GW_FOUR(q, f, GW_BY(12), GW_BY(13), GW_BY(14), GW_BY(15))
#define GW_TWO_4 GW_WORDS GW_XX GW_Q4(p, f) GW_Q4(q, g)
#define GW_4_1X4 \
    GW_MANY(GW_TWO_4 GW_TWO_4, 4, GW_G) GW_REST(GW_TWO_4, 2, GW_G) GW_REST(GW_WORD GW_X GW_Q4(p, f), 1, GW_G)
#define GW_2_1X4 GW_MANY(GW_WORDS GW_XX GW_Q2(f) GW_XX GW_Q2(g), 2, GW_G) GW_REST(GW_WORD GW_XX GW_Q2(f), 1, GW_G)
#define GW_1_1X4 GW_MANY(GW_WORD GW_Q1, 1, GW_G)

#define GW_2X2(bits, loops) { int32_t g; GW_TILE(bits, loops) }
#define GW_APART(bits, loops) { const gw_i32 *y = x + apart; GW_TILE(bits, loops) }
#define GW_1X4(bits, loops) { int32_t g; GW_TILE(bits, loops) }
#else
#define GW_2X2(bits, loops) { gw_pairs_2x2(x, x + 1, 2, weights + at, words, bits, sum); }
#define GW_APART(bits, loops) { gw_pairs_2x2(x, x + apart, 1, weights + at, words, bits, sum); }
#define GW_1X4(bits, loops) { gw_pairs_1x4(x, weights + at, words, bits, sum); }
#endif

/* Two positions, whose words stand side by side. */
#define GW_HEAD(name) static inline void name(const gw_i32 *x, const int32_t *weights, int32_t at, int32_t words, int32_t *sum)
GW_HEAD(gw_pairs4_2x2) GW_2X2(4, GW_4_2X2)
GW_HEAD(gw_pairs2_2x2) GW_2X2(2, GW_2_2X2)
GW_HEAD(gw_pairs1_2x2) GW_2X2(1, GW_1_2X2)
GW_HEAD(gw_pairs4_1x4) GW_1X4(4, GW_4_1X4)
GW_HEAD(gw_pairs2_1x4) GW_1X4(2, GW_2_1X4)
GW_HEAD(gw_pairs1_1x4) GW_1X4(1, GW_1_1X4)
#undef GW_HEAD

/* Two positions, whose columns stand one behind the other, so many words apart. */
#define GW_HEAD(name) \
    static inline void name(const gw_i32 *x, const int32_t *weights, int32_t at, int32_t words, int32_t apart, int32_t *sum)
GW_HEAD(gw_apart4_2x2) GW_APART(4, GW_4_APART)
GW_HEAD(gw_apart2_2x2) GW_APART(2, GW_2_APART)
GW_HEAD(gw_apart1_2x2) GW_APART(1, GW_1_APART)
#undef GW_HEAD

#endif
