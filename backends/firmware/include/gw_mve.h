/* Arm's Helium vectors (MVE; Arm C Language Extensions, MVE intrinsics), and the same in plain C for cores without them. */
#ifndef GW_MVE_H
#define GW_MVE_H

#include "gw.h"

#if defined(__ARM_FEATURE_MVE) && __ARM_FEATURE_MVE
#include <arm_mve.h>
#define GW_MVE
#endif

/* Four integers of 32 bits; four bits for each lane of a condition. Loads of narrower types widen, stores narrow. */
#ifdef GW_MVE

typedef int32x4_t gw_v4;
typedef mve_pred16_t gw_m4;
#define GW_OF(name, intrinsic) static inline gw_v4 gw_##name##4(gw_v4 a, gw_v4 b) { return intrinsic(a, b); }
#define GW_IF(name, intrinsic) static inline gw_m4 gw_##name##4(gw_v4 a, gw_v4 b) { return intrinsic(a, b); }
#define GW_MEMORY(type, of, reads, load, gather, writes, store) \
    static inline gw_v4 gw_load4_##type(const of *p) { return (gw_v4)load((const reads *)(const void *)p); } \
    static inline gw_v4 gw_gather4_##type(const of *p, gw_v4 i) \
    { \
        return (gw_v4)gather((const reads *)(const void *)p, (uint32x4_t)i); \
    } \
    static inline void gw_store4_##type(of *p, gw_v4 a) { store((writes *)(void *)p, a); }

static inline gw_v4 gw_all4(int32_t a) { return vdupq_n_s32(a); }
GW_OF(add, vaddq_s32)
GW_OF(sub, vsubq_s32)
GW_OF(mul, vmulq_s32)
GW_OF(min, vminq_s32)
GW_OF(max, vmaxq_s32)
GW_OF(and, vandq_s32)
GW_OF(or, vorrq_s32)
GW_OF(xor, veorq_s32)
GW_OF(shl, vshlq_s32)
GW_IF(lt, vcmpltq_s32)
GW_IF(le, vcmpleq_s32)
GW_IF(gt, vcmpgtq_s32)
GW_IF(ge, vcmpgeq_s32)
GW_IF(eq, vcmpeqq_s32)
GW_IF(ne, vcmpneq_s32)
static inline gw_v4 gw_shr4(gw_v4 a, gw_v4 n) { return vshlq_s32(a, vnegq_s32(n)); }
static inline gw_v4 gw_select4(gw_m4 m, gw_v4 a, gw_v4 b) { return vpselq_s32(a, b, m); }
GW_MEMORY(int8, int8_t, int8_t, vldrbq_s32, vldrbq_gather_offset_s32, int8_t, vstrbq_s32)
GW_MEMORY(uint8, uint8_t, uint8_t, vldrbq_u32, vldrbq_gather_offset_u32, int8_t, vstrbq_s32)
GW_MEMORY(int16, gw_i16, int16_t, vldrhq_s32, vldrhq_gather_shifted_offset_s32, int16_t, vstrhq_s32)
GW_MEMORY(uint16, gw_u16, uint16_t, vldrhq_u32, vldrhq_gather_shifted_offset_u32, int16_t, vstrhq_s32)
GW_MEMORY(int32, gw_i32, int32_t, vldrwq_s32, vldrwq_gather_shifted_offset_s32, int32_t, vstrwq_s32)

/* (2 a b + 2^31) >> 32; the upper word of a product; a shifted up by n, or down where n is negative, without and with
 * rounding. */
