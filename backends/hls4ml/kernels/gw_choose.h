// Gatewright's choices: select by a condition, the place of the greatest, elements at computed places.
#ifndef GATEWRIGHT_CHOOSE_H_
#define GATEWRIGHT_CHOOSE_H_

#include "gw_pointwise.h"

namespace gw {

// ---- select: x where the condition is 1, y where it is 0, each (stored - zero) * factor in the unit of the result
//
// c_map, x_map, y_map say where each operand has an element of the result. An operand that is constant is a table, in
// the unit of the result already (zero 0, factor 1). C: c_zero, x_zero, x_factor, y_zero, y_factor, work_width,
// factor_width, c_out. Streams buffer their operands.

template <class C>
struct c_map : strided<C::c_offset, axis<C::c_n0, C::c_s0>, axis<C::c_n1, C::c_s1>, axis<C::c_n2, C::c_s2>,
                       axis<C::c_n3, C::c_s3>, axis<C::c_n4, C::c_s4>, axis<C::c_n5, C::c_s5>, axis<C::c_n6, C::c_s6>,
                       axis<C::c_n7, C::c_s7> > {};

template <class C, class c_T, class x_T, class y_T, class z_T>
void select_pack(const c_T *c, const x_T *x, const y_T *y, unsigned p, z_T *z) {
    #pragma HLS INLINE
    typedef ap_int<C::work_width> work_t;
    typedef ap_int<C::factor_width> factor_t;
    for (unsigned k = 0; k < C::c_out; k++) {
        #pragma HLS UNROLL
        const unsigned i = p * C::c_out + k;
        const work_t a = centred(x[x_map<C>::at(i)], C::x_zero) * factor_t(C::x_factor);
        const work_t b = centred(y[y_map<C>::at(i)], C::y_zero) * factor_t(C::y_factor);
        z[k] = stored<z_T>(centred(c[c_map<C>::at(i)], C::c_zero) != 0 ? a : b);
    }
}

template <class C, class c_T, class x_T, class y_T, class z_T>
void select_all(const c_T *c, const x_T *x, const y_T *y, z_T *z) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < C::n_out / C::c_out; p++) {
        #pragma HLS UNROLL
        select_pack<C>(c, x, y, p, z + p * C::c_out);
    }
}

template <class C, class c_T, class x_T, class y_T, class z_T>
void select_packs(const c_T *c, const x_T *x, const y_T *y, hls::stream<z_T> &z) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < C::n_out / z_T::size; p++) {
        #pragma HLS PIPELINE II=1
        typename z_T::value_type out[z_T::size];
        #pragma HLS ARRAY_PARTITION variable=out complete
        select_pack<C>(c, x, y, p, out);
        z.write(packed<z_T>(out));
    }
}

// Three tensors.
template <class c_T, class x_T, class y_T, class z_T, class C>
void select(c_T c[C::n_in0], x_T x[C::n_in1], y_T y[C::n_in2], z_T z[C::n_out]) {
    #pragma HLS PIPELINE II=1
    select_all<C>(c, x, y, z);
}

template <class c_T, class x_T, class y_T, class z_T, class C>
void select(hls::stream<c_T> &cs, hls::stream<x_T> &xs, hls::stream<y_T> &ys, hls::stream<z_T> &z) {
    const unsigned banks_c = memories<C::n_in0, c_T::size>::count, banks_x = memories<C::n_in1, x_T::size>::count;
    const unsigned banks_y = memories<C::n_in2, y_T::size>::count;
    typename c_T::value_type c[C::n_in0];
    typename x_T::value_type x[C::n_in1];
    typename y_T::value_type y[C::n_in2];
    #pragma HLS ARRAY_PARTITION variable=c cyclic factor=banks_c
    #pragma HLS ARRAY_PARTITION variable=x cyclic factor=banks_x
    #pragma HLS ARRAY_PARTITION variable=y cyclic factor=banks_y
    read_tensor<C::n_in0>(cs, c);
    read_tensor<C::n_in1>(xs, x);
    read_tensor<C::n_in2>(ys, y);
    select_packs<C>(c, x, y, z);
}

// x is a table.
template <class c_T, class y_T, class z_T, class C, class k_T>
void select_x(c_T c[C::n_in0], y_T y[C::n_in1], z_T z[C::n_out], k_T x[C::n_x]) {
    #pragma HLS ARRAY_PARTITION variable=x complete
    #pragma HLS PIPELINE II=1
    select_all<C>(c, x, y, z);
}

template <class c_T, class y_T, class z_T, class C, class k_T>
void select_x(hls::stream<c_T> &cs, hls::stream<y_T> &ys, hls::stream<z_T> &z, k_T x[C::n_x]) {
    #pragma HLS ARRAY_PARTITION variable=x complete
    const unsigned banks_c = memories<C::n_in0, c_T::size>::count, banks_y = memories<C::n_in1, y_T::size>::count;
    typename c_T::value_type c[C::n_in0];
    typename y_T::value_type y[C::n_in1];
    #pragma HLS ARRAY_PARTITION variable=c cyclic factor=banks_c
    #pragma HLS ARRAY_PARTITION variable=y cyclic factor=banks_y
    read_tensors<C::n_in0, C::n_in1>(cs, ys, c, y);
    select_packs<C>(c, x, y, z);
}

// y is a table.
template <class c_T, class x_T, class z_T, class C, class k_T>
void select_y(c_T c[C::n_in0], x_T x[C::n_in1], z_T z[C::n_out], k_T y[C::n_y]) {
    #pragma HLS ARRAY_PARTITION variable=y complete
    #pragma HLS PIPELINE II=1
    select_all<C>(c, x, y, z);
}

