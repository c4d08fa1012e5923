// Gatewright's products: dense over leading axes, matrix product, convolution of any kind and its transpose.
//
// Accumulators have exactly the width of the result, whose format the compiler has proved wide enough; sums wrap on the
// way, which changes nothing, because addition modulo 2^W does not depend on the order.
#ifndef GATEWRIGHT_LINEAR_H_
#define GATEWRIGHT_LINEAR_H_

#include "gw_common.h"

namespace gw {

// The end of every product: sum * factor + bias, in the unit of the result (C::factor is 1 unless the bias has the
// finer unit).
template <class C, class y_T, class acc_T, class b_T> y_T finish(const acc_T &sum, const b_T &bias) {
    #pragma HLS INLINE
    if (C::factor == 1)
        return stored<y_T>(sum + value(bias));
    return stored<y_T>(sum * ap_int<C::factor_width>(C::factor) + value(bias));
}

// ---- dense: y[..., n] = sum over k of (x[..., k] - x_zero) * w[k, n], times factor, plus b[n]
//
// One pack in, one pack out every C::reuse_factor cycles; c_in * c_out multipliers / reuse_factor.
// C: c_in, c_out, x_zero, factor, factor_width. w [c_in * c_out], b [c_out].

struct dense_body {
    template <class C, class x_T, class y_T, class w_T, class b_T>
    static void row(const x_T *x, y_T *y, w_T *w, b_T *b) {
        #pragma HLS INLINE
        for (unsigned n = 0; n < C::c_out; n++) {
            #pragma HLS UNROLL
            typename bits<y_T>::integer sum = 0;
            for (unsigned k = 0; k < C::c_in; k++) {
                #pragma HLS UNROLL
                ap_int<bits<x_T>::width + 2> v = centred(x[k], C::x_zero);
                sum += v * value(w[k * C::c_out + n]);
            }
            y[n] = finish<C, y_T>(sum, b[n]);
        }
    }
};

template <class x_T, class y_T, class C, class w_T, class b_T>
void dense(x_T x[C::n_in0], y_T y[C::n_out], w_T w[C::n_weights], b_T b[C::n_bias]) {
    #pragma HLS ARRAY_PARTITION variable=w complete
    #pragma HLS ARRAY_PARTITION variable=b complete
    #pragma HLS PIPELINE II=C::reuse_factor
    for (unsigned p = 0; p < C::n_out / C::c_out; p++) {
        #pragma HLS UNROLL
        dense_body::row<C>(x + p * C::c_in, y + p * C::c_out, w, b);
    }
}

template <class x_T, class y_T, class C, class w_T, class b_T>
void dense(hls::stream<x_T> &x, hls::stream<y_T> &y, w_T w[C::n_weights], b_T b[C::n_bias]) {
    #pragma HLS ARRAY_PARTITION variable=w complete
    #pragma HLS ARRAY_PARTITION variable=b complete
    for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
        #pragma HLS PIPELINE II=C::reuse_factor
        x_T in = x.read();
        typename x_T::value_type row[x_T::size];
        typename y_T::value_type out[y_T::size];
        #pragma HLS ARRAY_PARTITION variable=row complete
        #pragma HLS ARRAY_PARTITION variable=out complete
        unpack(in, row);
        dense_body::row<C>(row, out, w, b);
        y.write(packed<y_T>(out));
    }
}

// ---- matrix product: z[..., m, n] = sum over k of (x[..., m, k] - x_zero) * (y[..., k, n] - y_zero)
//
// x_map, y_map: where the matrix of each operand starts, by the index of the result's matrix. C: inner, c_out, rows,
// zeros. Streams: both operands are read into memories side by side, then one row of the result leaves every
// C::reuse_factor cycles.

