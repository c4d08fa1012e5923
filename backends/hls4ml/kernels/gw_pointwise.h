// Gatewright's pointwise kernels: change of format, tables, steps, arithmetic. Streams: one pack a cycle (II = 1).
#ifndef GATEWRIGHT_POINTWISE_H_
#define GATEWRIGHT_POINTWISE_H_

#include "gw_common.h"

namespace gw {

// ---- quantize: fixed point to fixed point through the conversion of ap_fixed
//
// C: width, integer_bits, is_signed, rounding, overflow of the target; the modes are numbered as below.

template <int> struct rounding_mode;
template <> struct rounding_mode<0> { static const ap_q_mode mode = AP_TRN; };
template <> struct rounding_mode<1> { static const ap_q_mode mode = AP_TRN_ZERO; };
template <> struct rounding_mode<2> { static const ap_q_mode mode = AP_RND; };
template <> struct rounding_mode<3> { static const ap_q_mode mode = AP_RND_ZERO; };
template <> struct rounding_mode<4> { static const ap_q_mode mode = AP_RND_INF; };
template <> struct rounding_mode<5> { static const ap_q_mode mode = AP_RND_MIN_INF; };
template <> struct rounding_mode<6> { static const ap_q_mode mode = AP_RND_CONV; };

template <int> struct overflow_mode;
template <> struct overflow_mode<0> { static const ap_o_mode mode = AP_WRAP; };
template <> struct overflow_mode<1> { static const ap_o_mode mode = AP_SAT; };
template <> struct overflow_mode<2> { static const ap_o_mode mode = AP_SAT_SYM; };
template <> struct overflow_mode<3> { static const ap_o_mode mode = AP_SAT_ZERO; };

template <class C, bool is_signed> struct target;
template <class C> struct target<C, true> {
    typedef ap_fixed<C::width, C::integer_bits, rounding_mode<C::rounding>::mode,
                     overflow_mode<C::overflow>::mode> type;
};
template <class C> struct target<C, false> {
    typedef ap_ufixed<C::width, C::integer_bits, rounding_mode<C::rounding>::mode,
                      overflow_mode<C::overflow>::mode> type;
};

struct quantize_body {
    template <class C, class y_T, class x_T> static y_T element(const x_T &x, unsigned, unsigned) {
        #pragma HLS INLINE
        typename target<C, C::is_signed>::type t = x;
        return y_T(t);
    }
};

template <class x_T, class y_T, class C> void quantize(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    each<quantize_body, C>(x, y);
}

template <class x_T, class y_T, class C> void quantize(hls::stream<x_T> &x, hls::stream<y_T> &y) {
    each_pack<quantize_body, C>(x, y);
}

// ---- rescale: x * p / d, rounded, into another format, for any rational p / d
//
// The quotient is (x * multiplier + offset) >> shift, and the compiler has proved that this equals the rounded quotient
// for every x of the operand's interval. Rounding decides which offsets there are:
//   select 0  one offset
//   select 1  offset for x >= pivot, offset2 below (modes that look at the sign; pivot = the operand's zero point)
//   select 2  two quotients, halves up and halves down; where they differ the even one (convergent rounding)
// Then the zero point is added, and what is out of range is handled:
//   overflow 0 WRAP, 1 SAT, 2 SAT_SYM, 3 SAT_ZERO (the zero point).
// C: product_width (of x * multiplier + offset), multiplier_width, shift, select, overflow, and for one format for the
// whole tensor: multiplier, offset_high / _low, offset2_high / _low, pivot, zero, width, is_signed. Latency: one
// multiplication, an addition, a comparison.

template <class C, int W>
ap_int<W> select_quotient(const ap_int<W> &product, const ap_int<W> &first, const ap_int<W> &second, bool below) {
    #pragma HLS INLINE
    ap_int<W> a = ap_int<W>(product + (C::select == 1 && below ? second : first)) >> int(C::shift);
    if (C::select != 2)
        return a;
    ap_int<W> b = ap_int<W>(product + second) >> int(C::shift);
    return a[0] ? b : a; // equal unless a half: then exactly one of them is even
}

template <class C, int W>
ap_int<W> handle_overflow(const ap_int<W> &quotient, const ap_int<W> &zero, const ap_int<W> &low,
                          const ap_int<W> &high) {
    #pragma HLS INLINE
    const ap_int<W> q = quotient + zero;
    if (C::overflow == 0) {
        ap_int<W> mask = high - low;
        ap_int<W> r = q & mask;
        return r > high ? ap_int<W>(r - mask - 1) : r;
    }
    if (C::overflow == 3)
        return q < low || q > high ? zero : q;
    ap_int<W> least = C::overflow == 2 && low < 0 ? ap_int<W>(-high) : low;
    return q < least ? least : q > high ? high : q;
}

struct rescale_body {
    // One format for the whole tensor.
    template <class C, class y_T, class x_T> static y_T element(const x_T &x, unsigned, unsigned) {
        #pragma HLS INLINE
        typedef ap_int<C::product_width> wide_t;
        const wide_t top = (wide_t(1) << int(C::width - C::is_signed)) - 1;
        const wide_t bottom = C::is_signed ? wide_t(-top - 1) : wide_t(0);
        typename bits<x_T>::value v = value(x);
        wide_t product = v * ap_int<C::multiplier_width>(C::multiplier);
        wide_t first = wide<C::product_width>(C::offset_high, C::offset_low);
        wide_t second = wide<C::product_width>(C::offset2_high, C::offset2_low);
        wide_t q = select_quotient<C>(product, first, second, v < typename bits<x_T>::value(C::pivot));
        return stored<y_T>(handle_overflow<C>(q, wide_t(C::zero), bottom, top));
    }

