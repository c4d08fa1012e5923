// Gatewright's computed places with coordinates, writes at them, sorting, whole division.
#ifndef GATEWRIGHT_PLACES_H_
#define GATEWRIGHT_PLACES_H_

#include "gw_choose.h"

namespace gw {

// A computed coordinate, held to its axis.
template <class C, class i_T> unsigned coordinate(const i_T &index, unsigned length) {
    #pragma HLS INLINE
    const ap_int<64> k = centred(index, C::index_zero) * ap_int<32>(C::index_factor);
    return k < 0 ? 0 : k >= ap_int<64>(length) ? length - 1 : k.to_uint();
}

// ---- gather_nd: elements at coordinates
//
// x_map: where an element of the result would be for coordinates 0; y_map: where its first coordinate is, the others
// follow. Tables: length and stride of each of C::depth coordinates. Streams buffer their operands.

struct gather_nd_body {
    template <class C, class x_T, class i_T, class y_T, class n_T, class s_T>
    static void pack(const x_T *x, const i_T *indices, unsigned p, y_T *y, n_T *lengths, s_T *strides) {
        #pragma HLS INLINE
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            const unsigned i = p * C::c_out + c, first = y_map<C>::at(i);
            unsigned place = x_map<C>::at(i);
            for (unsigned d = 0; d < C::depth; d++) {
                #pragma HLS UNROLL
                const unsigned length = ap_uint<32>(value(lengths[d])).to_uint();
                place += coordinate<C>(indices[first + d], length) * ap_uint<32>(value(strides[d])).to_uint();
            }
            y[c] = stored<y_T>(value(x[place]));
        }
    }
};

struct gather_nd_constant_body {
    template <class C, class i_T, class y_T, class k_T, class n_T, class s_T>
    static void pack(const i_T *indices, unsigned p, y_T *y, k_T *table, n_T *lengths, s_T *strides) {
        #pragma HLS INLINE
        gather_nd_body::pack<C>(table, indices, p, y, lengths, strides);
    }
};

template <class x_T, class i_T, class y_T, class C, class n_T, class s_T>
void gather_nd(x_T x[C::n_in0], i_T indices[C::n_in1], y_T y[C::n_out], n_T lengths[C::n_lengths],
               s_T strides[C::n_strides]) {
    #pragma HLS PIPELINE II=1
    for (unsigned p = 0; p < C::n_out / C::c_out; p++) {
        #pragma HLS UNROLL
        gather_nd_body::pack<C>(x, indices, p, y + p * C::c_out, lengths, strides);
    }
}

template <class x_T, class i_T, class y_T, class C, class n_T, class s_T>
void gather_nd(hls::stream<x_T> &x, hls::stream<i_T> &indices, hls::stream<y_T> &y, n_T lengths[C::n_lengths],
               s_T strides[C::n_strides]) {
    buffered_pair<gather_nd_body, C>(x, indices, y, lengths, strides);
}

template <class i_T, class y_T, class C, class k_T, class n_T, class s_T>
void gather_nd_constant(i_T indices[C::n_in0], y_T y[C::n_out], k_T table[C::n_table], n_T lengths[C::n_lengths],
                        s_T strides[C::n_strides]) {
    #pragma HLS PIPELINE II=1
    all_packs<gather_nd_constant_body, C>(indices, y, table, lengths, strides);
}

template <class i_T, class y_T, class C, class k_T, class n_T, class s_T>
void gather_nd_constant(hls::stream<i_T> &indices, hls::stream<y_T> &y, k_T table[C::n_table],
                        n_T lengths[C::n_lengths], s_T strides[C::n_strides]) {
    buffered<gather_nd_constant_body, C>(indices, y, table, lengths, strides);
}

// ---- scatter_nd: a tensor with parts written at coordinates, one after the other
//
// Each of C::count coordinates names C::rest neighbouring elements. kind: 0 replace, 1 sum, 2 greatest, 3 least; both
// operands come to the unit of the result by factors. One update a cycle, so that a repeated place is written in order.
// Tables: length and stride of each of C::depth coordinates.