GW_OF(doubled, vqrdmulhq_s32)
GW_OF(upper, vmulhq_s32)
GW_OF(shifted, vshlq_s32)
GW_OF(rounded, vrshlq_s32)
/* Halves go away from zero: in all lanes, or in those that are shifted. */
static inline gw_v4 gw_rounded_away4(gw_v4 a, gw_v4 n) { return vrshlq_s32(vaddq_s32(a, vshrq_n_s32(a, 31)), n); }
static inline gw_v4 gw_rounded_some4(gw_v4 a, gw_v4 n)
{
    return vrshlq_s32(vaddq_s32(a, vshrq_n_s32(vandq_s32(a, n), 31)), n);
}
/* The upper word of a b + (high, low). */
static inline gw_v4 gw_scaled4(gw_v4 a, gw_v4 b, gw_v4 high, gw_v4 low)
{
    gw_v4 sum = vaddq_s32(vmulq_s32(a, b), low), upper = vaddq_s32(vmulhq_s32(a, b), high);
    mve_pred16_t fits = vcmpcsq_u32((uint32x4_t)sum, (uint32x4_t)low);
    return vpselq_s32(upper, vaddq_n_s32(upper, 1), fits);
}

#define GW_MOVE(lanes, source, target, from, to, reads, writes, load, store) \
    static inline void gw_move##lanes##_##source##_##target(to *p, const from *q) \
    { \
        store((writes *)(void *)p, load((const reads *)(const void *)q)); \
    }
GW_MOVE(16, int8, int8, int8_t, int8_t, int8_t, int8_t, vldrbq_s8, vstrbq_s8)
GW_MOVE(16, uint8, uint8, uint8_t, uint8_t, uint8_t, uint8_t, vldrbq_u8, vstrbq_u8)
GW_MOVE(8, int8, int8, int8_t, int8_t, int8_t, int8_t, vldrbq_s16, vstrbq_s16)
GW_MOVE(8, uint8, uint8, uint8_t, uint8_t, uint8_t, uint8_t, vldrbq_u16, vstrbq_u16)
GW_MOVE(8, int8, int16, int8_t, gw_i16, int8_t, int16_t, vldrbq_s16, vstrhq_s16)
GW_MOVE(8, uint8, int16, uint8_t, gw_i16, uint8_t, uint16_t, vldrbq_u16, vstrhq_u16)
GW_MOVE(8, int16, int16, gw_i16, gw_i16, int16_t, int16_t, vldrhq_s16, vstrhq_s16)
static inline void gw_fill16_int8(int8_t *p, int8_t a) { vstrbq_s8(p, vdupq_n_s8(a)); }
static inline void gw_fill16_uint8(uint8_t *p, uint8_t a) { vstrbq_u8(p, vdupq_n_u8(a)); }
static inline void gw_fill8_int8(int8_t *p, int8_t a) { vstrbq_s16(p, vdupq_n_s16(a)); }
static inline void gw_fill8_uint8(uint8_t *p, uint8_t a) { vstrbq_u16(p, vdupq_n_u16(a)); }
static inline void gw_fill8_int16(gw_i16 *p, int16_t a) { vstrhq_s16((int16_t *)(void *)p, vdupq_n_s16(a)); }

#else

typedef struct {
    int32_t v[4];
} gw_v4;
typedef uint16_t gw_m4;
#define GW_EACH(value) \
    gw_v4 y; \
    for (int32_t i = 0; i < 4; i++) y.v[i] = (value); \
    return y
#define GW_OF(name, value) \
    static inline gw_v4 gw_##name##4(gw_v4 a, gw_v4 b) { GW_EACH(value); }
#define GW_IF(name, sign) \
    static inline gw_m4 gw_##name##4(gw_v4 a, gw_v4 b) \
    { \
        uint32_t y = 0; \
        for (int32_t i = 0; i < 4; i++) y |= a.v[i] sign b.v[i] ? 15u << 4 * i : 0; \
        return (gw_m4)y; \
    }
#define GW_MEMORY(type, of) \
    static inline gw_v4 gw_load4_##type(const of *p) { GW_EACH(p[i]); } \
    static inline gw_v4 gw_gather4_##type(const of *p, gw_v4 at) { GW_EACH(p[at.v[i]]); } \
    static inline void gw_store4_##type(of *p, gw_v4 a) \
    { \
        for (int32_t i = 0; i < 4; i++) p[i] = (of)a.v[i]; \
    }

