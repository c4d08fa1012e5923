// Gatewright's softmax in 32-bit fixed point: along the last axis, one pack at a time.
//
// What quantized runtimes define, digit by digit: a product of two numbers without integer bits is the upper half of
// twice their 64-bit product, rounded; halves go away from zero.
#ifndef GATEWRIGHT_SOFTMAX_H_
#define GATEWRIGHT_SOFTMAX_H_

#include "gw_common.h"

namespace gw {

typedef ap_int<64> long_t;

// a * b / 2^31, to nearest, halves away from zero; saturated to 32 bits.
inline long_t multiply_high(const long_t &a, const long_t &b) {
    #pragma HLS INLINE
    const long_t product = ap_int<34>(a) * ap_int<34>(b);
    const long_t half = 1LL << 30, top = (1LL << 31) - 1;
    const long_t high = product >= 0 ? long_t((product + half) >> 31) : long_t(-long_t((half - 1 - product) >> 31));
    return high > top ? top : high;
}

// v / 2^n, to nearest, halves away from zero.
inline long_t shift_round(const long_t &v, int n) {
    #pragma HLS INLINE
    const long_t mask = (long_t(1) << n) - 1;
    const long_t rest = v & mask, threshold = (mask >> 1) + (v < 0 ? 1 : 0);
    return long_t(v >> n) + (rest > threshold ? 1 : 0);
}

// v * 2^n, saturated to 32 bits.
inline long_t shift_left(const long_t &v, int n) {
    #pragma HLS INLINE
    const long_t raised = v << n, top = (1LL << 31) - 1, bottom = -(1LL << 31);
    return raised > top ? top : raised < bottom ? bottom : raised;
}

// The zero bits above the highest one of a positive 32-bit number: a priority encoder.
inline int leading_zeros(const long_t &v) {
    #pragma HLS INLINE
    int zeros = 32;
    for (int bit = 0; bit < 32; bit++) {
        #pragma HLS UNROLL
        if ((v >> bit) != 0)
            zeros = 31 - bit;
    }
    return zeros;
}

// 1 / (1 + a) for a from 0 to 1, no integer bits: three steps of Newton's.
inline long_t one_over_one_plus(const long_t &a) {
    #pragma HLS INLINE
    const long_t half = (a + (1LL << 31)) >> 1;
    long_t x = long_t(1515870810LL) + multiply_high(half, -1010580540LL);
    for (int step = 0; step < 3; step++) {
        #pragma HLS UNROLL
        const long_t rest = long_t(1LL << 29) - multiply_high(half, x);
        x = x + shift_left(multiply_high(x, rest), 2);
    }
    return shift_left(x, 1);
}

// A table of 513 entries of 16 bits, read with straight lines between them.
template <class t_T> long_t interpolate(const long_t &q, t_T *table) {
    #pragma HLS INLINE
    const ap_uint<32> index = long_t(256 + (q >> 7));
    const ap_int<16> base = value(table[index.to_uint()]);
    const ap_int<16> slope = value(table[index.to_uint() + 1]) - base;
    const long_t delta = (slope * ap_int<16>(long_t(q & 127)) + 64) >> 7;
    return long_t(ap_int<16>(base + delta));
}

// C: c_out (how many numbers share a sum), entries (of the table of exponentials), width, low, high of the result.
template <class C, class x_T, class e_T> void exponentials_of(const x_T *x, long_t *e, e_T *table) {
    #pragma HLS INLINE
    typename bits<x_T>::value most = value(x[0]);
    for (unsigned c = 1; c < C::c_out; c++) {
        #pragma HLS UNROLL
        most = value(x[c]) > most ? value(x[c]) : most;
    }
    for (unsigned c = 0; c < C::c_out; c++) {
        #pragma HLS UNROLL
        const ap_uint<32> at = long_t(value(x[c]) - most) + (C::entries - 1);
        e[c] = value(table[at.to_uint()]);
    }
}

template <class C, class y_T> y_T clamped(const long_t &v, long long low) {
    #pragma HLS INLINE
    const long_t bottom = low, top = C::high;
    return stored<y_T>(v < bottom ? bottom : v > top ? top : v);
}

struct softmax_newton {
    template <class C, class x_T, class y_T, class e_T> static void row(const x_T *x, y_T *y, e_T *table) {
        #pragma HLS INLINE
        long_t e[C::c_out], total = 0;
        #pragma HLS ARRAY_PARTITION variable=e complete
        exponentials_of<C>(x, e, table);
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            total += shift_round(e[c], 12);
        }
        const int zeros = leading_zeros(total);
        const long_t scale = one_over_one_plus((total << zeros) - long_t(1LL << 31));
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            const long_t q = shift_round(multiply_high(scale, e[c]), 43 - zeros - int(C::width));
            y[c] = clamped<C, y_T>(q + C::low, C::low);
        }
    }
};

