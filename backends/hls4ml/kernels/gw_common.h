// Gatewright's kernels, common part: stored integers, index arithmetic, reading and writing whole tensors.
//
// Every kernel computes on the *stored integers* of its operands: the bits of an ap_[u]fixed<W, I> read as an integer.
// The binary points are constants that the configuration has folded into factors and shifts, so nothing is rounded
// unseen.
//
// Conventions of all kernels
//   x, y      arrays [n], row-major, channels last; or hls::stream of packs (nnet::array<T, N>), N = the last axis
//   C         a struct of constants; always: n_in0, n_in1, ... (elements of each operand), n_out, reuse_factor; in most
//             kernels: c_out = the last axis of the result
//   trailing  tables of constants, as arrays of ap_[u]fixed. A function that becomes a process of its own declares them
//             with their sizes (C::n_<name>) and says how they are partitioned; what it inlines gets pointers to them.
// The array overload is one PIPELINEd function with all of its loops unrolled: II = C::reuse_factor where it
// multiplies, else 1; latency = the depth of its arithmetic. The stream overload works on one pack per cycle where it
// can.
#ifndef GATEWRIGHT_COMMON_H_
#define GATEWRIGHT_COMMON_H_

#include <cstddef>

#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"

namespace gw {

// ---- the integer that a number stores

template <class T> struct bits;

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct bits<ap_fixed<W, I, Q, O, N> > {
    static const int width = W;
    static const bool is_signed = true;
    typedef ap_int<W> integer;
    typedef ap_int<W> value;
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct bits<ap_ufixed<W, I, Q, O, N> > {
    static const int width = W;
    static const bool is_signed = false;
    typedef ap_uint<W> integer;
    typedef ap_int<W + 1> value;
};
template <int W> struct bits<ap_int<W> > {
    static const int width = W;
    static const bool is_signed = true;
    typedef ap_int<W> integer;
    typedef ap_int<W> value;
};
template <int W> struct bits<ap_uint<W> > {
    static const int width = W;
    static const bool is_signed = false;
    typedef ap_uint<W> integer;
    typedef ap_int<W + 1> value;
};

// The stored integer as a signed number (one bit more for an unsigned format): wires only. Keeping every operand signed
// avoids C's rules for mixed comparisons, which the fixed-point types follow.
template <class T> typename bits<T>::value value(const T &x) {
    #pragma HLS INLINE
    typename bits<T>::integer v = 0;
    v.range(bits<T>::width - 1, 0) = x.range(bits<T>::width - 1, 0);
    return typename bits<T>::value(v);
}

// The stored integer less the one that means 0.
template <class T> ap_int<bits<T>::width + 2> centred(const T &x, long long zero) {
    #pragma HLS INLINE
    return value(x) - typename bits<T>::value(zero);
}

// The number that stores the lowest bits of an integer: wires only.
template <class T, class V> T stored(const V &v) {
    #pragma HLS INLINE
    typename bits<T>::integer low = v;
    T y = 0;
    y.range(bits<T>::width - 1, 0) = low.range(bits<T>::width - 1, 0);
    return y;
}

// A constant of W bits in two parts, high * 2^48 + low (literals end at 64 bits).
template <int W> ap_int<W> wide(long long high, long long low) {
    #pragma HLS INLINE
    ap_int<W> v = high;
    v <<= 48;
    return ap_int<W>(v + low);
}

// ---- division by constants without dividers: one multiplication and a shift, exact for i < N
//
// With 2^n >= N, 2^d >= D, s = n + d and m = floor(2^s / D) + 1: 0 < m * D - 2^s <= D, so that i * m / 2^s exceeds
// i / D by at most i / 2^s < 1 / D.

template <unsigned long long V> struct log2_ceil {
    static const int bits = 1 + log2_ceil<(V + 1) / 2>::bits;
};
template <> struct log2_ceil<1> { static const int bits = 0; };
template <> struct log2_ceil<0> { static const int bits = 0; };

template <unsigned N, unsigned D> unsigned quotient(unsigned i) {
    #pragma HLS INLINE
    if (D >= N)
        return 0;
    if ((D & (D - 1)) == 0)
        return i / D; // a shift
    const int n = log2_ceil<N>::bits, s = n + log2_ceil<D>::bits;
    const ap_uint<n + 1> v = i;
    const ap_uint<n + 2> m = (1ULL << s) / D + 1;
    const ap_uint<2 * n + 3> product = v * m;
    return ap_uint<n + 1>(product >> s).to_uint();
}

template <unsigned N, unsigned D> unsigned remainder(unsigned i) {
    #pragma HLS INLINE
    return i - quotient<N, D>(i) * D;
}

// Where a periodic table of P entries has the one for channel c of pack p of the result: P is 1, or c_out times the
// last axes.
template <class C, unsigned P> unsigned entry(unsigned p, unsigned c) {
    #pragma HLS INLINE
    const unsigned packs = C::n_out / C::c_out;
    return P == 1 ? 0 : remainder<packs, (P < C::c_out ? 1 : P / C::c_out)>(p) * unsigned(C::c_out) + c;
}

// How many entries of a periodic table one pack reads, each from a memory of its own.
template <class C, unsigned P> struct table_lanes {
    static const unsigned count = P < C::c_out ? P : unsigned(C::c_out);
};

// ---- operands in the unit of the result: (stored - zero) * factor

template <class y_T, class x_T> y_T in_unit(const x_T &x, long long zero, long long factor) {
    #pragma HLS INLINE
    ap_int<bits<x_T>::width + 2> v = centred(x, zero);
    return factor == 1 ? stored<y_T>(v) : stored<y_T>(v * ap_int<64>(factor));
}

// ---- maps from a row-major index to a place elsewhere: strided<offset, axis<length, stride>, ...>

template <int N, int S> struct axis {
    static const int length = N;
    static const int stride = S;
};

template <int Offset, class... Axes> struct strided;

template <int Offset> struct strided<Offset> {
    static const unsigned size = 1;
    static int at(unsigned) {
        #pragma HLS INLINE
        return Offset;
    }
};

template <int Offset, class First, class... Rest> struct strided<Offset, First, Rest...> {
    typedef strided<Offset, Rest...> inner;
    static const unsigned size = First::length * inner::size;
    static int at(unsigned i) {
        #pragma HLS INLINE
        return int(quotient<size, inner::size>(i)) * First::stride + inner::at(remainder<size, inner::size>(i));
    }
};

// The map of the first and of the second operand, as the configuration says it: <x|y>_offset, and per axis _n<i>,
// _s<i>.
template <class C>
struct x_map : strided<C::x_offset, axis<C::x_n0, C::x_s0>, axis<C::x_n1, C::x_s1>, axis<C::x_n2, C::x_s2>,
                       axis<C::x_n3, C::x_s3>, axis<C::x_n4, C::x_s4>, axis<C::x_n5, C::x_s5>, axis<C::x_n6, C::x_s6>,
                       axis<C::x_n7, C::x_s7> > {};
template <class C>
struct y_map : strided<C::y_offset, axis<C::y_n0, C::y_s0>, axis<C::y_n1, C::y_s1>, axis<C::y_n2, C::y_s2>,
                       axis<C::y_n3, C::y_s3>, axis<C::y_n4, C::y_s4>, axis<C::y_n5, C::y_s5>, axis<C::y_n6, C::y_s6>,
                       axis<C::y_n7, C::y_s7> > {};

// ---- packs: kernels compute on plain arrays, which become registers

template <class pack_T, class T> void unpack(const pack_T &pack, T x[pack_T::size]) {
    #pragma HLS INLINE
    for (unsigned c = 0; c < pack_T::size; c++) {
        #pragma HLS UNROLL
        x[c] = pack[c];
    }
}

template <class pack_T, class T> pack_T packed(const T y[pack_T::size]) {
    #pragma HLS INLINE
    pack_T pack;
    for (unsigned c = 0; c < pack_T::size; c++) {
        #pragma HLS UNROLL
        pack[c] = y[c];
    }
    return pack;
}

// ---- whole tensors

// How many memories hold N elements that arrive in packs of P: a register each for small tensors, whose elements are
// then read at any place in any number; else the greatest power of two within a pack (but 2), so that the memory of an
// element is the low bits of its place. Two of the reads of a cycle can be served by one memory: with fewer, the tool
// gives the loop a longer interval.
template <unsigned N, unsigned P> struct memories {
    static const unsigned fit = 1u << (log2_ceil<P + 1>::bits - 1 > 1 ? log2_ceil<P + 1>::bits - 1 : 1);
    static const unsigned count = N <= 1024 ? N : fit;
};

// Read a whole tensor of N elements; II = 1.
template <unsigned N, class pack_T, class T> void read_tensor(hls::stream<pack_T> &stream, T x[N]) {
    for (unsigned p = 0; p < N / pack_T::size; p++) {
        #pragma HLS PIPELINE II=1
        pack_T in = stream.read();
        for (unsigned c = 0; c < pack_T::size; c++) {
            #pragma HLS UNROLL
            x[p * pack_T::size + c] = in[c];
        }
    }
}

// Read two whole tensors side by side, so that two branches of one producer both drain; II = 1. The shorter one comes
// last: where it is made of the longer one (a mean that scales what it was taken from), the longer one must have passed
// before.
template <unsigned N, unsigned M, class x_T, class y_T, class X, class Y>
void read_tensors(hls::stream<x_T> &xs, hls::stream<y_T> &ys, X x[N], Y y[M]) {
    const unsigned n = N / x_T::size, m = M / y_T::size, most = n > m ? n : m;
    for (unsigned p = 0; p < most; p++) {
        #pragma HLS PIPELINE II=1
        if (p >= most - n) {
            x_T in = xs.read();
            for (unsigned c = 0; c < x_T::size; c++) {
                #pragma HLS UNROLL
                x[(p - (most - n)) * x_T::size + c] = in[c];
            }
        }
        if (p >= most - m) {
            y_T in = ys.read();
            for (unsigned c = 0; c < y_T::size; c++) {
                #pragma HLS UNROLL
                y[(p - (most - m)) * y_T::size + c] = in[c];
            }
        }
    }
}

// ---- the generic adapter: a Body computes pack p of the result from whole operands
//
// Body::pack<C>(x, p, y, tables...) writes the C::c_out elements of pack p. Streams: the operand is read into memories,
// then one pack leaves every C::reuse_factor cycles where the memories have the ports. Latency: packs in + packs out +
// depth; memory: the whole operand.

template <class Body, class C, class x_T, class y_T, class... K> void all_packs(const x_T *x, y_T *y, K... tables) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < C::n_out / C::c_out; p++) {
        #pragma HLS UNROLL
        Body::template pack<C>(x, p, y + p * C::c_out, tables...);
    }
}