static inline gw_v4 gw_all4(int32_t a) { GW_EACH(a); }
GW_OF(add, gw_add32(a.v[i], b.v[i]))
GW_OF(sub, gw_sub32(a.v[i], b.v[i]))
GW_OF(mul, gw_mul32(a.v[i], b.v[i]))
GW_OF(min, gw_min32(a.v[i], b.v[i]))
GW_OF(max, gw_max32(a.v[i], b.v[i]))
GW_OF(and, a.v[i] & b.v[i])
GW_OF(or, a.v[i] | b.v[i])
GW_OF(xor, a.v[i] ^ b.v[i])
GW_OF(shl, gw_shl32(a.v[i], b.v[i]))
GW_OF(shr, a.v[i] >> b.v[i])
GW_IF(lt, <)
GW_IF(le, <=)
GW_IF(gt, >)
GW_IF(ge, >=)
GW_IF(eq, ==)
GW_IF(ne, !=)
static inline gw_v4 gw_select4(gw_m4 m, gw_v4 a, gw_v4 b) { GW_EACH(m >> 4 * i & 1 ? a.v[i] : b.v[i]); }
GW_MEMORY(int8, int8_t)
GW_MEMORY(uint8, uint8_t)
GW_MEMORY(int16, gw_i16)
GW_MEMORY(uint16, gw_u16)
GW_MEMORY(int32, gw_i32)

static inline int32_t gw_rounded32(int64_t a, int32_t n)
{
    return n >= 0 ? gw_shl32((int32_t)a, n) : (int32_t)((a + (INT64_C(1) << (-n - 1))) >> -n);
}
GW_OF(doubled, (int32_t)(((int64_t)a.v[i] * b.v[i] + (INT64_C(1) << 30)) >> 31))
GW_OF(upper, (int32_t)(((int64_t)a.v[i] * b.v[i]) >> 32))
GW_OF(shifted, b.v[i] >= 0 ? gw_shl32(a.v[i], b.v[i]) : a.v[i] >> -b.v[i])
GW_OF(rounded, gw_rounded32(a.v[i], b.v[i]))
GW_OF(rounded_away, gw_rounded32((int64_t)a.v[i] - (a.v[i] < 0), b.v[i]))
GW_OF(rounded_some, gw_rounded32((int64_t)a.v[i] - (a.v[i] < 0 && b.v[i] < 0), b.v[i]))
static inline gw_v4 gw_scaled4(gw_v4 a, gw_v4 b, gw_v4 high, gw_v4 low)
{
    GW_EACH(gw_scaled(a.v[i], b.v[i], high.v[i], (uint32_t)low.v[i]));
}

#define GW_MOVE(lanes, source, target, from, to) \
    static inline void gw_move##lanes##_##source##_##target(to *p, const from *q) \
    { \
        for (int32_t i = 0; i < lanes; i++) p[i] = q[i]; \
    }
#define GW_FILL(lanes, type, of) \
    static inline void gw_fill##lanes##_##type(of *p, of a) \
    { \
        for (int32_t i = 0; i < lanes; i++) p[i] = a; \
    }
GW_MOVE(16, int8, int8, int8_t, int8_t)
GW_MOVE(16, uint8, uint8, uint8_t, uint8_t)
GW_MOVE(8, int8, int8, int8_t, int8_t)
GW_MOVE(8, uint8, uint8, uint8_t, uint8_t)
GW_MOVE(8, int8, int16, int8_t, gw_i16)
GW_MOVE(8, uint8, int16, uint8_t, gw_i16)
GW_MOVE(8, int16, int16, gw_i16, gw_i16)
GW_FILL(16, int8, int8_t)
GW_FILL(16, uint8, uint8_t)
GW_FILL(8, int8, int8_t)
GW_FILL(8, uint8, uint8_t)
GW_FILL(8, int16, gw_i16)

#endif

/* Every stride-th element. */
#define GW_EVERY(type, of) \
    static inline gw_v4 gw_every4_##type(const of *p, int32_t stride) \
    { \
        const int32_t steps[4] = {0, stride, 2 * stride, 3 * stride}; \
        return gw_gather4_##type(p, gw_load4_int32(steps)); \
    }
GW_EVERY(int8, int8_t)
GW_EVERY(uint8, uint8_t)
GW_EVERY(int16, gw_i16)
GW_EVERY(uint16, gw_u16)
GW_EVERY(int32, gw_i32)