struct matmul_body {
    template <class C, class x_T, class y_T, class z_T>
    static void pack(const x_T *x, const y_T *y, unsigned p, z_T *z) {
        #pragma HLS INLINE
        const unsigned packs = C::n_out / C::c_out;
        const unsigned batch = quotient<packs, C::rows>(p), m = remainder<packs, C::rows>(p);
        const int first = x_map<C>::at(batch) + int(m * C::inner), second = y_map<C>::at(batch);
        for (unsigned n = 0; n < C::c_out; n++) {
            #pragma HLS UNROLL
            typename bits<z_T>::integer sum = 0;
            for (unsigned k = 0; k < C::inner; k++) {
                #pragma HLS UNROLL
                ap_int<bits<x_T>::width + 2> a = centred(x[first + k], C::x_zero);
                ap_int<bits<y_T>::width + 2> b = centred(y[second + k * C::c_out + n], C::y_zero);
                sum += a * b;
            }
            z[n] = stored<z_T>(sum);
        }
    }
};

template <class x_T, class y_T, class z_T, class C> void matmul(x_T x[C::n_in0], y_T y[C::n_in1], z_T z[C::n_out]) {
    #pragma HLS PIPELINE II=C::reuse_factor
    for (unsigned p = 0; p < C::n_out / C::c_out; p++) {
        #pragma HLS UNROLL
        matmul_body::pack<C>(x, y, p, z + p * C::c_out);
    }
}

template <class x_T, class y_T, class z_T, class C>
void matmul(hls::stream<x_T> &x, hls::stream<y_T> &y, hls::stream<z_T> &z) {
    buffered_pair<matmul_body, C>(x, y, z);
}

// One operand constant: the right one (matmul_right) or the left one (matmul_left); w holds the whole constant.
struct matmul_right_body {
    template <class C, class x_T, class z_T, class w_T> static void pack(const x_T *x, unsigned p, z_T *z, w_T *w) {
        #pragma HLS INLINE
        matmul_body::pack<C>(x, w, p, z);
    }
};

struct matmul_left_body {
    template <class C, class x_T, class z_T, class w_T> static void pack(const x_T *x, unsigned p, z_T *z, w_T *w) {
        #pragma HLS INLINE
        matmul_body::pack<C>(w, x, p, z);
    }
};

template <class x_T, class z_T, class C, class w_T>
void matmul_right(x_T x[C::n_in0], z_T z[C::n_out], w_T w[C::n_weights]) {
    #pragma HLS ARRAY_PARTITION variable=w complete
    #pragma HLS PIPELINE II=C::reuse_factor
    all_packs<matmul_right_body, C>(x, z, w);
}

template <class x_T, class z_T, class C, class w_T>
void matmul_right(hls::stream<x_T> &x, hls::stream<z_T> &z, w_T w[C::n_weights]) {
    #pragma HLS ARRAY_PARTITION variable=w complete
    buffered<matmul_right_body, C>(x, z, w);
}

template <class x_T, class z_T, class C, class w_T>
void matmul_left(x_T x[C::n_in0], z_T z[C::n_out], w_T w[C::n_weights]) {
    #pragma HLS ARRAY_PARTITION variable=w complete
    #pragma HLS PIPELINE II=C::reuse_factor
    all_packs<matmul_left_body, C>(x, z, w);
}

template <class x_T, class z_T, class C, class w_T>
void matmul_left(hls::stream<x_T> &x, hls::stream<z_T> &z, w_T w[C::n_weights]) {
    #pragma HLS ARRAY_PARTITION variable=w complete
    buffered<matmul_left_body, C>(x, z, w);
}

// ---- convolution over up to three axes, with strides, dilation, zero padding and groups (depthwise: as many as
// channels)
//
// Axes 0, 1, 2 of the operand; what the model has fewer stands last with length 1. C: in0..in2, out0..out2 lengths,
// kernel0.., stride0.., dilation0.., pad0.. (before), c_in, c_out, groups, x_zero, factor, factor_width. w [kernel0,
// kernel1, kernel2, c_in / groups, c_out]. Streams: a line buffer of C::depth rows; one result pack every
// C::reuse_factor cycles once its rows are there.

template <class C> unsigned rows_for_window(unsigned r) {
    #pragma HLS INLINE
    const int n = int(r * C::stride0 + (C::kernel0 - 1) * C::dilation0 + 1) - int(C::pad0);
    return n < 0 ? 0 : n > int(C::in0) ? unsigned(C::in0) : unsigned(n);
}