template <class Body, class C, class x_T, class y_T, class... K>
void buffered(hls::stream<x_T> &x, hls::stream<y_T> &y, K... tables) {
    #pragma HLS INLINE
    const unsigned banks = memories<C::n_in0, x_T::size>::count;
    typename x_T::value_type whole[C::n_in0];
    #pragma HLS ARRAY_PARTITION variable=whole cyclic factor=banks
    read_tensor<C::n_in0>(x, whole);
    for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
        #pragma HLS PIPELINE II=C::reuse_factor
        typename y_T::value_type out[y_T::size];
        #pragma HLS ARRAY_PARTITION variable=out complete
        Body::template pack<C>(whole, p, out, tables...);
        y.write(packed<y_T>(out));
    }
}

template <class Body, class C, class a_T, class b_T, class y_T, class... K>
void buffered_pair(hls::stream<a_T> &a, hls::stream<b_T> &b, hls::stream<y_T> &y, K... tables) {
    #pragma HLS INLINE
    const unsigned banks_a = memories<C::n_in0, a_T::size>::count, banks_b = memories<C::n_in1, b_T::size>::count;
    typename a_T::value_type first[C::n_in0];
    typename b_T::value_type second[C::n_in1];
    #pragma HLS ARRAY_PARTITION variable=first cyclic factor=banks_a
    #pragma HLS ARRAY_PARTITION variable=second cyclic factor=banks_b
    read_tensors<C::n_in0, C::n_in1>(a, b, first, second);
    for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
        #pragma HLS PIPELINE II=C::reuse_factor
        typename y_T::value_type out[y_T::size];
        #pragma HLS ARRAY_PARTITION variable=out complete
        Body::template pack<C>(first, second, p, out, tables...);
        y.write(packed<y_T>(out));
    }
}