/* Sums of two positions or one, of four filters, steps vectors deep. x, from from on: the columns of the positions, one
 * behind the other; weights, from at on: of each two filters, or of all four, a vector of each, step by step. The sums begin with
 * first, from channel on; sum: the filters of the first position, then those of the second. */
#ifdef GW_MVE
#define GW_ACROSS(kind, lanes, of, cells, load, factors, loaded, vector, add) \
    static inline void gw_across_##kind##_2x4(const of *x, int32_t from, const factors *weights, int32_t at, \
                                              int32_t steps, const int32_t *first, int32_t channel, gw_i32 *sum) \
    { \
        const factors *w = weights + at; \
        first += channel; \
        for (int32_t n = 0; n < 4; n += 2) { \
            const cells *p = (const cells *)(const void *)x + from, *q = p + steps * lanes; \
            int32_t a = first[n], b = first[n + 1], c = a, d = b; \
            for (int32_t i = steps; i > 0; i--, p += lanes, q += lanes, w += 2 * lanes) { \
                vector u = load(p), v = load(q), f = loaded(w), g = loaded(w + lanes); \
                a = add(a, u, f); \
                c = add(c, v, f); \
                b = add(b, u, g); \
                d = add(d, v, g); \
            } \
            sum[n] = a, sum[n + 1] = b, sum[n + 4] = c, sum[n + 5] = d; \
        } \
    } \
    static inline void gw_across_##kind##_1x4(const of *x, int32_t from, const factors *weights, int32_t at, \
                                              int32_t steps, const int32_t *first, int32_t channel, gw_i32 *sum) \
    { \
        const cells *p = (const cells *)(const void *)x + from; \
        const factors *w = weights + at; \
        first += channel; \
        int32_t a = first[0], b = first[1], c = first[2], d = first[3]; \
        for (int32_t i = steps; i > 0; i--, p += lanes, w += 4 * lanes) { \
            vector u = load(p); \
            a = add(a, u, loaded(w)); \
            b = add(b, u, loaded(w + lanes)); \
            c = add(c, u, loaded(w + 2 * lanes)); \
            d = add(d, u, loaded(w + 3 * lanes)); \
        } \
        sum[0] = a, sum[1] = b, sum[2] = c, sum[3] = d; \
    }
GW_ACROSS(8, 16, int8_t, int8_t, vldrbq_s8, int8_t, vldrbq_s8, int8x16_t, vmladavaq_s8)
#define GW_HALVES(p) vldrhq_s16((const int16_t *)(const void *)(p))
GW_ACROSS(16_8, 8, gw_i16, int16_t, vldrhq_s16, int8_t, vldrbq_s16, int16x8_t, vmladavaq_s16)
GW_ACROSS(16, 8, gw_i16, int16_t, vldrhq_s16, gw_i16, GW_HALVES, int16x8_t, vmladavaq_s16)
#else
#define GW_ACROSS(kind, lanes, of, factors) \
    static inline void gw_across_##kind(const of *x, const factors *w, int32_t positions, int32_t filters, int32_t steps, \
                                        const int32_t *first, gw_i32 *sum) \
    { \
        for (int32_t p = 0; p < positions; p++) \
            for (int32_t f = 0; f < 4; f++) { \
                const factors *own = w + (f / filters * steps * filters + f % filters) * lanes; \
                int32_t total = first[f]; \
                for (int32_t i = 0; i < steps * lanes; i++) \
                    total = gw_add32(total, x[p * steps * lanes + i] * own[i / lanes * filters * lanes + i % lanes]); \
                sum[p * 4 + f] = total; \
            } \
    } \
    static inline void gw_across_##kind##_2x4(const of *x, int32_t from, const factors *weights, int32_t at, \
                                              int32_t steps, const int32_t *first, int32_t channel, gw_i32 *sum) \
    { \
        gw_across_##kind(x + from, weights + at, 2, 2, steps, first + channel, sum); \
    } \
    static inline void gw_across_##kind##_1x4(const of *x, int32_t from, const factors *weights, int32_t at, \
                                              int32_t steps, const int32_t *first, int32_t channel, gw_i32 *sum) \
    { \
        gw_across_##kind(x + from, weights + at, 1, 4, steps, first + channel, sum); \
    }