    // Per channel or element: tables of C::period entries. lift: the left shift into the tensor's common format.
    template <class C, class y_T, class x_T, class M, class N, class A, class B, class D, class E, class P, class Z,
              class W, class S,
              class L>
    static y_T element(const x_T &x, unsigned p, unsigned c, M *multiplier_high, N *multiplier_low, A *offset_high,
                       B *offset_low,
                       D *offset2_high, E *offset2_low, P *pivot, Z *zero, W *width, S *is_signed, L *lift) {
        #pragma HLS INLINE
        typedef ap_int<C::product_width> wide_t;
        unsigned i = entry<C, C::period>(p, c);
        typename bits<x_T>::value v = value(x);
        ap_int<C::multiplier_width> multiplier = (wide_t(value(multiplier_high[i])) << 48) + value(multiplier_low[i]);
        wide_t product = v * multiplier;
        wide_t first = (wide_t(value(offset_high[i])) << 48) + value(offset_low[i]);
        wide_t second = (wide_t(value(offset2_high[i])) << 48) + value(offset2_low[i]);
        wide_t q = select_quotient<C>(product, first, second, v < value(pivot[i]));
        wide_t top = (wide_t(1) << int(value(width[i]) - value(is_signed[i]))) - 1;
        wide_t bottom = value(is_signed[i]) != 0 ? wide_t(-top - 1) : wide_t(0);
        wide_t r = handle_overflow<C>(q, wide_t(value(zero[i])), bottom, top);
        return stored<y_T>(wide_t(r << int(value(lift[i]))));
    }
};

template <class x_T, class y_T, class C> void rescale(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    each<rescale_body, C>(x, y);
}

template <class x_T, class y_T, class C> void rescale(hls::stream<x_T> &x, hls::stream<y_T> &y) {
    each_pack<rescale_body, C>(x, y);
}

template <class x_T, class y_T, class C, class M, class N, class A, class B, class D, class E, class P, class Z,
          class W, class S, class L>
void rescale(x_T x[C::n_in0], y_T y[C::n_out], M multiplier_high[C::n_multiplier_high],
             N multiplier_low[C::n_multiplier_low], A offset_high[C::n_offset_high], B offset_low[C::n_offset_low],
             D offset2_high[C::n_offset2_high], E offset2_low[C::n_offset2_low], P pivot[C::n_pivot],
             Z zero[C::n_zero], W width[C::n_width], S is_signed[C::n_is_signed], L lift[C::n_lift]) {
    #pragma HLS ARRAY_PARTITION variable=multiplier_high complete
    #pragma HLS ARRAY_PARTITION variable=multiplier_low complete
    #pragma HLS ARRAY_PARTITION variable=offset_high complete
    #pragma HLS ARRAY_PARTITION variable=offset_low complete
    #pragma HLS ARRAY_PARTITION variable=offset2_high complete
    #pragma HLS ARRAY_PARTITION variable=offset2_low complete
    #pragma HLS ARRAY_PARTITION variable=pivot complete
    #pragma HLS ARRAY_PARTITION variable=zero complete
    #pragma HLS ARRAY_PARTITION variable=width complete
    #pragma HLS ARRAY_PARTITION variable=is_signed complete
    #pragma HLS ARRAY_PARTITION variable=lift complete
    #pragma HLS PIPELINE II=1
    each<rescale_body, C>(x, y, multiplier_high, multiplier_low, offset_high, offset_low, offset2_high, offset2_low,
                          pivot, zero, width, is_signed, lift);
}

template <class x_T, class y_T, class C, class M, class N, class A, class B, class D, class E, class P, class Z,
          class W, class S, class L>
void rescale(hls::stream<x_T> &x, hls::stream<y_T> &y, M multiplier_high[C::n_multiplier_high],
             N multiplier_low[C::n_multiplier_low], A offset_high[C::n_offset_high], B offset_low[C::n_offset_low],
             D offset2_high[C::n_offset2_high], E offset2_low[C::n_offset2_low], P pivot[C::n_pivot],
             Z zero[C::n_zero], W width[C::n_width], S is_signed[C::n_is_signed], L lift[C::n_lift]) {
    const unsigned lanes = table_lanes<C, C::period>::count;
    #pragma HLS ARRAY_PARTITION variable=multiplier_high cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=multiplier_low cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=offset_high cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=offset_low cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=offset2_high cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=offset2_low cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=pivot cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=zero cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=width cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=is_signed cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=lift cyclic factor=lanes
    each_pack<rescale_body, C>(x, y, multiplier_high, multiplier_low, offset_high, offset_low, offset2_high,
                               offset2_low, pivot, zero, width, is_signed, lift);
}

// ---- lookup: table[x - offset]
//
// A ROM with a port per parallel element: the tool makes a copy of the table for every two of them. C: offset. With a
// second table: right shifts, C::period of them, from the common format of the tensor to the integer that its element
// stores.

struct lookup_body {
    template <class C, class y_T, class x_T, class t_T>
    static y_T element(const x_T &x, unsigned, unsigned, t_T *table) {
        #pragma HLS INLINE
        ap_uint<32> i = value(x) - typename bits<x_T>::value(C::offset);
        return stored<y_T>(value(table[i.to_uint()]));
    }
    template <class C, class y_T, class x_T, class t_T, class s_T>
    static y_T element(const x_T &x, unsigned p, unsigned c, t_T *table, s_T *down) {
        #pragma HLS INLINE
        typename bits<x_T>::value v = value(x) >> int(value(down[entry<C, C::period>(p, c)]));
        ap_uint<32> i = v - typename bits<x_T>::value(C::offset);
        return stored<y_T>(value(table[i.to_uint()]));
    }
};

template <class x_T, class y_T, class C, class t_T>
void lookup(x_T x[C::n_in0], y_T y[C::n_out], t_T table[C::n_table]) {
#ifdef __VITIS_HLS__
    #pragma HLS BIND_STORAGE variable=table type=rom_np
#else
    #pragma HLS RESOURCE variable=table core=ROM_nP_BRAM
#endif
    #pragma HLS PIPELINE II=1
    each<lookup_body, C>(x, y, table);
}

template <class x_T, class y_T, class C, class t_T>
void lookup(hls::stream<x_T> &x, hls::stream<y_T> &y, t_T table[C::n_table]) {
#ifdef __VITIS_HLS__
    #pragma HLS BIND_STORAGE variable=table type=rom_np
#else
    #pragma HLS RESOURCE variable=table core=ROM_nP_BRAM
#endif
    each_pack<lookup_body, C>(x, y, table);
}

template <class x_T, class y_T, class C, class t_T, class s_T>
void lookup(x_T x[C::n_in0], y_T y[C::n_out], t_T table[C::n_table], s_T down[C::n_down]) {
#ifdef __VITIS_HLS__
    #pragma HLS BIND_STORAGE variable=table type=rom_np
#else
    #pragma HLS RESOURCE variable=table core=ROM_nP_BRAM
#endif
    #pragma HLS ARRAY_PARTITION variable=down complete
    #pragma HLS PIPELINE II=1
    each<lookup_body, C>(x, y, table, down);
}

template <class x_T, class y_T, class C, class t_T, class s_T>
void lookup(hls::stream<x_T> &x, hls::stream<y_T> &y, t_T table[C::n_table], s_T down[C::n_down]) {
    const unsigned lanes = table_lanes<C, C::period>::count;
#ifdef __VITIS_HLS__
    #pragma HLS BIND_STORAGE variable=table type=rom_np
#else
    #pragma HLS RESOURCE variable=table core=ROM_nP_BRAM
#endif
    #pragma HLS ARRAY_PARTITION variable=down cyclic factor=lanes
    each_pack<lookup_body, C>(x, y, table, down);
}

// ---- step: values[number of thresholds t with x >= t]
//
// A binary search over 2^C::levels - 1 ascending thresholds (the last ones out of reach): C::levels comparisons one
// after the other. Up to 1024 thresholds stand in registers. C: period = how many lists of thresholds there are (1, or
// as a periodic table).

struct step_body {
    template <class C, class y_T, class x_T, class t_T, class v_T>
    static y_T element(const x_T &x, unsigned p, unsigned c, t_T *thresholds, v_T *values) {
        #pragma HLS INLINE
        const unsigned base = entry<C, C::period>(p, c) * ((1u << C::levels) - 1);
        typename bits<x_T>::value v = value(x);
        unsigned k = 0;
        for (int level = int(C::levels) - 1; level >= 0; level--) {
            #pragma HLS UNROLL
            if (v >= value(thresholds[base + k + (1u << level) - 1]))
                k += 1u << level;
        }
        return stored<y_T>(value(values[k]));
    }
};

template <class x_T, class y_T, class C, class t_T, class v_T>
void step(x_T x[C::n_in0], y_T y[C::n_out], t_T thresholds[C::n_thresholds], v_T values[C::n_values]) {
    const unsigned banks = memories<C::n_thresholds, 1>::count, value_banks = memories<C::n_values, 1>::count;
    #pragma HLS ARRAY_PARTITION variable=thresholds cyclic factor=banks
    #pragma HLS ARRAY_PARTITION variable=values cyclic factor=value_banks
    #pragma HLS PIPELINE II=1
    each<step_body, C>(x, y, thresholds, values);
}

template <class x_T, class y_T, class C, class t_T, class v_T>
void step(hls::stream<x_T> &x, hls::stream<y_T> &y, t_T thresholds[C::n_thresholds], v_T values[C::n_values]) {
    const unsigned banks = memories<C::n_thresholds, 1>::count, value_banks = memories<C::n_values, 1>::count;
    #pragma HLS ARRAY_PARTITION variable=thresholds cyclic factor=banks
    #pragma HLS ARRAY_PARTITION variable=values cyclic factor=value_banks
    each_pack<step_body, C>(x, y, thresholds, values);
}

// ---- relu: max(x, 0) in any format; C: x_zero (the stored integer that means 0)

struct relu_body {
    template <class C, class y_T, class x_T> static y_T element(const x_T &x, unsigned, unsigned) {
        #pragma HLS INLINE
        ap_int<bits<x_T>::width + 2> v = centred(x, C::x_zero);
        return v < 0 ? y_T(0) : stored<y_T>(v);
    }
};

template <class x_T, class y_T, class C> void relu(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    each<relu_body, C>(x, y);
}

template <class x_T, class y_T, class C>
void relu(hls::stream<x_T> &x, hls::stream<y_T> &y) { each_pack<relu_body, C>(x, y); }

// ---- add, sub, mul, maximum, minimum of two operands, each (stored - zero) * factor in the unit of the result; also
// comparisons, which give one bit, of operands in a unit that they share
//
// C: operation 0 add, 1 sub, 2 mul, 3 maximum, 4 minimum, 5 equal, 6 less, 7 less or equal; x_zero, x_factor, y_zero, y_factor; work_width holds both
// scaled operands and the result, factor_width each factor. The factors are powers of two (wires) unless scales differ
// by other ratios.

template <class C, bool multiply> struct arithmetic {
    typedef ap_int<C::work_width> work_t;
    typedef ap_int<C::factor_width> factor_t;
    template <class z_T, class X, class Y, class F, class G>
    static z_T apply(const X &x, const F &f, const Y &y, const G &g) {
        #pragma HLS INLINE
        const work_t a = x * factor_t(f), b = y * factor_t(g);
        if (C::operation == 0)
            return stored<z_T>(a + b);
        if (C::operation == 1)
            return stored<z_T>(a - b);
        if (C::operation == 3)
            return stored<z_T>(a > b ? a : b);
        if (C::operation >= 5)
            return stored<z_T>(ap_uint<1>(C::operation == 5 ? a == b : C::operation == 6 ? a < b : a <= b));
        return stored<z_T>(a < b ? a : b);
    }
};

template <class C> struct arithmetic<C, true> {
    template <class z_T, class X, class Y, class F, class G>
    static z_T apply(const X &x, const F &, const Y &y, const G &) {
        #pragma HLS INLINE
        return stored<z_T>(x * y);
    }
};

// x op y with the factors of the configuration.
template <class C, class z_T, class x_T, class y_T> z_T combine(const x_T &x, const y_T &y) {
    #pragma HLS INLINE
    return arithmetic<C, C::operation == 2>::template apply<z_T>(
        centred(x, C::x_zero), (long long)(C::x_factor), centred(y, C::y_zero), (long long)(C::y_factor));
}

// Two tensors of one shape.
template <class x_T, class y_T, class z_T, class C>
void elementwise(x_T x[C::n_in0], y_T y[C::n_in1], z_T z[C::n_out]) {
    #pragma HLS PIPELINE II=1
    for (unsigned i = 0; i < C::n_out; i++) {
        #pragma HLS UNROLL
        z[i] = combine<C, z_T>(x[i], y[i]);
    }
}

template <class x_T, class y_T, class z_T, class C>
void elementwise(hls::stream<x_T> &x, hls::stream<y_T> &y, hls::stream<z_T> &z) {
    for (unsigned p = 0; p < C::n_out / z_T::size; p++) {
        #pragma HLS PIPELINE II=1
        x_T a = x.read();
        y_T b = y.read();
        z_T out;
        for (unsigned c = 0; c < z_T::size; c++) {
            #pragma HLS UNROLL
            out[c] = combine<C, typename z_T::value_type>(a[c], b[c]);
        }
        z.write(out);
    }
}

// Two tensors of shapes that broadcast: x_map, y_map say where each operand has an element of the result. Streams
// buffer both. With two tables: the factors per element of the result, C::x_period and C::y_period entries.
struct broadcast_body {
    template <class C, class x_T, class y_T, class z_T>
    static void pack(const x_T *x, const y_T *y, unsigned p, z_T *z) {
        #pragma HLS INLINE
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            unsigned i = p * C::c_out + c;
            z[c] = combine<C, z_T>(x[x_map<C>::at(i)], y[y_map<C>::at(i)]);
        }
    }