// Whether tap k of the window of result place o falls on the operand, and where.
inline bool tap_place(unsigned o, unsigned k, int stride, int dilation, int pad, int length, int &i) {
    #pragma HLS INLINE
    i = int(o) * stride + int(k) * dilation - pad;
    return i >= 0 && i < length;
}

// Which place of its row a tap reads: any one where it is not on the operand.
template <class C> unsigned in_row(bool on, int i1, int i2) {
    #pragma HLS INLINE
    return on ? unsigned(i1) * unsigned(C::in2) + unsigned(i2) : 0;
}

// The second and third index of pack p of a result row.
template <class C> unsigned second(unsigned p) {
    #pragma HLS INLINE
    return quotient<C::out1 * C::out2, C::out2>(p);
}

template <class C> unsigned third(unsigned p) {
    #pragma HLS INLINE
    return remainder<C::out1 * C::out2, C::out2>(p);
}

// All channels of the operand under one tap, centred; 0 where it is not on the operand. The memory is read in any case.
template <class C, class x_T, class R>
void read_tap(R x, bool on, int i0, unsigned place, ap_int<bits<x_T>::width + 2> v[C::c_in]) {
    #pragma HLS INLINE
    for (unsigned c = 0; c < C::c_in; c++) {
        #pragma HLS UNROLL
        const x_T stored_value = cell<C>(x, on ? i0 : 0, place, c);
        v[c] = on ? centred(stored_value, C::x_zero) : ap_int<bits<x_T>::width + 2>(0);
    }
}

struct conv_body {
    template <class C> static unsigned rows(unsigned r) {
        #pragma HLS INLINE
        return rows_for_window<C>(r);
    }

    template <class C, class x_T, class R, class y_T, class w_T, class b_T>
    static void at(R x, unsigned r, unsigned p, y_T *y, w_T *w, b_T *b) {
        #pragma HLS INLINE
        const unsigned each_in = C::c_in / C::groups, each_out = C::c_out / C::groups;
        typename bits<y_T>::integer sum[C::c_out];
        #pragma HLS ARRAY_PARTITION variable=sum complete
        for (unsigned f = 0; f < C::c_out; f++) {
            #pragma HLS UNROLL
            sum[f] = 0;
        }
        for (unsigned k = 0; k < C::kernel0 * C::kernel1 * C::kernel2; k++) {
            #pragma HLS UNROLL
            int i0, i1, i2;
            bool on0 = tap_place(r, k / (C::kernel1 * C::kernel2), C::stride0, C::dilation0, C::pad0, C::in0, i0);
            bool on1 = tap_place(second<C>(p), k / C::kernel2 % C::kernel1, C::stride1, C::dilation1, C::pad1, C::in1,
                                 i1);
            bool on2 = tap_place(third<C>(p), k % C::kernel2, C::stride2, C::dilation2, C::pad2, C::in2, i2);
            ap_int<bits<x_T>::width + 2> v[C::c_in];
            #pragma HLS ARRAY_PARTITION variable=v complete
            read_tap<C, x_T>(x, on0 && on1 && on2, i0, in_row<C>(on1 && on2, i1, i2), v);
            for (unsigned c = 0; c < each_in; c++) {
                #pragma HLS UNROLL
                for (unsigned f = 0; f < C::c_out; f++) {
                    #pragma HLS UNROLL
                    sum[f] += v[f / each_out * each_in + c] * value(w[(k * each_in + c) * C::c_out + f]);
                }
            }
        }
        for (unsigned f = 0; f < C::c_out; f++) {
            #pragma HLS UNROLL
            y[f] = finish<C, y_T>(sum[f], b[f]);
        }
    }
};

template <class x_T, class y_T, class C, class w_T, class b_T>
void conv(x_T x[C::n_in0], y_T y[C::n_out], w_T w[C::n_weights], b_T b[C::n_bias]) {
    #pragma HLS ARRAY_PARTITION variable=w complete
    #pragma HLS ARRAY_PARTITION variable=b complete
    #pragma HLS PIPELINE II=C::reuse_factor
    all_rows<conv_body, C>(x, y, w, b);
}

template <class x_T, class y_T, class C, class w_T, class b_T>
void conv(hls::stream<x_T> &x, hls::stream<y_T> &y, w_T w[C::n_weights], b_T b[C::n_bias]) {
    #pragma HLS ARRAY_PARTITION variable=w complete
    #pragma HLS ARRAY_PARTITION variable=b complete
    by_rows<conv_body, C>(x, y, w, b);
}