// ---- pointwise kernels: a Body computes element c of pack p of the result from the same element of the operand

template <class Body, class C, class x_T, class y_T, class... K> void each(const x_T *x, y_T *y, K... tables) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < C::n_out / C::c_out; p++) {
        #pragma HLS UNROLL
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            y[p * C::c_out + c] = Body::template element<C, y_T>(x[p * C::c_out + c], p, c, tables...);
        }
    }
}

template <class Body, class C, class x_T, class y_T, class... K>
void each_pack(hls::stream<x_T> &x, hls::stream<y_T> &y, K... tables) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
        #pragma HLS PIPELINE II=1
        x_T in = x.read();
        y_T out;
        for (unsigned c = 0; c < y_T::size; c++) {
            #pragma HLS UNROLL
            out[c] = Body::template element<C, typename y_T::value_type>(in[c], p, c, tables...);
        }
        y.write(out);
    }
}

// ---- a line buffer: result rows from the last C::depth rows of the operand (a row: one index of the first axis)
//
// Body::at<C, x_T>(rows, r, p, y, tables...) writes pack p of result row r and reads the operand through cell(rows, i,
// place, c): channel c at a place of row i. Body::rows<C>(r) is how many operand rows must have arrived for result row
// r. The ring has C::depth rows, a power of two; each channel of each row is a memory of its own. Per result row: the
// rows that it needs at one pack a cycle, then one result pack every C::reuse_factor cycles, but at most two columns of
// the window a cycle, because memories have two ports.
//
// cell reads one place of all rows and then chooses: whatever the row, the rows of one column of a window are the same
// reads, so a memory is read once a column.