    template <class C, class x_T, class y_T, class z_T, class f_T, class g_T>
    static void pack(const x_T *x, const y_T *y, unsigned p, z_T *z, f_T *x_factor, g_T *y_factor) {
        #pragma HLS INLINE
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            unsigned i = p * C::c_out + c;
            z[c] = arithmetic<C, C::operation == 2>::template apply<z_T>(
                centred(x[x_map<C>::at(i)], C::x_zero), value(x_factor[entry<C, C::x_period>(p, c)]),
                centred(y[y_map<C>::at(i)], C::y_zero), value(y_factor[entry<C, C::y_period>(p, c)]));
        }
    }
};

template <class C, class x_T, class y_T, class z_T, class... K>
void all_broadcast(const x_T *x, const y_T *y, z_T *z, K... tables) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < C::n_out / C::c_out; p++) {
        #pragma HLS UNROLL
        broadcast_body::pack<C>(x, y, p, z + p * C::c_out, tables...);
    }
}

template <class x_T, class y_T, class z_T, class C>
void elementwise_broadcast(x_T x[C::n_in0], y_T y[C::n_in1], z_T z[C::n_out]) {
    #pragma HLS PIPELINE II=1
    all_broadcast<C>(x, y, z);
}

template <class x_T, class y_T, class z_T, class C>
void elementwise_broadcast(hls::stream<x_T> &x, hls::stream<y_T> &y, hls::stream<z_T> &z) {
    buffered_pair<broadcast_body, C>(x, y, z);
}

