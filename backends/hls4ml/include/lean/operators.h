// Arithmetic, comparison and text streams of numbers. The operators live in namespace lean, where only numbers, slices
// and bits find them (through their base class). A C integer counts as an ap_int or ap_uint of its size. Operands are
// passed by value, as the vendor's C integers are: hls4ml's layer parameters are `static const unsigned n = 5;` in a
// class, which a reference would need a definition for.
#ifndef GATEWRIGHT_LEAN_OPERATORS_H
#define GATEWRIGHT_LEAN_OPERATORS_H

#include "number.h"
#include "slice.h"

namespace lean {

// A, B: operands, at least one of them not a C integer.
template <class A, class B> struct pair_of {
    typedef number_of<A> a;
    typedef number_of<B> b;

    // The vendor's result formats: exact, but for a quotient.
    static constexpr bool integer = a::is_integer && b::is_integer, is_signed = a::is_signed || b::is_signed;
    static constexpr int fraction = AP_MAX(a::fraction, b::fraction);
    static constexpr bool extends_a = b::is_signed && !a::is_signed, extends_b = a::is_signed && !b::is_signed;
    static constexpr int whole = AP_MAX(a::iwidth + extends_a, b::iwidth + extends_b);
    typedef typename named<integer, a::width + b::width, a::iwidth + b::iwidth, is_signed>::type product;
    typedef typename named<integer, whole + 1 + fraction, whole + 1, is_signed>::type sum;
    typedef typename named<integer, whole + 1 + fraction, whole + 1, true>::type difference;
    typedef typename named<integer, whole + fraction, whole, is_signed>::type logic;
    static constexpr int quotient_width = b::is_signed + a::width + AP_MAX(b::fraction, 0);
    typedef typename named<integer, quotient_width, b::is_signed + a::iwidth + b::fraction, is_signed>::type quotient;
    static constexpr int remainder_width = AP_MIN(a::width, b::width + extends_b);
    typedef typename named<true, remainder_width, remainder_width, a::is_signed>::type remainder;
};
template <class A, class B, class = number_of<A>, class = number_of<B>,
          class = typename std::enable_if<!(operand<A>::is_c && operand<B>::is_c)>::type>
using operands = pair_of<A, B>; // an error, and thus no candidate, for other operands

// As the vendor's: k / x and k % x of a C integer k have the format of x / k and x % k, into which the result is cut.
template <class A, class B>
using number_first = typename std::conditional<operand<A>::is_c, pair_of<B, A>, pair_of<A, B>>::type;

template <class X> constexpr number_of<X> as_operand(X x) { return integer_number<1, false>::from_operand(x); }

// The integer of an operand in units of 2^-fraction, as a T.
template <class T, int fraction, class X> constexpr T aligned(X x) {
    return shift_up(T(as_operand(x).V), fraction - number_of<X>::fraction);
}

template <class A, class B, class P = operands<A, B>> constexpr typename P::product operator*(A a, B b) {
    typedef typename P::product R;
    typedef typename R::raw T;
    return R(exactly(), T(as_operand(a).V) * T(as_operand(b).V));
}
#define LEAN_ALIGNED(op, result)                                                                                       \
    template <class A, class B, class P = operands<A, B>>                                                              \
    constexpr typename P::result operator op(A a, B b) {                                                               \
        typedef typename P::result R;                                                                                  \
        typedef typename R::raw T;                                                                                     \
        return R(exactly(), T(aligned<T, P::fraction>(a) op aligned<T, P::fraction>(b)));                              \
    }
LEAN_ALIGNED(+, sum) LEAN_ALIGNED(-, difference) LEAN_ALIGNED(&, logic) LEAN_ALIGNED(|, logic) LEAN_ALIGNED(^, logic)
#undef LEAN_ALIGNED

// The common format in which the vendor's divides integers. As the vendor's, for operands of different signedness: the
// wider one decides whether both are taken as signed, so that ap_uint<8>(200) / ap_int<4>(-2) is 200 / 510 = 0.
template <class P> struct common_integer {
    typedef typename P::a a;
    typedef typename P::b b;
    static constexpr int width = AP_MAX(a::width, b::width) + P::is_signed;
    static constexpr bool is_signed = a::width > b::width   ? a::is_signed
                                      : b::width > a::width ? b::is_signed
                                                            : P::is_signed;
    typedef signed_bits<width + !is_signed> raw;
    template <class X> static constexpr raw of(X x) { return wrap<width, is_signed, raw>(as_operand(x).V); }
};

// Quotients are truncated towards zero. A division by zero stops the program, as in the vendor's.
template <class A, class B, class P = operands<A, B>>
constexpr typename number_first<A, B>::quotient operator/(A a, B b) {
    typedef typename P::quotient R;
    typedef typename P::a NA;
    typedef typename P::b NB;
    if constexpr (P::integer) {
        typedef common_integer<P> C;
        return R(exactly(), wrap<R::width, R::is_signed, typename R::raw>(C::of(a) / C::of(b)));
    } else {
        // As the vendor's: both are brought into these many bits, where the smallest number divided by -1 wraps.
        constexpr int up = AP_MAX(NB::fraction, 0);
        constexpr int width = AP_MAX(NA::width + up + P::extends_a, NB::width + P::extends_b);
        typedef signed_bits<width + 1> T;
        const T divided = shift_up(T(as_operand(a).V), up) / T(as_operand(b).V);
        return R(exactly(), wrap<R::width, R::is_signed, typename R::raw>(wrap<width, P::is_signed, T>(divided)));
    }
}
template <class A, class B, class P = operands<A, B>>
constexpr typename number_first<A, B>::remainder operator%(A a, B b) {
    static_assert(P::integer, "gatewright: % is for ap_int and ap_uint only");
    typedef typename P::remainder R;
    typedef common_integer<P> C;
    const typename C::raw x = C::of(a), y = C::of(b);
    // As the vendor's: an unsigned number's remainder by a negative one is the number itself.
    const typename C::raw rest = !P::a::is_signed && y < 0 ? x : typename C::raw(x % y);
    return R(exactly(), wrap<R::width, R::is_signed, typename R::raw>(rest));
}

// Shifts of a number. (A C integer shifted by an ap_int or ap_uint is C's own shift.)
template <class A, class B, class = operands<A, B>, class = typename std::enable_if<!operand<A>::is_c>::type>
constexpr auto operator<<(A a, B n) {
    return as_operand(a).shifted_left(int64_t(as_operand(n).to_integer().V));
}
template <class A, class B, class = operands<A, B>, class = typename std::enable_if<!operand<A>::is_c>::type>
constexpr auto operator>>(A a, B n) {
    return as_operand(a).shifted_left(-int64_t(as_operand(n).to_integer().V));
}

// ap_int and ap_uint with float or double give that; ap_fixed with either does not compile, as in the vendor's.
template <class A, class F, bool Integer = number_of<A>::is_integer && !operand<A>::is_c>
using with_float = typename std::enable_if<Integer && std::is_floating_point<F>::value, F>::type;
#define LEAN_WITH_FLOAT(op)                                                                                            \
    template <class A, class F> constexpr with_float<A, F> operator op(A a, F f) {                                     \
        return F(as_operand(a).V) op f;                                                                                \
    }                                                                                                                  \
    template <class A, class F> constexpr with_float<A, F> operator op(F f, A a) {                                     \
        return f op F(as_operand(a).V);                                                                                \
    }
LEAN_WITH_FLOAT(+) LEAN_WITH_FLOAT(-) LEAN_WITH_FLOAT(*) LEAN_WITH_FLOAT(/)
#undef LEAN_WITH_FLOAT

// Comparisons are of the exact values, but where a signed and an unsigned number meet the vendor's follows C. With the
// widths that both have once they are aligned: from 32 bits on, if the unsigned one is at least as wide, a negative
// number counts as larger than any; and equality is that of the low bits, as many as the wider has and at least 32.
template <class P> struct comparison {
    typedef typename P::a a;
    typedef typename P::b b;
    static constexpr int width_a = a::width + P::fraction - a::fraction + (a::fraction < b::fraction);
    static constexpr int width_b = b::width + P::fraction - b::fraction;
    static constexpr bool mixed = a::is_signed != b::is_signed;
    static constexpr bool unsigned_is_wide = a::is_signed ? width_b >= width_a : width_a >= width_b;
    static constexpr bool like_c = mixed && (width_a >= 32 || width_b >= 32) && unsigned_is_wide;
    static constexpr int equal_bits = AP_MAX(AP_MAX(width_a, width_b), 32);
    typedef signed_bits<AP_MAX(width_a + !a::is_signed, width_b + !b::is_signed)> raw;

    static constexpr int order(raw x, raw y) { // -1, 0, 1
        if (like_c && (x < 0) != (y < 0)) return x < 0 ? 1 : -1;
        return x < y ? -1 : x > y;
    }
    static constexpr bool equal(raw x, raw y) {
        if constexpr (mixed && equal_bits < bits_of<raw>) {
            typedef typename storage<bits_of<raw>>::unsigned_type U;
            return U(U(x) << (bits_of<raw> - equal_bits)) == U(U(y) << (bits_of<raw> - equal_bits));
        } else
            return x == y;
    }
};
template <class P, class A> constexpr typename comparison<P>::raw first_of(A a) {
    return aligned<typename comparison<P>::raw, P::fraction>(a);
}
template <class P, class B> constexpr typename comparison<P>::raw second_of(B b) {
    typedef typename comparison<P>::raw T;
    const T y = aligned<T, P::fraction>(b);
    // As the vendor's: where the right side has fewer fraction bits, it gets more in a format with its own overflow
    // mode. With AP_SAT_SYM that moves the lowest number (which only one bit, a shift or a slice can hold) up by one.
    if constexpr (P::b::omode == AP_SAT_SYM && P::b::is_signed && P::b::fraction < P::fraction)
        return y + (y == -shift_up(T(1), comparison<P>::width_b - 1));
    else
        return y;
}
template <class P, class A, class B> constexpr int order(A a, B b) {
    return comparison<P>::order(first_of<P>(a), second_of<P>(b));
}
template <class P, class A, class B> constexpr bool equal(A a, B b) {
    return comparison<P>::equal(first_of<P>(a), second_of<P>(b));
}
template <class A, class F, class = number_of<A>>
using if_float = typename std::enable_if<!operand<A>::is_c && std::is_floating_point<F>::value, int>::type;
#define LEAN_COMPARE(op, exact)                                                                                        \
    template <class A, class B, class P = operands<A, B>> constexpr bool operator op(A a, B b) {                       \
        return exact;                                                                                                  \
    }                                                                                                                  \
    template <class A, class F, if_float<A, F> = 0> constexpr bool operator op(A a, F f) {                             \
        return as_operand(a).to_double() op double(f);                                                                 \
    }                                                                                                                  \
    template <class A, class F, if_float<A, F> = 0> constexpr bool operator op(F f, A a) {                             \
        return double(f) op as_operand(a).to_double();                                                                 \
    }
LEAN_COMPARE(==, equal<P>(a, b))
LEAN_COMPARE(!=, !equal<P>(a, b))
LEAN_COMPARE(<, order<P>(a, b) < 0)
LEAN_COMPARE(>, order<P>(a, b) > 0)
LEAN_COMPARE(<=, order<P>(a, b) <= 0)
LEAN_COMPARE(>=, order<P>(a, b) >= 0)
#undef LEAN_COMPARE

// The vendor's (a, b) concatenates integers; a comma that silently gave b would be worse than none.
template <class A, class B, class P = operands<A, B>, class = typename std::enable_if<P::integer>::type>
void operator,(A, B) = delete;

// Streams, for whoever includes <istream> or <ostream>. Written: integers in decimal, the rest as the double.
template <class C, class Traits, int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
std::basic_ostream<C, Traits> &operator<<(std::basic_ostream<C, Traits> &out, const number<W, I, S, Q, O, N> &x) {
    if constexpr (Q == LEAN_INTEGER)
        return out << x.to_string(10);
    else
        return out << x.to_double();
}
template <class C, class Traits, int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
std::basic_istream<C, Traits> &operator>>(std::basic_istream<C, Traits> &in, number<W, I, S, Q, O, N> &x) {
    typedef typename std::conditional<S, ap_slong, ap_ulong>::type integer;
    typename std::conditional<(Q == LEAN_INTEGER && W > 53), integer, double>::type v{}; // a double holds 53 bits
    in >> v;
    x = v;
    return in;
}

} // namespace lean

#endif
