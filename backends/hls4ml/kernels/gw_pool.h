// Gatewright's windows and reductions.
#ifndef GATEWRIGHT_POOL_H_
#define GATEWRIGHT_POOL_H_

#include "gw_linear.h"

namespace gw {

// ---- pooling over up to three axes: the sum (kind 0) or the greatest (kind 1) of each window; padding is 0, or never
// wins
//
// The mean is the sum: its divisor is part of the result's scale. C: as for conv (kernel0.. = window), kind, x_zero.
// Streams: a line buffer of C::depth rows, one result pack a cycle once its rows are there.

template <class C, class acc_T, class v_T> acc_T fold(const acc_T &sofar, const v_T &v, bool empty) {
    #pragma HLS INLINE
    if (C::kind == 0)
        return acc_T(sofar + v);
    if (C::kind == 1)
        return empty || v > sofar ? acc_T(v) : sofar;
    return empty || v < sofar ? acc_T(v) : sofar;
}

// A sum has the width of the result; a maximum that of the operand, which the result's proved range may be narrower
// than.
template <class C, class x_T, class y_T> struct accumulator {
    typedef ap_int<(C::kind == 0 ? bits<typename bits<y_T>::value>::width : bits<x_T>::width + 2)> type;
};

struct pool_body {
    template <class C> static unsigned rows(unsigned r) {
        #pragma HLS INLINE
        return rows_for_window<C>(r);
    }

    template <class C, class x_T, class R, class y_T> static void at(R x, unsigned r, unsigned p, y_T *y) {
        #pragma HLS INLINE
        typedef typename accumulator<C, x_T, y_T>::type acc_t;
        acc_t sum[C::c_out];
        #pragma HLS ARRAY_PARTITION variable=sum complete
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            sum[c] = 0;
        }
        bool empty = true;
        for (unsigned k = 0; k < C::kernel0 * C::kernel1 * C::kernel2; k++) {
            #pragma HLS UNROLL
            int i0, i1, i2;
            bool on0 = tap_place(r, k / (C::kernel1 * C::kernel2), C::stride0, C::dilation0, C::pad0, C::in0, i0);
            bool on1 = tap_place(second<C>(p), k / C::kernel2 % C::kernel1, C::stride1, C::dilation1, C::pad1, C::in1,
                                 i1);
            bool on2 = tap_place(third<C>(p), k % C::kernel2, C::stride2, C::dilation2, C::pad2, C::in2, i2);
            const bool on = on0 && on1 && on2;
            ap_int<bits<x_T>::width + 2> v[C::c_in];
            #pragma HLS ARRAY_PARTITION variable=v complete
            read_tap<C, x_T>(x, on, i0, in_row<C>(on1 && on2, i1, i2), v);
            for (unsigned c = 0; c < C::c_out; c++) {
                #pragma HLS UNROLL
                sum[c] = on ? fold<C>(sum[c], acc_t(v[c]), empty) : sum[c];
            }
            empty = empty && !on;
        }
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            y[c] = stored<y_T>(sum[c]);
        }
    }
};

template <class x_T, class y_T, class C> void pool(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=C::reuse_factor
    all_rows<pool_body, C>(x, y);
}

template <class x_T, class y_T, class C>
void pool(hls::stream<x_T> &x, hls::stream<y_T> &y) { by_rows<pool_body, C>(x, y); }

// ---- reduce: sum (kind 0), greatest (1) or least (2) over some axes
//
// x_map: where the first element of each result's set is; y_map: where the others are from there. C: count, x_zero,
// c_out. Streams buffer the operand; one result pack a cycle after that, with C::count * c_out operations in parallel.

struct reduce_body {
    template <class C, class x_T, class y_T> static void pack(const x_T *x, unsigned p, y_T *y) {
        #pragma HLS INLINE
        typedef typename accumulator<C, x_T, y_T>::type acc_t;
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            const int first = x_map<C>::at(p * C::c_out + c);
            acc_t sum = 0;
            for (unsigned k = 0; k < C::count; k++) {
                #pragma HLS UNROLL
                acc_t v = centred(x[first + y_map<C>::at(k)], C::x_zero);
                sum = fold<C>(sum, v, k == 0);
            }
            y[c] = stored<y_T>(sum);
        }
    }
};

template <class x_T, class y_T, class C> void reduce(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    all_packs<reduce_body, C>(x, y);
}

template <class x_T, class y_T, class C>
void reduce(hls::stream<x_T> &x, hls::stream<y_T> &y) { buffered<reduce_body, C>(x, y); }

// Over all axes but the last one: a running sum per channel, one pack in per cycle, nothing buffered. Latency: packs in
// + 2.

template <class x_T, class y_T, class C> void reduce_all(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    typedef typename accumulator<C, x_T, y_T>::type acc_t;
    for (unsigned c = 0; c < C::c_out; c++) {
        #pragma HLS UNROLL
        acc_t sum = 0;
        for (unsigned p = 0; p < C::n_in0 / C::c_out; p++) {
            #pragma HLS UNROLL
            acc_t v = centred(x[p * C::c_out + c], C::x_zero);
            sum = fold<C>(sum, v, p == 0);
        }
        y[c] = stored<y_T>(sum);
    }
}

template <class x_T, class y_T, class C> void reduce_all(hls::stream<x_T> &x, hls::stream<y_T> &y) {
    typedef typename accumulator<C, typename x_T::value_type, typename y_T::value_type>::type acc_t;
    acc_t sum[C::c_out];
    #pragma HLS ARRAY_PARTITION variable=sum complete
    for (unsigned p = 0; p < C::n_in0 / x_T::size; p++) {
        #pragma HLS PIPELINE II=1
        x_T in = x.read();
        for (unsigned c = 0; c < x_T::size; c++) {
            #pragma HLS UNROLL
            acc_t v = centred(in[c], C::x_zero);
            sum[c] = fold<C>(p == 0 ? acc_t(0) : sum[c], v, p == 0);
        }
    }
    y_T out;
    for (unsigned c = 0; c < y_T::size; c++) {
        #pragma HLS UNROLL
        out[c] = stored<typename y_T::value_type>(sum[c]);
    }
    y.write(out);
}

} // namespace gw
#endif