template <class x_T, class y_T, class z_T, class C, class f_T, class g_T>
void elementwise_broadcast(x_T x[C::n_in0], y_T y[C::n_in1], z_T z[C::n_out], f_T x_factors[C::n_x_factors],
                           g_T y_factors[C::n_y_factors]) {
    #pragma HLS ARRAY_PARTITION variable=x_factors complete
    #pragma HLS ARRAY_PARTITION variable=y_factors complete
    #pragma HLS PIPELINE II=1
    all_broadcast<C>(x, y, z, x_factors, y_factors);
}

template <class x_T, class y_T, class z_T, class C, class f_T, class g_T>
void elementwise_broadcast(hls::stream<x_T> &x, hls::stream<y_T> &y, hls::stream<z_T> &z,
                           f_T x_factors[C::n_x_factors], g_T y_factors[C::n_y_factors]) {
    const unsigned x_lanes = table_lanes<C, C::x_period>::count, y_lanes = table_lanes<C, C::y_period>::count;
    #pragma HLS ARRAY_PARTITION variable=x_factors cyclic factor=x_lanes
    #pragma HLS ARRAY_PARTITION variable=y_factors cyclic factor=y_lanes
    buffered_pair<broadcast_body, C>(x, y, z, x_factors, y_factors);
}

