// Names shared with the vendor's headers (modes, types, helper macros) and the integers that hold values.
#ifndef GATEWRIGHT_LEAN_STORAGE_H
#define GATEWRIGHT_LEAN_STORAGE_H

#include <cstdint>
#include <type_traits>

#define AP_MAX(a, b) ((a) > (b) ? (a) : (b))
#define AP_MIN(a, b) ((a) < (b) ? (a) : (b))

typedef signed long long ap_slong;
typedef unsigned long long ap_ulong;

// Rounding, in the vendor's order. LEAN_INTEGER is ours: it marks ap_int and ap_uint, which drop the fraction of a
// number that is assigned to them.
enum ap_q_mode { AP_RND, AP_RND_ZERO, AP_RND_MIN_INF, AP_RND_INF, AP_RND_CONV, AP_TRN, AP_TRN_ZERO, LEAN_INTEGER };
enum ap_o_mode { AP_SAT, AP_SAT_ZERO, AP_SAT_SYM, AP_WRAP, AP_WRAP_SM };

template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0> struct ap_fixed;
template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0> struct ap_ufixed;
template <int W> struct ap_int;
template <int W> struct ap_uint;

namespace lean {

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

// The integers of at least Bits bits, sign included.
template <int Bits> struct storage {
    static_assert(Bits <= 128, "gatewright: a fixed-point value or intermediate result needs more than 128 bits; "
                               "compile this project with the vendor's ap_types headers");
    typedef typename std::conditional<(Bits <= 64), int64_t, int128>::type type;
    typedef typename std::conditional<(Bits <= 64), uint64_t, uint128>::type unsigned_type;
};
template <int Bits> using signed_bits = typename storage<Bits>::type;

template <class T> constexpr int bits_of = int(sizeof(T) * 8);

// The low W bits of v, as a signed or an unsigned number. V must have a bit to spare for the sign of an unsigned one.
template <int W, bool S, class V, class T> constexpr V wrap(T v) {
    typedef typename storage<bits_of<V>>::unsigned_type U;
    constexpr int unused = bits_of<V> - W;
    if constexpr (S)
        return V(V(U(v) << unused) >> unused);
    else
        return V(U(v) & (~U(0) >> unused));
}

// v * 2^places as a V, which is wide enough. (Shifting a negative number left is not defined before C++20.)
template <class V> constexpr V shift_up(V v, int places) {
    return V(typename storage<bits_of<V>>::unsigned_type(v) << places);
}

// 2^exponent, exact; to be evaluated by the compiler.
constexpr double power_of_two(int exponent) {
    double power = 1;
    for (; exponent > 0; --exponent)
        power *= 2;
    for (; exponent < 0; ++exponent)
        power /= 2;
    return power;
}

} // namespace lean

#endif
