// The number class behind ap_fixed, ap_ufixed, ap_int and ap_uint, and these four.
#ifndef GATEWRIGHT_LEAN_NUMBER_H
#define GATEWRIGHT_LEAN_NUMBER_H

#include "convert.h"
#include "text.h"

namespace lean {

template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N> struct number;
template <int W, bool S> using integer_number = number<W, W, S, LEAN_INTEGER, AP_WRAP, 0>;

// The type that a user would write for a format.
template <bool Integer, int W, int I, bool S, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0> struct named {
    typedef ap_fixed<W, I, Q, O, N> type;
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct named<false, W, I, false, Q, O, N> {
    typedef ap_ufixed<W, I, Q, O, N> type;
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct named<true, W, I, true, Q, O, N> {
    typedef ap_int<W> type;
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct named<true, W, I, false, Q, O, N> {
    typedef ap_uint<W> type;
};

// What takes part in arithmetic: `type` is the number that a T counts as. C integers, numbers, slices and bits; not
// floating-point numbers.
template <class T>
constexpr bool is_c_integer =
    std::is_integral<T>::value || (std::is_enum<T>::value && std::is_convertible<T, int>::value);
template <class T, class = void> struct operand {};
template <class T> struct operand<T, typename std::enable_if<is_c_integer<T> && !std::is_same<T, bool>::value>::type> {
    static constexpr bool is_c = true;
    typedef integer_number<bits_of<T>, (T(-1) < T(0))> type;
};
template <> struct operand<bool> {
    static constexpr bool is_c = true;
    typedef integer_number<1, false> type;
};
template <class T> struct operand<T, std::void_t<typename T::lean_number>> {
    static constexpr bool is_c = false;
    typedef typename T::lean_number type;
};
template <class T> using number_of = typename operand<T>::type;

struct exactly {}; // marks a constructor that takes V itself

template <class B> struct slice;
template <class B> struct bit_slice;

template <int W_, int I_, bool S_, ap_q_mode Q_, ap_o_mode O_, int N_> struct number {
    static_assert(W_ > 0, "gatewright: a fixed-point type has at least one bit");
    static_assert(O_ != AP_WRAP_SM, "gatewright: AP_WRAP_SM is not offered; "
                                    "compile this project with the vendor's ap_types headers");
    static_assert(N_ >= 0 && N_ <= W_, "gatewright: more saturated bits than the type has");

    typedef number lean_number;
    typedef signed_bits<W_ + !S_> raw;
    static constexpr int width = W_, iwidth = I_, fraction = W_ - I_, wrap_bits = N_;
    static constexpr bool is_signed = S_, is_integer = Q_ == LEAN_INTEGER;
    static constexpr ap_q_mode qmode = Q_;
    static constexpr ap_o_mode omode = O_;
    static constexpr raw max = raw((typename storage<bits_of<raw>>::unsigned_type(1) << (W_ - S_)) - 1);
    static constexpr raw min = S_ ? raw(-max - 1) : raw(0);
    // As the vendor's: AP_SAT_SYM leaves a signed number of one bit its -1.
    static constexpr raw lowest = S_ && O_ == AP_SAT_SYM && W_ > 1 ? raw(min + 1) : min;
    typedef typename named<is_integer, W_, I_, S_, Q_, O_, N_>::type self;   // this type
    typedef typename named<is_integer, W_, I_, S_>::type plain;              // with the default modes
    static constexpr int negative_width = is_integer && S_ && W_ == 1 ? W_ + 2 : W_ + 1; // as the vendor's
    typedef typename named<is_integer, negative_width, negative_width - fraction, true>::type negative;

    raw V;

    number() = default; // like an int: zero in static storage, unknown elsewhere
    constexpr number(exactly, raw v) : V(v) {}
    template <class T, typename std::enable_if<std::is_floating_point<T>::value, int>::type = 0>
    constexpr number(T v) : V(from_double<number>(double(v))) {}
    template <class X, class From = number_of<X>> constexpr number(X x) : V(from_number(from_operand(x))) {}

    // The integer part in max(iwidth, 1) bits, truncated towards zero.
    constexpr integer_number<AP_MAX(I_, 1), S_> to_integer() const {
        typedef integer_number<AP_MAX(I_, 1), S_> R;
        typedef typename R::raw T;
        if constexpr (I_ < 0)
            return R(exactly(), 0); // not initialised in the vendor's
        else if constexpr (I_ == 0) // as the vendor's: a negative fraction is incremented from 0 to 1 in one signed bit
            return R(exactly(), T(V < 0 ? -1 : 0));
        else if constexpr (fraction > 0) {
            typedef typename storage<bits_of<raw>>::unsigned_type U;
            constexpr int shift = AP_MIN(fraction, bits_of<raw> - 1);
            const bool inexact = (U(V) & ((U(1) << shift) - 1)) != 0;
            return R(exactly(), wrap<I_, S_, T>((V >> shift) + (V < 0 && inexact)));
        } else
            return R(exactly(), T(typename storage<bits_of<T>>::unsigned_type(V) << -AP_MIN(fraction, 0)));
    }
    constexpr double to_double() const { return double(V) * unit; }
    constexpr float to_float() const { return float(double(float(V)) * unit); }
    constexpr int to_int() const { return int(to_integer().V); }
    constexpr unsigned to_uint() const { return unsigned(to_integer().V); }
    constexpr ap_slong to_int64() const { return ap_slong(to_integer().V); }
    constexpr ap_ulong to_uint64() const { return ap_ulong(to_integer().V); }
    constexpr long to_long() const { return long(to_integer().V); }
    constexpr unsigned long to_ulong() const { return static_cast<unsigned long>(to_integer().V); }
    constexpr bool to_bool() const { return V != 0; }
    // To any C type; ap_int and ap_uint have one conversion instead, to 64 bits, as the vendor's: an index needs it.
    template <class T, typename std::enable_if<std::is_arithmetic<T>::value && (Q_ != LEAN_INTEGER), int>::type = 0>
    constexpr operator T() const {
        if constexpr (std::is_same<T, bool>::value)
            return V != 0;
        else if constexpr (std::is_same<T, float>::value)
            return to_float();
        else if constexpr (std::is_floating_point<T>::value)
            return to_double();
        else
            return T(to_integer().V);
    }
    // In radix 2, 8, 10 or 16; binary by default, as the vendor's.
    template <class String = std::string> String to_string(int radix = 2, bool with_sign = S_) const {
        return number_text<String>(*this, radix, with_sign);
    }

    constexpr int length() const { return W_; }
    constexpr bool is_neg() const { return V < 0; }
    constexpr bool sign() const { return V < 0; }
    constexpr bool is_zero() const { return V == 0; }
    constexpr bool operator!() const { return V == 0; }
    constexpr plain operator~() const { return plain(exactly(), wrap<W_, S_, raw>(~V)); }
    constexpr plain operator+() const { return plain(exactly(), V); }
    constexpr negative operator-() const { return negative(exactly(), -typename negative::raw(V)); }

    // A shift keeps the format; it drops bits without rounding or saturating. A negative distance shifts the other way.
    constexpr self shifted_left(int64_t n) const {
        typedef typename storage<bits_of<raw>>::unsigned_type U;
        if (n <= -W_) return self(exactly(), raw(V < 0 ? -1 : 0));
        if (n < 0) return self(exactly(), raw(V >> -n));
        return self(exactly(), n >= W_ ? raw(0) : wrap<W_, S_, raw>(U(V) << n));
    }
    template <class X, class = number_of<X>> constexpr number &operator<<=(X n) {
        return *this = shifted_left(int64_t(from_operand(n).to_integer().V));
    }
    template <class X, class = number_of<X>> constexpr number &operator>>=(X n) {
        return *this = shifted_left(-int64_t(from_operand(n).to_integer().V));
    }

#define LEAN_COMPOUND(op)                                                                                              \
    template <class X, class = number_of<X>> constexpr number &operator op##=(X x) {                                   \
        if constexpr (is_integer && !number_of<X>::is_integer) /* the vendor's truncates the right side first */       \
            return *this = number(*this op from_operand(x).to_integer());                                              \
        else                                                                                                           \
            return *this = number(*this op x);                                                                         \
    }
    LEAN_COMPOUND(+) LEAN_COMPOUND(-) LEAN_COMPOUND(*) LEAN_COMPOUND(/)
    LEAN_COMPOUND(%) LEAN_COMPOUND(&) LEAN_COMPOUND(|) LEAN_COMPOUND(^)
#undef LEAN_COMPOUND
    constexpr number &operator++() { return *this += true; }
    constexpr number &operator--() { return *this -= true; }
    constexpr self operator++(int) {
        const self before(exactly(), V);
        *this += true;
        return before;
    }
    constexpr self operator--(int) {
        const self before(exactly(), V);
        *this -= true;
        return before;
    }

    // Bits and slices of a number that may change can be written; those of a constant are values.
    constexpr bit_slice<number> operator[](int i) { return {*this, i}; }
    constexpr bit_slice<number> bit(int i) { return {*this, i}; }
    constexpr bool operator[](int i) const { return test(i); }
    constexpr bool bit(int i) const { return test(i); }
    constexpr bool test(int i) const { return (V >> i) & 1; }
    constexpr bool get_bit(int i) const { return test(i); }
    constexpr void set_bit(int i, bool v) { (*this)[i] = v; }
    constexpr slice<number> range(int high, int low) { return {*this, high, low}; }
    constexpr slice<number> range() { return range(W_ - 1, 0); }
    constexpr slice<number> operator()(int high, int low) { return range(high, low); }
    constexpr ap_uint<W_> range(int high, int low) const { return number(*this).range(high, low); }
    constexpr ap_uint<W_> range() const { return range(W_ - 1, 0); }
    constexpr ap_uint<W_> operator()(int high, int low) const { return range(high, low); }

    // A slice or bit as the number that it reads as; a C integer exactly; a number as it is.
    template <class X> static constexpr number_of<X> from_operand(X x) {
        if constexpr (operand<X>::is_c)
            return number_of<X>(exactly(), typename number_of<X>::raw(x));
        else
            return as_number(x);
    }

  private:
    static constexpr double unit = power_of_two(-fraction);

    template <class From> static constexpr raw from_number(const From &x) {
        if constexpr (is_integer && !From::is_integer)
            return wrap<W_, S_, raw>(x.to_integer().V);
        else
            return convert<number, From>(x.V);
    }
};

} // namespace lean

// The four types that users write. The constructors are those of lean::number; one from lean::number itself is not
// inherited, so it is repeated.
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct ap_fixed : lean::number<W, I, true, Q, O, N> {
    typedef lean::number<W, I, true, Q, O, N> Base;
    using Base::Base;
    ap_fixed() = default;
    constexpr ap_fixed(const Base &x) : Base(x) {}
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct ap_ufixed : lean::number<W, I, false, Q, O, N> {
    typedef lean::number<W, I, false, Q, O, N> Base;
    using Base::Base;
    ap_ufixed() = default;
    constexpr ap_ufixed(const Base &x) : Base(x) {}
};
template <int W> struct ap_int : lean::integer_number<W, true> {
    typedef lean::integer_number<W, true> Base;
    using Base::Base;
    ap_int() = default;
    constexpr ap_int(const Base &x) : Base(x) {}
    constexpr operator ap_slong() const { return ap_slong(Base::V); }
};
template <int W> struct ap_uint : lean::integer_number<W, false> {
    typedef lean::integer_number<W, false> Base;
    using Base::Base;
    ap_uint() = default;
    constexpr ap_uint(const Base &x) : Base(x) {}
    constexpr operator ap_ulong() const { return ap_ulong(Base::V); }
};

#endif