template <class C, class y_T, class v_T> y_T joined(const y_T &old, const v_T &update) {
    #pragma HLS INLINE
    typedef ap_int<C::work_width> work_t;
    const work_t a = value(old), b = update;
    if (C::kind == 1)
        return stored<y_T>(a + b);
    if (C::kind == 2)
        return stored<y_T>(a > b ? a : b);
    if (C::kind == 3)
        return stored<y_T>(a < b ? a : b);
    return stored<y_T>(b);
}

template <class C, class x_T, class i_T, class u_T, class y_T, class n_T, class s_T>
void scatter_into(const x_T *x, const i_T *indices, const u_T *updates, y_T *y, n_T *lengths, s_T *strides) {
    #pragma HLS INLINE
    typedef ap_int<C::work_width> work_t;
    for (unsigned i = 0; i < C::n_out; i++) {
        #pragma HLS UNROLL
        y[i] = stored<y_T>(work_t(centred(x[i], C::x_zero) * ap_int<C::factor_width>(C::x_factor)));
    }
    for (unsigned m = 0; m < C::count; m++) {
        unsigned place = 0;
        for (unsigned d = 0; d < C::depth; d++) {
            #pragma HLS UNROLL
            const unsigned length = ap_uint<32>(value(lengths[d])).to_uint();
            place += coordinate<C>(indices[m * C::depth + d], length) * ap_uint<32>(value(strides[d])).to_uint();
        }
        for (unsigned r = 0; r < C::rest; r++) {
            #pragma HLS UNROLL
            const work_t update = centred(updates[m * C::rest + r], C::y_zero) * ap_int<C::factor_width>(C::y_factor);
            y[place + r] = joined<C>(y[place + r], update);
        }
    }
}

template <class x_T, class i_T, class u_T, class y_T, class C, class n_T, class s_T>
void scatter_nd(x_T x[C::n_in0], i_T indices[C::n_in1], u_T updates[C::n_in2], y_T y[C::n_out],
                n_T lengths[C::n_lengths], s_T strides[C::n_strides]) {
    scatter_into<C>(x, indices, updates, y, lengths, strides);
}

template <class x_T, class i_T, class u_T, class y_T, class C, class n_T, class s_T>
void scatter_nd(hls::stream<x_T> &xs, hls::stream<i_T> &is, hls::stream<u_T> &us, hls::stream<y_T> &ys,
                n_T lengths[C::n_lengths], s_T strides[C::n_strides]) {
    typename x_T::value_type x[C::n_in0];
    typename i_T::value_type indices[C::n_in1];
    typename u_T::value_type updates[C::n_in2];
    typename y_T::value_type y[C::n_out];
    read_tensor<C::n_in0>(xs, x);
    read_tensor<C::n_in1>(is, indices);
    read_tensor<C::n_in2>(us, updates);
    scatter_into<C>(x, indices, updates, y, lengths, strides);
    for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
        #pragma HLS PIPELINE II=1
        ys.write(packed<y_T>(y + p * y_T::size));
    }
}

// ---- top_k: the numbers along an axis in order, the greatest (C::largest) or the least first; or where they stand
//
// The rank of a number is how many come before it: those that are greater, and equal ones to its left. x_map: where
// the first number of a result's row is, the others at C::stride; y_map: the rank that the result has. C: length,
// stride, largest, indices. All comparisons of a row at once.

struct top_k_body {
    template <class C, class x_T> static unsigned rank(const x_T *x, unsigned first, unsigned k) {
        #pragma HLS INLINE
        const typename bits<x_T>::value own = value(x[first + k * C::stride]);
        unsigned before = 0;
        for (unsigned j = 0; j < C::length; j++) {
            #pragma HLS UNROLL
            const typename bits<x_T>::value other = value(x[first + j * C::stride]);
            const bool better = C::largest ? other > own : other < own;
            before += better || (j < k && other == own);
        }
        return before;
    }

