/* What every network of Gatewright uses: integers that wrap, rounding of floats, types for memory of many types.
 * C99, freestanding; nothing here needs a library. */
#ifndef GW_H
#define GW_H

#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define GW_ALIAS __attribute__((may_alias))
#define GW_ALIGNED(n) __attribute__((aligned(n)))
#define GW_LAYER static __attribute__((noinline))
#else
#define GW_ALIAS
#define GW_ALIGNED(n)
#define GW_LAYER static
#endif

/* The arena holds tensors of different types one after the other. */
typedef int16_t GW_ALIAS gw_i16;
typedef uint16_t GW_ALIAS gw_u16;
typedef int32_t GW_ALIAS gw_i32;
typedef uint32_t GW_ALIAS gw_u32;
typedef int64_t GW_ALIAS gw_i64;
typedef uint64_t GW_ALIAS gw_u64;
typedef float GW_ALIAS gw_f32;
typedef double GW_ALIAS gw_f64;

static inline int32_t gw_add32(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static inline int32_t gw_sub32(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
static inline int32_t gw_mul32(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }
static inline int32_t gw_shl32(int32_t a, int32_t n) { return (int32_t)((uint32_t)a << n); }
static inline int64_t gw_add64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static inline int64_t gw_sub64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static inline int64_t gw_mul64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }
static inline int64_t gw_shl64(int64_t a, int64_t n) { return (int64_t)((uint64_t)a << n); }

static inline int32_t gw_min32(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t gw_max32(int32_t a, int32_t b) { return a > b ? a : b; }
#if defined(__ARM_FEATURE_SAT) && __ARM_FEATURE_SAT
#include <arm_acle.h>
static inline int32_t gw_ssat8(int32_t v) { return __ssat(v, 8); }
static inline int32_t gw_ssat16(int32_t v) { return __ssat(v, 16); }
static inline int32_t gw_usat8(int32_t v) { return (int32_t)__usat(v, 8); }
#else
static inline int32_t gw_ssat8(int32_t v) { return v < -128 ? -128 : v > 127 ? 127 : v; }
static inline int32_t gw_ssat16(int32_t v) { return v < -32768 ? -32768 : v > 32767 ? 32767 : v; }
static inline int32_t gw_usat8(int32_t v) { return v < 0 ? 0 : v > 255 ? 255 : v; }
#endif

/* The upper word of a * b + (high, low): a change of scale, but for a shift. With ..._away halves go away from zero:
 * part is taken off where the product is negative. */
#if defined(__ARM_ARCH) && __ARM_ARCH == 6
/* These cores multiply 32 by 32 bits to 32: the product in halves of 16 bits. */
static inline int32_t gw_upper(int32_t a, int32_t b, uint32_t *low)
{
    uint32_t al = (uint32_t)a & 0xffffu, bl = (uint32_t)b & 0xffffu, ll = al * bl, lh = al * ((uint32_t)b >> 16);
    int32_t ah = a >> 16, middle = ah * (int32_t)bl + (int32_t)(ll >> 16);
    uint32_t rest = lh + ((uint32_t)middle & 0xffffu);
    *low = rest << 16 | (ll & 0xffffu);
    return ah * (b >> 16) + (middle >> 16) + (int32_t)(rest >> 16);
}
static inline int32_t gw_scaled(int32_t a, int32_t b, int32_t high, uint32_t low)
{
    uint32_t under, upper = (uint32_t)gw_upper(a, b, &under);
    return (int32_t)(upper + (uint32_t)high + (under + low < low));
}
static inline int32_t gw_scaled_away(int32_t a, int32_t b, int32_t high, uint32_t low, uint32_t part)
{
    uint32_t under, upper = (uint32_t)gw_upper(a, b, &under), less = (int32_t)upper < 0 ? part : 0, sum = under + low;
    upper += (uint32_t)high + (sum < low);
    return (int32_t)(upper - (sum < less));
}
#else
static inline int32_t gw_scaled(int32_t a, int32_t b, int32_t high, uint32_t low)
{
    return (int32_t)(((int64_t)a * b + (int64_t)((uint64_t)(uint32_t)high << 32 | low)) >> 32);
}
static inline int32_t gw_scaled_away(int32_t a, int32_t b, int32_t high, uint32_t low, uint32_t part)
{
    int64_t product = (int64_t)a * b;
    product += (int64_t)((uint64_t)(uint32_t)high << 32 | low) - (product < 0 ? (int64_t)part : 0);
    return (int32_t)(product >> 32);
}
#endif

static inline int64_t gw_min64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t gw_max64(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