// A tensor and a constant of C::period entries, already in the unit of the result; C::swapped: the constant is the
// first operand. With a second table: the tensor's factors, C::x_period of them, in place of C::x_factor.
struct constant_body {
    template <class C, class z_T, class X, class F, class k_T>
    static z_T apply(const X &x, const F &factor, const k_T &constant) {
        #pragma HLS INLINE
        typedef arithmetic<C, C::operation == 2> operation;
        return C::swapped ? operation::template apply<z_T>(value(constant), 1LL, x, factor)
                          : operation::template apply<z_T>(x, factor, value(constant), 1LL);
    }

    template <class C, class z_T, class x_T, class k_T>
    static z_T element(const x_T &x, unsigned p, unsigned c, k_T *constants) {
        #pragma HLS INLINE
        return apply<C, z_T>(centred(x, C::x_zero), (long long)(C::x_factor),
                             constants[entry<C, C::period>(p, c)]);
    }

    template <class C, class z_T, class x_T, class k_T, class f_T>
    static z_T element(const x_T &x, unsigned p, unsigned c, k_T *constants, f_T *factors) {
        #pragma HLS INLINE
        return apply<C, z_T>(centred(x, C::x_zero), value(factors[entry<C, C::x_period>(p, c)]),
                             constants[entry<C, C::period>(p, c)]);
    }
};

