// Rounding and overflow: how a value of one format, or a double, becomes a value of another.
//
// In these templates To and From are lean::number types: width, iwidth, fraction (= width - iwidth), is_signed, qmode,
// omode, wrap_bits, raw (the integer that holds V), max, min, lowest.
#ifndef GATEWRIGHT_LEAN_CONVERT_H
#define GATEWRIGHT_LEAN_CONVERT_H

#include "storage.h"

namespace lean {

// Whether the floor of a value is to be raised by one. half: the first dropped bit; rest: whether any bit after it is
// 1.
template <ap_q_mode Q> constexpr bool rounds_up(bool negative, bool odd, bool half, bool rest) {
    switch (Q) {
    case AP_RND: return half;
    case AP_RND_ZERO: return half && (negative || rest);
    case AP_RND_MIN_INF: return half && rest;
    case AP_RND_INF: return half && (!negative || rest);
    case AP_RND_CONV: return half && (odd || rest);
    case AP_TRN: return false;
    case AP_TRN_ZERO:
    case LEAN_INTEGER: return negative && (half || rest);
    }
    return false;
}

// What an overflow mode makes of a value beyond the range of To. low: any integer with the value's low bits.
template <class To, class T> constexpr typename To::raw overflow(T low, bool negative) {
    typedef typename To::raw raw;
    if constexpr (To::omode == AP_SAT_ZERO) {
        return 0;
    } else if constexpr (To::omode == AP_SAT || To::omode == AP_SAT_SYM) {
        return negative ? To::lowest : To::max;
    } else if constexpr (To::wrap_bits == 0) {
        return wrap<To::width, To::is_signed, raw>(low);
    } else { // the top wrap_bits bits saturate (the sign at its own end), those below wrap
        typedef typename storage<bits_of<raw>>::unsigned_type U;
        constexpr raw top = (To::max | To::min) & raw(~((U(1) << (To::width - To::wrap_bits)) - 1));
        constexpr raw negative_end = To::is_signed ? To::min : To::max;
        return (wrap<To::width, To::is_signed, raw>(low) & ~top) | ((negative ? negative_end : To::max) & top);
    }
}

// v, an integer in units of To's last place, brought into To's range.
template <class To, class T> constexpr typename To::raw fit(T v) {
    typedef typename To::raw raw;
    if constexpr (To::omode == AP_WRAP && To::wrap_bits == 0) {
        return wrap<To::width, To::is_signed, raw>(v);
    } else {
        typedef typename std::conditional<(sizeof(T) > sizeof(raw)), T, raw>::type wide;
        if (wide(v) < wide(To::lowest)) return overflow<To>(v, true);
        if (wide(v) > wide(To::max)) return overflow<To>(v, false);
        return raw(v);
    }
}

// Whether no value of From, rounded where `rounding`, can leave To's range.
template <class To, class From> constexpr bool always_fits(bool rounding) {
    const bool margin = rounding || (From::is_signed && To::omode == AP_SAT_SYM);
    return (To::is_signed || !From::is_signed) &&
           To::iwidth - To::is_signed >= From::iwidth - From::is_signed + margin;
}

// Fewer fraction bits: round, then handle the overflow.
template <class To, class From> constexpr typename To::raw drop_bits(typename From::raw v) {
    typedef typename From::raw T;
    typedef typename storage<bits_of<T>>::unsigned_type U;
    constexpr int drop = From::fraction - To::fraction, last = bits_of<T> - 1; // past the last bit: copies of the sign
    constexpr bool rounding = rounds_up<To::qmode>(From::is_signed, true, true, true);
    T floor = v >> AP_MIN(drop, last);
    if constexpr (rounding) {
        constexpr U below_half = drop - 1 > last ? ~U(0) : (U(1) << AP_MIN(drop - 1, last)) - 1;
        const bool half = (v >> AP_MIN(drop - 1, last)) & 1;
        floor += rounds_up<To::qmode>(v < 0, floor & 1, half, (U(v) & below_half) != 0);
    }
    if constexpr (always_fits<To, From>(rounding))
        return typename To::raw(floor);
    else
        return fit<To>(floor);
}

// As many fraction bits or more: no rounding. The range is checked before the shift, so no wider integer is needed.
template <class To, class From> constexpr typename To::raw add_bits(typename From::raw v) {
    typedef typename To::raw raw;
    typedef typename storage<bits_of<raw>>::unsigned_type U;
    typedef typename std::conditional<(sizeof(typename From::raw) > sizeof(raw)), typename From::raw, raw>::type wide;
    constexpr int add = To::fraction - From::fraction;
    if constexpr (add >= bits_of<raw>) { // a multiple of 2^add is zero or beyond the range
        return v == 0 ? raw(0) : overflow<To>(0, v < 0);
    } else if constexpr (always_fits<To, From>(false)) {
        return raw(U(v) << add);
    } else if constexpr (To::omode == AP_WRAP && To::wrap_bits == 0) {
        return wrap<To::width, To::is_signed, raw>(U(v) << add);
    } else {
        constexpr raw highest = To::max >> add;
        constexpr raw lowest = (To::lowest >> add) + ((U(To::lowest) & ((U(1) << add) - 1)) != 0); // rounded up
        if (wide(v) < wide(lowest)) return overflow<To>(U(v) << add, true);
        if (wide(v) > wide(highest)) return overflow<To>(U(v) << add, false);
        return raw(U(v) << add);
    }
}

template <class To, class From> constexpr typename To::raw convert(typename From::raw v) {
    if constexpr (From::fraction > To::fraction)
        return drop_bits<To, From>(v);
    else
        return add_bits<To, From>(v);
}

// A double of at least 2^62 in units of To's last place: an integer, mostly beyond the range.
template <class To> constexpr typename To::raw from_huge(double scaled) {
    if (scaled - scaled != 0) return overflow<To>(0, scaled < 0); // infinite; what becomes of a NaN is not defined
    constexpr double limit = power_of_two(126);
    int shift = 0;
    for (; scaled >= limit || scaled <= -limit; ++shift)
        scaled /= 2;
    const int128 v = int128(scaled);
    if (shift == 0) return fit<To>(v);
    return overflow<To>(shift < 128 ? int128(uint128(v) << shift) : int128(0), v < 0);
}

template <class To> constexpr typename To::raw from_double(double d) {
    constexpr double scale = power_of_two(To::fraction), huge = power_of_two(62);
    double scaled = d * scale;
    if (d != 0 && scaled > -0.25 && scaled < 0.25) {
        // As the vendor's: an ap_int or ap_uint made from -0.5 < d < 0 is 1.
        if (To::qmode == LEAN_INTEGER) return wrap<To::width, To::is_signed, typename To::raw>(d < 0);
        scaled = d < 0 ? -0.25 : 0.25; // rounds alike, and cannot have underflowed to zero
    }
    if (!(scaled > -huge && scaled < huge)) return from_huge<To>(scaled);
    const int64_t whole = int64_t(scaled);
    const bool negative = scaled < 0;
    const double rest = negative ? double(whole) - scaled : scaled - double(whole); // exact, 0 <= rest < 1
    if (To::qmode == LEAN_INTEGER && negative && whole == 0 && rest < 0.5)
        return wrap<To::width, To::is_signed, typename To::raw>(1); // see above
    const int64_t floor = whole - (negative && rest > 0);
    const bool half = negative ? rest > 0 && rest <= 0.5 : rest >= 0.5;
    return fit<To>(floor + rounds_up<To::qmode>(negative, floor & 1, half, rest > 0 && rest != 0.5));
}

} // namespace lean

#endif
