// Slices and single bits of a number, and what each operand of an operator counts as.
#ifndef GATEWRIGHT_LEAN_SLICE_H
#define GATEWRIGHT_LEAN_SLICE_H

#include "number.h"

namespace lean {

constexpr uint128 reversed(uint128 bits, int count) {
    uint128 out = 0;
    for (; count > 0; --count, bits >>= 1)
        out = (out << 1) | (bits & 1);
    return out;
}

// x.range(high, low): some bits of a number, read as an unsigned integer, written bit for bit. As the vendor's, high <
// low reads and writes the bits in reverse order.
template <class B> struct slice {
    typedef integer_number<B::width, false> lean_number;
    B &of;
    const int high, low;

    constexpr slice(B &number, int h, int l) : of(number), high(h), low(l) {}
    constexpr slice(const slice &) = default;
    constexpr lean_number get() const {
        typedef typename lean_number::raw raw;
        const raw bits = raw(of.V >> first()) & mask();
        return lean_number(exactly(), high < low ? raw(reversed(uint128(bits), length())) : bits);
    }
    template <class X, class = number_of<X>> constexpr const slice &operator=(X x) const {
        return set(typename lean_number::raw(number_of<X>(x).V));
    }
    constexpr const slice &operator=(const slice &other) const { return set(other.get().V); }
    constexpr operator ap_ulong() const { return ap_ulong(get().V); }
    constexpr int length() const { return (high < low ? low - high : high - low) + 1; }
    constexpr int to_int() const { return int(get().V); }
    constexpr unsigned to_uint() const { return unsigned(get().V); }
    constexpr ap_slong to_int64() const { return ap_slong(get().V); }
    constexpr ap_ulong to_uint64() const { return ap_ulong(get().V); }

  private:
    constexpr int first() const { return high < low ? high : low; }
    constexpr typename lean_number::raw mask() const { // length() ones; a raw has a bit more than the number
        return lean_number::max >> (B::width - AP_MIN(length(), B::width));
    }
    constexpr const slice &set(typename lean_number::raw bits) const {
        typedef typename storage<bits_of<typename B::raw>>::unsigned_type U;
        if (high < low) bits = typename lean_number::raw(reversed(uint128(bits), length()));
        // A whole number is written without being read: it may be uninitialised.
        const U kept = length() == B::width ? U(0) : U(of.V) & ~(U(mask()) << first());
        of.V = wrap<B::width, B::is_signed, typename B::raw>(kept | (U(bits & mask()) << first()));
        return *this;
    }
};

// x[i]: one bit of a number.
template <class B> struct bit_slice {
    typedef integer_number<1, false> lean_number;
    B &of;
    const int index;

    constexpr bit_slice(B &number, int i) : of(number), index(i) {}
    constexpr bit_slice(const bit_slice &) = default;
    constexpr operator bool() const { return (of.V >> index) & 1; }
    constexpr bool to_bool() const { return *this; }
    constexpr lean_number get() const { return lean_number(exactly(), bool(*this)); }
    template <class X, class = number_of<X>> constexpr const bit_slice &operator=(X x) const {
        slice<B>(of, index, index) = bool(x);
        return *this;
    }
    constexpr const bit_slice &operator=(const bit_slice &other) const { return *this = bool(other); }
};

template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
constexpr const number<W, I, S, Q, O, N> &as_number(const number<W, I, S, Q, O, N> &x) {
    return x;
}
template <class B> constexpr typename slice<B>::lean_number as_number(const slice<B> &x) { return x.get(); }
template <class B> constexpr typename bit_slice<B>::lean_number as_number(const bit_slice<B> &x) { return x.get(); }

} // namespace lean

#endif