template <class x_T, class z_T, class C, class k_T>
void elementwise_constant(x_T x[C::n_in0], z_T z[C::n_out], k_T constants[C::n_constants]) {
    #pragma HLS ARRAY_PARTITION variable=constants complete
    #pragma HLS PIPELINE II=1
    each<constant_body, C>(x, z, constants);
}

template <class x_T, class z_T, class C, class k_T>
void elementwise_constant(hls::stream<x_T> &x, hls::stream<z_T> &z, k_T constants[C::n_constants]) {
    const unsigned lanes = table_lanes<C, C::period>::count;
    #pragma HLS ARRAY_PARTITION variable=constants cyclic factor=lanes
    each_pack<constant_body, C>(x, z, constants);
}

template <class x_T, class z_T, class C, class k_T, class f_T>
void elementwise_constant(x_T x[C::n_in0], z_T z[C::n_out], k_T constants[C::n_constants],
                          f_T x_factors[C::n_x_factors]) {
    #pragma HLS ARRAY_PARTITION variable=constants complete
    #pragma HLS ARRAY_PARTITION variable=x_factors complete
    #pragma HLS PIPELINE II=1
    each<constant_body, C>(x, z, constants, x_factors);
}

template <class x_T, class z_T, class C, class k_T, class f_T>
void elementwise_constant(hls::stream<x_T> &x, hls::stream<z_T> &z, k_T constants[C::n_constants],
                          f_T x_factors[C::n_x_factors]) {
    const unsigned lanes = table_lanes<C, C::period>::count;
    const unsigned x_lanes = table_lanes<C, C::x_period>::count;
    #pragma HLS ARRAY_PARTITION variable=constants cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=x_factors cyclic factor=x_lanes
    each_pack<constant_body, C>(x, z, constants, x_factors);
}