template <class C, class T> T cell(const T *x, int i, unsigned place, unsigned c) { // the whole operand
    #pragma HLS INLINE
    return x[unsigned(i) * C::row_in + place * C::c_in + c];
}

template <class C, class T, size_t W, size_t N> T cell(T (*rows)[W][N], int i, unsigned place, unsigned c) { // the ring
    #pragma HLS INLINE
    const unsigned slot = unsigned(i) & unsigned(C::depth - 1);
    T found = rows[0][place][c];
    for (unsigned d = 1; d < C::depth; d++) {
        #pragma HLS UNROLL
        T other = rows[d][place][c];
        found = d == slot ? other : found;
    }
    return found;
}

template <class Body, class C, class x_T, class y_T, class... K>
void by_rows(hls::stream<x_T> &x, hls::stream<y_T> &y, K... tables) {
    #pragma HLS INLINE
    const unsigned columns = C::row_in / x_T::size, ports = (C::kernel1 * C::kernel2 + 1) / 2;
    const unsigned interval = C::reuse_factor > ports ? unsigned(C::reuse_factor) : ports;
    typename x_T::value_type rows[C::depth][columns][x_T::size];
    #pragma HLS ARRAY_PARTITION variable=rows complete dim=1
    #pragma HLS ARRAY_PARTITION variable=rows complete dim=3
    unsigned have = 0;
    for (unsigned r = 0; r < C::rows_out; r++) {
        for (unsigned n = 0; n < C::most_rows; n++) {
            if (have < Body::template rows<C>(r)) {
                for (unsigned p = 0; p < columns; p++) {
                    #pragma HLS PIPELINE II=1
                    x_T in = x.read();
                    for (unsigned d = 0; d < C::depth; d++) {
                        #pragma HLS UNROLL
                        if (d == (have & unsigned(C::depth - 1)))
                            unpack(in, rows[d][p]);
                    }
                }
                have++;
            }
        }
        for (unsigned p = 0; p < C::row_out / y_T::size; p++) {
            #pragma HLS PIPELINE II=interval
            typename y_T::value_type out[y_T::size];
            #pragma HLS ARRAY_PARTITION variable=out complete
            Body::template at<C, typename x_T::value_type>(rows, r, p, out, tables...);
            y.write(packed<y_T>(out));
        }
    }
    for (unsigned p = 0; p < C::packs_left; p++) { // what no window covers
        #pragma HLS PIPELINE II=1
        x.read();
    }
}

template <class Body, class C, class x_T, class y_T, class... K> void all_rows(const x_T *x, y_T *y, K... tables) {
    #pragma HLS INLINE
    for (unsigned r = 0; r < C::rows_out; r++) {
        #pragma HLS UNROLL
        for (unsigned p = 0; p < C::row_out / C::c_out; p++) {
            #pragma HLS UNROLL
            Body::template at<C, x_T>(x, r, p, y + r * C::row_out + p * C::c_out, tables...);
        }
    }
}

} // namespace gw
#endif