    template <class C, class x_T, class y_T> static void pack(const x_T *x, unsigned p, y_T *y) {
        #pragma HLS INLINE
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            const unsigned i = p * C::c_out + c, first = x_map<C>::at(i), wanted = y_map<C>::at(i);
            for (unsigned k = 0; k < C::length; k++) {
                #pragma HLS UNROLL
                if (rank<C>(x, first, k) == wanted)
                    y[c] = C::indices ? stored<y_T>(ap_uint<32>(k)) : stored<y_T>(value(x[first + k * C::stride]));
            }
        }
    }
};

template <class x_T, class y_T, class C> void top_k(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    all_packs<top_k_body, C>(x, y);
}

template <class x_T, class y_T, class C>
void top_k(hls::stream<x_T> &x, hls::stream<y_T> &y) { buffered<top_k_body, C>(x, y); }

// ---- whole division: quotient (C::remainder false) or remainder of two numbers in one unit, rounded down
// (C::down) or toward zero; the compiler has proved that the divisor is not 0
//
// x_map, y_map as for elementwise_broadcast. A divider for each element.

struct division_body {
    template <class C, class x_T, class y_T, class z_T>
    static void pack(const x_T *x, const y_T *y, unsigned p, z_T *z) {
        #pragma HLS INLINE
        typedef ap_int<C::work_width> work_t;
        typedef ap_int<C::factor_width> factor_t;
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            const unsigned i = p * C::c_out + c;
            const work_t a = centred(x[x_map<C>::at(i)], C::x_zero) * factor_t(C::x_factor);
            const work_t b = centred(y[y_map<C>::at(i)], C::y_zero) * factor_t(C::y_factor);
            work_t q = a / b; // C's division drops digits toward zero
            const work_t r = a - q * b;
            if (C::down && r != 0 && (r < 0) != (b < 0))
                q = q - 1;
            z[c] = stored<z_T>(C::remainder ? work_t(a - q * b) : q);
        }
    }
};

template <class x_T, class y_T, class z_T, class C>
void division(x_T x[C::n_in0], y_T y[C::n_in1], z_T z[C::n_out]) {
    #pragma HLS PIPELINE II=1
    for (unsigned p = 0; p < C::n_out / C::c_out; p++) {
        #pragma HLS UNROLL
        division_body::pack<C>(x, y, p, z + p * C::c_out);
    }
}

template <class x_T, class y_T, class z_T, class C>
void division(hls::stream<x_T> &x, hls::stream<y_T> &y, hls::stream<z_T> &z) {
    buffered_pair<division_body, C>(x, y, z);
}

struct division_y_body { // the divisor is a table
    template <class C, class x_T, class z_T, class k_T> static void pack(const x_T *x, unsigned p, z_T *z, k_T *y) {
        #pragma HLS INLINE
        division_body::pack<C>(x, y, p, z);
    }
};

template <class x_T, class z_T, class C, class k_T>
void division_y(x_T x[C::n_in0], z_T z[C::n_out], k_T y[C::n_y]) {
    #pragma HLS ARRAY_PARTITION variable=y complete
    #pragma HLS PIPELINE II=1
    all_packs<division_y_body, C>(x, z, y);
}

template <class x_T, class z_T, class C, class k_T>
void division_y(hls::stream<x_T> &x, hls::stream<z_T> &z, k_T y[C::n_y]) {
    #pragma HLS ARRAY_PARTITION variable=y complete
    buffered<division_y_body, C>(x, z, y);
}

struct division_x_body { // the dividend is a table
    template <class C, class y_T, class z_T, class k_T> static void pack(const y_T *y, unsigned p, z_T *z, k_T *x) {
        #pragma HLS INLINE
        division_body::pack<C>(x, y, p, z);
    }
};

template <class y_T, class z_T, class C, class k_T>
void division_x(y_T y[C::n_in0], z_T z[C::n_out], k_T x[C::n_x]) {
    #pragma HLS ARRAY_PARTITION variable=x complete
    #pragma HLS PIPELINE II=1
    all_packs<division_x_body, C>(y, z, x);
}

template <class y_T, class z_T, class C, class k_T>
void division_x(hls::stream<y_T> &y, hls::stream<z_T> &z, k_T x[C::n_x]) {
    #pragma HLS ARRAY_PARTITION variable=x complete
    buffered<division_x_body, C>(y, z, x);
}

} // namespace gw

#endif