// A tensor that broadcasts to the larger shape of a constant: x_map. Streams buffer the tensor. One or two tables as
// above.
struct constant_broadcast_body {
    template <class C, class x_T, class z_T, class... K>
    static void pack(const x_T *x, unsigned p, z_T *z, K... tables) {
        #pragma HLS INLINE
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            z[c] = constant_body::template element<C, z_T>(x[x_map<C>::at(p * C::c_out + c)], p, c, tables...);
        }
    }
};

template <class x_T, class z_T, class C, class k_T>
void elementwise_constant_broadcast(x_T x[C::n_in0], z_T z[C::n_out], k_T constants[C::n_constants]) {
    #pragma HLS ARRAY_PARTITION variable=constants complete
    #pragma HLS PIPELINE II=1
    all_packs<constant_broadcast_body, C>(x, z, constants);
}

template <class x_T, class z_T, class C, class k_T>
void elementwise_constant_broadcast(hls::stream<x_T> &x, hls::stream<z_T> &z, k_T constants[C::n_constants]) {
    const unsigned lanes = table_lanes<C, C::period>::count;
    #pragma HLS ARRAY_PARTITION variable=constants cyclic factor=lanes
    buffered<constant_broadcast_body, C>(x, z, constants);
}

template <class x_T, class z_T, class C, class k_T, class f_T>
void elementwise_constant_broadcast(x_T x[C::n_in0], z_T z[C::n_out], k_T constants[C::n_constants],
                                    f_T x_factors[C::n_x_factors]) {
    #pragma HLS ARRAY_PARTITION variable=constants complete
    #pragma HLS ARRAY_PARTITION variable=x_factors complete
    #pragma HLS PIPELINE II=1
    all_packs<constant_broadcast_body, C>(x, z, constants, x_factors);
}

template <class x_T, class z_T, class C, class k_T, class f_T>
void elementwise_constant_broadcast(hls::stream<x_T> &x, hls::stream<z_T> &z, k_T constants[C::n_constants],
                                    f_T x_factors[C::n_x_factors]) {
    const unsigned lanes = table_lanes<C, C::period>::count;
    const unsigned x_lanes = table_lanes<C, C::x_period>::count;
    #pragma HLS ARRAY_PARTITION variable=constants cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=x_factors cyclic factor=x_lanes
    buffered<constant_broadcast_body, C>(x, z, constants, x_factors);
}

} // namespace gw
#endif
