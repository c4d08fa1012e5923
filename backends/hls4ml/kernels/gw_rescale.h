// Gatewright's change of scale by multiplier and shift, as fixed-point runtimes define it.
#ifndef GATEWRIGHT_RESCALE_H_
#define GATEWRIGHT_RESCALE_H_

#include "gw_common.h"

namespace gw {

// ---- multiply_shift: ((x - zero point) * multiplier + half) >> right where right is above 0, rounded again where down is, halves
// away from zero, then the result's zero point, then a clamp
//
// C: x_zero, zero, low, high, product_width (of the product, the half and the sum), multiplier_width; multiplier, right
// and down for the whole tensor, or tables of C::period entries, one a channel. One multiplier an element.

template <class C, class y_T, class x_T, class M, class R, class D>
y_T multiplied(const x_T &x, const M &multiplier, const R &right, const D &down) {
    #pragma HLS INLINE
    typedef ap_int<C::product_width> wide_t;
    wide_t once = centred(x, C::x_zero) * ap_int<C::multiplier_width>(multiplier);
    if (int(right) > 0) {
        once = wide_t(once + (wide_t(1) << (int(right) - 1))) >> int(right);
    }
    if (int(down) > 0) {
        once = wide_t(once + (wide_t(1) << (int(down) - 1)) - wide_t(once < 0)) >> int(down);
    }
    const wide_t q = once + wide_t(C::zero);
    return stored<y_T>(q < wide_t(C::low) ? wide_t(C::low) : q > wide_t(C::high) ? wide_t(C::high) : q);
}

struct multiply_shift_body {
    template <class C, class y_T, class x_T> static y_T element(const x_T &x, unsigned, unsigned) {
        #pragma HLS INLINE
        return multiplied<C, y_T>(x, (long long)(C::multiplier), (long long)(C::right), (long long)(C::down));
    }
    template <class C, class y_T, class x_T, class M, class R, class D>
    static y_T element(const x_T &x, unsigned p, unsigned c, M *multipliers, R *rights, D *downs) {
        #pragma HLS INLINE
        const unsigned i = entry<C, C::period>(p, c);
        return multiplied<C, y_T>(x, value(multipliers[i]), value(rights[i]), value(downs[i]));
    }
};

template <class x_T, class y_T, class C> void multiply_shift(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    each<multiply_shift_body, C>(x, y);
}

template <class x_T, class y_T, class C> void multiply_shift(hls::stream<x_T> &x, hls::stream<y_T> &y) {
    each_pack<multiply_shift_body, C>(x, y);
}

template <class x_T, class y_T, class C, class M, class R, class D>
void multiply_shift(x_T x[C::n_in0], y_T y[C::n_out], M multipliers[C::n_multipliers], R rights[C::n_rights],
                    D downs[C::n_downs]) {
    #pragma HLS ARRAY_PARTITION variable=multipliers complete
    #pragma HLS ARRAY_PARTITION variable=rights complete
    #pragma HLS ARRAY_PARTITION variable=downs complete
    #pragma HLS PIPELINE II=1
    each<multiply_shift_body, C>(x, y, multipliers, rights, downs);
}

template <class x_T, class y_T, class C, class M, class R, class D>
void multiply_shift(hls::stream<x_T> &x, hls::stream<y_T> &y, M multipliers[C::n_multipliers],
                    R rights[C::n_rights], D downs[C::n_downs]) {
    const unsigned lanes = table_lanes<C, C::period>::count;
    #pragma HLS ARRAY_PARTITION variable=multipliers cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=rights cyclic factor=lanes
    #pragma HLS ARRAY_PARTITION variable=downs cyclic factor=lanes
    each_pack<multiply_shift_body, C>(x, y, multipliers, rights, downs);
}

} // namespace gw

#endif
