// Gatewright: copies of whole tensors. Nothing is computed.
#ifndef GATEWRIGHT_WIRES_H_
#define GATEWRIGHT_WIRES_H_

#include "hls_stream.h"

namespace gw {

// y = x. Latency 1, II = 1.
template <class x_T, class y_T, class C> void copy(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    for (unsigned i = 0; i < C::n_out; i++) {
        #pragma HLS UNROLL
        y[i] = x[i];
    }
}

template <class x_T, class y_T> y_T copy_pack(const x_T &x) {
    #pragma HLS INLINE
    y_T y;
    for (unsigned i = 0; i < y_T::size; i++) {
        #pragma HLS UNROLL
        y[i] = x[i];
    }
    return y;
}

// y = x, one pack per cycle.
template <class x_T, class y_T, class C> void copy(hls::stream<x_T> &x, hls::stream<y_T> &y) {
    for (unsigned i = 0; i < C::n_out / y_T::size; i++) {
        #pragma HLS PIPELINE II=1
        y.write(copy_pack<x_T, y_T>(x.read()));
    }
}

// One array into two, three or four: in a DATAFLOW region an array has one reader.
template <class x_T, class y_T, class C>
void fork(x_T x[C::n_in0], y_T a[C::n_out], y_T b[C::n_out]) {
    #pragma HLS PIPELINE II=1
    for (unsigned i = 0; i < C::n_out; i++) {
        #pragma HLS UNROLL
        a[i] = x[i];
        b[i] = x[i];
    }
}

template <class x_T, class y_T, class C>
void fork(x_T x[C::n_in0], y_T a[C::n_out], y_T b[C::n_out], y_T c[C::n_out]) {
    #pragma HLS PIPELINE II=1
    for (unsigned i = 0; i < C::n_out; i++) {
        #pragma HLS UNROLL
        a[i] = x[i];
        b[i] = x[i];
        c[i] = x[i];
    }
}

template <class x_T, class y_T, class C>
void fork(x_T x[C::n_in0], y_T a[C::n_out], y_T b[C::n_out], y_T c[C::n_out], y_T d[C::n_out]) {
    #pragma HLS PIPELINE II=1
    for (unsigned i = 0; i < C::n_out; i++) {
        #pragma HLS UNROLL
        a[i] = x[i];
        b[i] = x[i];
        c[i] = x[i];
        d[i] = x[i];
    }
}

// One stream into two, three or four, one pack per cycle.
template <class x_T, class y_T, class C>
void fork(hls::stream<x_T> &x, hls::stream<y_T> &a, hls::stream<y_T> &b) {
    for (unsigned i = 0; i < C::n_out / y_T::size; i++) {
        #pragma HLS PIPELINE II=1
        y_T v = copy_pack<x_T, y_T>(x.read());
        a.write(v);
        b.write(v);
    }
}

template <class x_T, class y_T, class C>
void fork(hls::stream<x_T> &x, hls::stream<y_T> &a, hls::stream<y_T> &b, hls::stream<y_T> &c) {
    for (unsigned i = 0; i < C::n_out / y_T::size; i++) {
        #pragma HLS PIPELINE II=1
        y_T v = copy_pack<x_T, y_T>(x.read());
        a.write(v);
        b.write(v);
        c.write(v);
    }
}

template <class x_T, class y_T, class C>
void fork(hls::stream<x_T> &x, hls::stream<y_T> &a, hls::stream<y_T> &b, hls::stream<y_T> &c, hls::stream<y_T> &d) {
    for (unsigned i = 0; i < C::n_out / y_T::size; i++) {
        #pragma HLS PIPELINE II=1
        y_T v = copy_pack<x_T, y_T>(x.read());
        a.write(v);
        b.write(v);
        c.write(v);
        d.write(v);
    }
}

} // namespace gw

#endif