template <class c_T, class x_T, class z_T, class C, class k_T>
void select_y(hls::stream<c_T> &cs, hls::stream<x_T> &xs, hls::stream<z_T> &z, k_T y[C::n_y]) {
    #pragma HLS ARRAY_PARTITION variable=y complete
    const unsigned banks_c = memories<C::n_in0, c_T::size>::count, banks_x = memories<C::n_in1, x_T::size>::count;
    typename c_T::value_type c[C::n_in0];
    typename x_T::value_type x[C::n_in1];
    #pragma HLS ARRAY_PARTITION variable=c cyclic factor=banks_c
    #pragma HLS ARRAY_PARTITION variable=x cyclic factor=banks_x
    read_tensors<C::n_in0, C::n_in1>(cs, xs, c, x);
    select_packs<C>(c, x, y, z);
}

// Both are tables.
template <class c_T, class z_T, class C, class k_T, class l_T>
void select_xy(c_T c[C::n_in0], z_T z[C::n_out], k_T x[C::n_x], l_T y[C::n_y]) {
    #pragma HLS ARRAY_PARTITION variable=x complete
    #pragma HLS ARRAY_PARTITION variable=y complete
    #pragma HLS PIPELINE II=1
    select_all<C>(c, x, y, z);
}

template <class c_T, class z_T, class C, class k_T, class l_T>
void select_xy(hls::stream<c_T> &cs, hls::stream<z_T> &z, k_T x[C::n_x], l_T y[C::n_y]) {
    #pragma HLS ARRAY_PARTITION variable=x complete
    #pragma HLS ARRAY_PARTITION variable=y complete
    const unsigned banks_c = memories<C::n_in0, c_T::size>::count;
    typename c_T::value_type c[C::n_in0];
    #pragma HLS ARRAY_PARTITION variable=c cyclic factor=banks_c
    read_tensor<C::n_in0>(cs, c);
    select_packs<C>(c, x, y, z);
}

// ---- arg_max: where along an axis the greatest (C::minimum: the least) number stands; of equal ones the first, or the
// last
//
// x_map: where the first of each result's numbers is; the others follow at C::stride. C: length, stride, minimum, last,
// c_out. Streams buffer the operand.

struct arg_max_body {
    template <class C, class x_T, class y_T> static void pack(const x_T *x, unsigned p, y_T *y) {
        #pragma HLS INLINE
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            const unsigned first = x_map<C>::at(p * C::c_out + c);
            typename bits<x_T>::value best = value(x[first]);
            unsigned found = 0;
            for (unsigned k = 1; k < C::length; k++) {
                #pragma HLS UNROLL
                typename bits<x_T>::value v = value(x[first + k * C::stride]);
                bool better = C::minimum ? v < best : v > best;
                if (better || (C::last && v == best)) {
                    best = v;
                    found = k;
                }
            }
            y[c] = stored<y_T>(ap_uint<32>(found));
        }
    }
};

template <class x_T, class y_T, class C> void arg_max(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    all_packs<arg_max_body, C>(x, y);
}

template <class x_T, class y_T, class C>
void arg_max(hls::stream<x_T> &x, hls::stream<y_T> &y) { buffered<arg_max_body, C>(x, y); }

// ---- take: elements of a tensor or of a table at computed places along one axis
//
// x_map: where an element of the result would be for index 0; y_map: where its index is. C: stride (from one index to
// the next), length (of the axis: other indices read the nearest there is), index_zero, index_factor, c_out. Streams
// buffer their operands.

struct take_body {
    template <class C, class x_T, class i_T, class y_T>
    static void pack(const x_T *x, const i_T *indices, unsigned p, y_T *y) {
        #pragma HLS INLINE
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            const unsigned i = p * C::c_out + c;
            const ap_int<64> index = centred(indices[y_map<C>::at(i)], C::index_zero) * ap_int<32>(C::index_factor);
            const ap_int<64> last = C::length - 1;
            const unsigned k = index < 0 ? 0 : index > last ? unsigned(C::length - 1) : index.to_uint();
            y[c] = stored<y_T>(value(x[unsigned(x_map<C>::at(i)) + k * unsigned(C::stride)]));
        }
    }
};

struct take_constant_body {
    template <class C, class i_T, class y_T, class k_T>
    static void pack(const i_T *indices, unsigned p, y_T *y, k_T *table) {
        #pragma HLS INLINE
        take_body::pack<C>(table, indices, p, y);
    }
};

template <class x_T, class i_T, class y_T, class C>
void take(x_T x[C::n_in0], i_T indices[C::n_in1], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    for (unsigned p = 0; p < C::n_out / C::c_out; p++) {
        #pragma HLS UNROLL
        take_body::pack<C>(x, indices, p, y + p * C::c_out);
    }
}

template <class x_T, class i_T, class y_T, class C>
void take(hls::stream<x_T> &x, hls::stream<i_T> &indices, hls::stream<y_T> &y) {
    buffered_pair<take_body, C>(x, indices, y);
}

template <class i_T, class y_T, class C, class k_T>
void take_constant(i_T indices[C::n_in0], y_T y[C::n_out], k_T table[C::n_table]) {
    #pragma HLS PIPELINE II=1
    all_packs<take_constant_body, C>(indices, y, table);
}

template <class i_T, class y_T, class C, class k_T>
void take_constant(hls::stream<i_T> &indices, hls::stream<y_T> &y, k_T table[C::n_table]) {
    const unsigned banks = memories<C::n_table, y_T::size>::count;
    #pragma HLS ARRAY_PARTITION variable=table cyclic factor=banks
    buffered<take_constant_body, C>(indices, y, table);
}

} // namespace gw

#endif