// ---- transposed convolution, gathered: result place o reads operand place (o + crop - k * dilation) / stride where
// that is whole
//
// C as for conv, with pad0.. = what is cropped before. w [kernel0, kernel1, kernel2, c_out / groups, c_in].

template <int stride, int N> bool source_place(unsigned o, unsigned k, int dilation, int crop, int length, int &i) {
    #pragma HLS INLINE
    const int t = int(o) + crop - int(k) * dilation; // below N
    i = t < 0 ? 0 : int(quotient<N, stride>(unsigned(t)));
    return t >= 0 && t == i * stride && i < length;
}

struct conv_transpose_body {
    template <class C> static unsigned rows(unsigned r) {
        #pragma HLS INLINE
        const unsigned n = quotient<C::rows_out + C::pad0, C::stride0>(r + C::pad0) + 1;
        return n > C::in0 ? unsigned(C::in0) : n;
    }

    template <class C, class x_T, class R, class y_T, class w_T, class b_T>
    static void at(R x, unsigned r, unsigned p, y_T *y, w_T *w, b_T *b) {
        #pragma HLS INLINE
        const unsigned each_in = C::c_in / C::groups, each_out = C::c_out / C::groups;
        typename bits<y_T>::integer sum[C::c_out];
        #pragma HLS ARRAY_PARTITION variable=sum complete
        for (unsigned f = 0; f < C::c_out; f++) {
            #pragma HLS UNROLL
            sum[f] = 0;
        }
        for (unsigned k = 0; k < C::kernel0 * C::kernel1 * C::kernel2; k++) {
            #pragma HLS UNROLL
            int i0, i1, i2;
            bool on0 = source_place<C::stride0, C::rows_out + C::pad0>(r, k / (C::kernel1 * C::kernel2), C::dilation0,
                                                                       C::pad0, C::in0, i0);
            bool on1 = source_place<C::stride1, C::out1 + C::pad1>(second<C>(p), k / C::kernel2 % C::kernel1,
                                                                   C::dilation1, C::pad1, C::in1, i1);
            bool on2 = source_place<C::stride2, C::out2 + C::pad2>(third<C>(p), k % C::kernel2, C::dilation2, C::pad2,
                                                                   C::in2, i2);
            ap_int<bits<x_T>::width + 2> v[C::c_in];
            #pragma HLS ARRAY_PARTITION variable=v complete
            read_tap<C, x_T>(x, on0 && on1 && on2, i0, in_row<C>(on1 && on2, i1, i2), v);
            for (unsigned f = 0; f < C::c_out; f++) {
                #pragma HLS UNROLL
                for (unsigned c = 0; c < each_in; c++) {
                    #pragma HLS UNROLL
                    const unsigned channel = f / each_out * each_in + c;
                    sum[f] += v[channel] * value(w[(k * each_out + f % each_out) * C::c_in + channel]);
                }
            }
        }
        for (unsigned f = 0; f < C::c_out; f++) {
            #pragma HLS UNROLL
            y[f] = finish<C, y_T>(sum[f], b[f]);
        }
    }
};

template <class x_T, class y_T, class C, class w_T, class b_T>
void conv_transpose(x_T x[C::n_in0], y_T y[C::n_out], w_T w[C::n_weights], b_T b[C::n_bias]) {
    #pragma HLS ARRAY_PARTITION variable=w complete
    #pragma HLS ARRAY_PARTITION variable=b complete
    #pragma HLS PIPELINE II=C::reuse_factor
    all_rows<conv_transpose_body, C>(x, y, w, b);
}

template <class x_T, class y_T, class C, class w_T, class b_T>
void conv_transpose(hls::stream<x_T> &x, hls::stream<y_T> &y, w_T w[C::n_weights], b_T b[C::n_bias]) {
    #pragma HLS ARRAY_PARTITION variable=w complete
    #pragma HLS ARRAY_PARTITION variable=b complete
    by_rows<conv_transpose_body, C>(x, y, w, b);
}

} // namespace gw
#endif
