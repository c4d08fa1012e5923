/* What LLVM calls on 32-bit Arm for numbers of 64 bits, and for divisions on cores without the instruction.
 *
 * Definitions are weak, so that those of a compiler's own library may take their place. No function here may use the
 * operation that it stands for. */

#include <stdint.h>

#define HELPER __attribute__((weak, visibility("hidden")))

HELPER int64_t __fixdfdi(double x)
{
    union { double real; uint64_t bits; } u = { x };
    int exponent = (int)(u.bits >> 52 & 0x7ff) - 1075;
    uint64_t digits = (u.bits & 0xfffffffffffffull) | 0x10000000000000ull;
    if (exponent < -63) return 0;
    if (exponent > 10) return u.bits >> 63 ? INT64_MIN : INT64_MAX;
    digits = exponent < 0 ? digits >> -exponent : digits << exponent;
    return u.bits >> 63 ? -(int64_t)digits : (int64_t)digits;
}

HELPER int64_t __fixsfdi(float x)
{
    return __fixdfdi(x);
}

HELPER double __floatdidf(int64_t v)
{
    return (double)(int32_t)(v >> 32) * 4294967296.0 + (double)(uint32_t)v;
}

HELPER float __floatdisf(int64_t v)
{
    /* digits beyond those of a double become one that says that there were any: it is rounded only once */
    if ((v >= (int64_t)1 << 53 || v <= -((int64_t)1 << 53)) && (v & 0x7ff)) v = (v & ~(int64_t)0x7ff) | 0x800;
    return (float)__floatdidf(v);
}

static uint64_t divide(uint64_t a, uint64_t b, uint64_t *rest)
{
    uint64_t quotient = 0, left = 0;
    for (int i = 63; i >= 0; i--) {
        left = left << 1 | (a >> i & 1);
        if (left >= b) {
            left -= b;
            quotient |= (uint64_t)1 << i;
        }
    }
    *rest = left;
    return quotient;
}

static uint64_t size(int64_t v)
{
    return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

HELPER int64_t __divdi3(int64_t a, int64_t b)
{
    uint64_t rest, quotient = divide(size(a), size(b), &rest);
    return (int64_t)((a < 0) != (b < 0) ? -quotient : quotient);
}

HELPER int64_t __moddi3(int64_t a, int64_t b)
{
    uint64_t rest;
    divide(size(a), size(b), &rest);
    return (int64_t)(a < 0 ? -rest : rest);
}

HELPER uint64_t __udivdi3(uint64_t a, uint64_t b)
{
    uint64_t rest;
    return divide(a, b, &rest);
}

HELPER uint64_t __umoddi3(uint64_t a, uint64_t b)
{
    uint64_t rest;
    divide(a, b, &rest);
    return rest;
}

HELPER int32_t __divsi3(int32_t a, int32_t b) { return (int32_t)__divdi3(a, b); }
HELPER int32_t __modsi3(int32_t a, int32_t b) { return (int32_t)__moddi3(a, b); }
HELPER uint32_t __udivsi3(uint32_t a, uint32_t b) { return (uint32_t)__udivdi3(a, b); }
HELPER uint32_t __umodsi3(uint32_t a, uint32_t b) { return (uint32_t)__umoddi3(a, b); }