struct softmax_tabled {
    template <class C, class x_T, class y_T, class e_T, class r_T>
    static void row(const x_T *x, y_T *y, e_T *table, r_T *reciprocals) {
        #pragma HLS INLINE
        long_t e[C::c_out], total = 0;
        #pragma HLS ARRAY_PARTITION variable=e complete
        exponentials_of<C>(x, e, table);
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            total += e[c];
        }
        const int zeros = leading_zeros(total);
        const long_t part = (long_t(total << (zeros - 1)) + (1 << 13)) >> 14;
        long_t place = part - (1 << 15) - (1 << 16);
        place = place < -(1 << 15) ? long_t(-(1 << 15)) : place > (1 << 15) - 1 ? long_t((1 << 15) - 1) : place;
        const long_t scale = interpolate(place, reciprocals);
        const int right = 31 - zeros;
        const long_t half = right > 0 ? long_t(long_t(1) << (right - 1)) : long_t(1);
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            const long_t product = ap_int<18>(e[c]) * ap_int<18>(scale);
            y[c] = clamped<C, y_T>(long_t(product + half) >> right, 0);
        }
    }
};

template <class Body, class C, class x_T, class y_T, class... K> void all_softmax(const x_T *x, y_T *y, K... tables) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < C::n_out / C::c_out; p++) {
        #pragma HLS UNROLL
        Body::template row<C>(x + p * C::c_out, y + p * C::c_out, tables...);
    }
}

template <class Body, class C, class x_T, class y_T, class... K>
void each_softmax(hls::stream<x_T> &x, hls::stream<y_T> &y, K... tables) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
        #pragma HLS PIPELINE II=1
        typename x_T::value_type in[x_T::size];
        typename y_T::value_type out[y_T::size];
        #pragma HLS ARRAY_PARTITION variable=in complete
        #pragma HLS ARRAY_PARTITION variable=out complete
        unpack(x.read(), in);
        Body::template row<C>(in, out, tables...);
        y.write(packed<y_T>(out));
    }
}

template <class x_T, class y_T, class C, class e_T>
void fixed_softmax(x_T x[C::n_in0], y_T y[C::n_out], e_T table[C::n_table]) {
    #pragma HLS PIPELINE II=1
    all_softmax<softmax_newton, C>(x, y, table);
}

template <class x_T, class y_T, class C, class e_T>
void fixed_softmax(hls::stream<x_T> &x, hls::stream<y_T> &y, e_T table[C::n_table]) {
    each_softmax<softmax_newton, C>(x, y, table);
}

template <class x_T, class y_T, class C, class e_T, class r_T>
void fixed_softmax(x_T x[C::n_in0], y_T y[C::n_out], e_T table[C::n_table], r_T reciprocals[C::n_reciprocals]) {
    #pragma HLS PIPELINE II=1
    all_softmax<softmax_tabled, C>(x, y, table, reciprocals);
}

template <class x_T, class y_T, class C, class e_T, class r_T>
void fixed_softmax(hls::stream<x_T> &x, hls::stream<y_T> &y, e_T table[C::n_table],
                   r_T reciprocals[C::n_reciprocals]) {
    each_softmax<softmax_tabled, C>(x, y, table, reciprocals);
}

} // namespace gw

#endif