GW_ACROSS(8, 16, int8_t, int8_t)
GW_ACROSS(16_8, 8, gw_i16, int8_t)
GW_ACROSS(16, 8, gw_i16, gw_i16)
#endif

/* Sums of the windows of 16 channels: rows of x begin at the elements that rows says, and at from in them; neighbouring
 * columns are step elements apart. Weights, from at on: 16 of each cell of two rows, column by column, then those of the
 * last row of an odd number. Two products fit 16 bits. The sums begin with first, from channel on. */
#ifdef GW_MVE
/* Lane i of a vector of 16 stands in lane i / 4 of sum i % 4. */
#define GW_WIDEN(even, odd) \
    (s.val[0] = vaddq_s32(s.val[0], vmovlbq_s16(even)), s.val[2] = vaddq_s32(s.val[2], vmovltq_s16(even)), \
     s.val[1] = vaddq_s32(s.val[1], vmovlbq_s16(odd)), s.val[3] = vaddq_s32(s.val[3], vmovltq_s16(odd)))
static inline void gw_windows(const int8_t *x, const gw_i32 *rows, int32_t from, int32_t down, int32_t columns,
                              int32_t step, const int8_t *weights, int32_t at, const int32_t *first, int32_t channel,
                              gw_i32 *sum)
{
    const int8_t *w = weights + at;
    int32x4x4_t s = vld4q_s32(first + channel);
    for (int32_t k = 0; k < down - 1; k += 2) {
        const int8_t *p = x + rows[k] + from, *q = x + rows[k + 1] + from;
        for (int32_t m = 0; m < columns; m++, p += step, q += step, w += 32) {
            int8x16_t a = vldrbq_s8(p), b = vldrbq_s8(q), c = vldrbq_s8(w), d = vldrbq_s8(w + 16);
            int16x8_t even = vaddq_s16(vmullbq_int_s8(a, c), vmullbq_int_s8(b, d));
            int16x8_t odd = vaddq_s16(vmulltq_int_s8(a, c), vmulltq_int_s8(b, d));
            GW_WIDEN(even, odd);
        }
    }
    if (down % 2) {
        const int8_t *p = x + rows[down - 1] + from;
        int32_t m = 0;
        for (; m < columns - 1; m += 2, p += 2 * step, w += 32) {
            int8x16_t a = vldrbq_s8(p), b = vldrbq_s8(p + step), c = vldrbq_s8(w), d = vldrbq_s8(w + 16);
            int16x8_t even = vaddq_s16(vmullbq_int_s8(a, c), vmullbq_int_s8(b, d));
            int16x8_t odd = vaddq_s16(vmulltq_int_s8(a, c), vmulltq_int_s8(b, d));
            GW_WIDEN(even, odd);
        }
        if (m < columns) {
            int8x16_t a = vldrbq_s8(p), c = vldrbq_s8(w);
            GW_WIDEN(vmullbq_int_s8(a, c), vmulltq_int_s8(a, c));
        }
    }
    vst4q_s32((int32_t *)(void *)sum, s);
}
#else
static inline void gw_windows(const int8_t *x, const gw_i32 *rows, int32_t from, int32_t down, int32_t columns,
                              int32_t step, const int8_t *weights, int32_t at, const int32_t *first, int32_t channel,
                              gw_i32 *sum)
{
    for (int32_t i = 0; i < 16; i++) sum[i] = first[channel + i];
    for (int32_t k = 0; k < down; k++)
        for (int32_t m = 0; m < columns; m++) {
            int32_t two = k < down / 2 * 2, tap = two ? (k / 2 * columns + m) * 2 + k % 2 : k * columns + m;
            for (int32_t i = 0; i < 16; i++)
                sum[i] = gw_add32(sum[i], x[rows[k] + from + m * step + i] * weights[at + tap * 16 + i]);
        }
}
#endif

#endif
