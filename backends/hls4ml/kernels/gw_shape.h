// Gatewright's moves: values go elsewhere and none changes. Formats may differ between operand and result (a common
// format); the conversion is exact.
#ifndef GATEWRIGHT_SHAPE_H_
#define GATEWRIGHT_SHAPE_H_

#include "gw_common.h"

namespace gw {

// ---- reshape: the same values in the same order. Arrays: wires. Streams: packs of one size become packs of another.
//
// One pack a cycle on the side that has more of them; nothing is buffered but one pack of the larger size (or, where
// neither size divides the other, a shift register of both).

template <class x_T, class y_T, class C> void reshape(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    for (unsigned i = 0; i < C::n_out; i++) {
        #pragma HLS UNROLL
        y[i] = x[i];
    }
}

template <class x_T, class y_T, class C> void reshape(hls::stream<x_T> &x, hls::stream<y_T> &y) {
    const unsigned in_size = x_T::size, out_size = y_T::size;
    typename x_T::value_type held[x_T::size + y_T::size];
    #pragma HLS ARRAY_PARTITION variable=held complete
    unsigned count = 0;
    const unsigned packs = C::n_out / in_size + C::n_out / out_size;
    for (unsigned step = 0; step < packs; step++) {
        #pragma HLS PIPELINE II=1
        if (count >= out_size) {
            y_T out;
            for (unsigned c = 0; c < out_size; c++) {
                #pragma HLS UNROLL
                out[c] = held[c];
            }
            y.write(out);
            for (unsigned c = 0; c < in_size; c++) {
                #pragma HLS UNROLL
                held[c] = held[c + out_size];
            }
            count -= out_size;
        } else {
            x_T in = x.read();
            for (unsigned c = 0; c < in_size; c++) {
                #pragma HLS UNROLL
                held[count + c] = in[c];
            }
            count += in_size;
        }
    }
}

// ---- move: y[i] = x[x_map(i)]: transpose, slice, broadcast, upsampling. Streams buffer the operand.

struct move_body {
    template <class C, class x_T, class y_T> static void pack(const x_T *x, unsigned p, y_T *y) {
        #pragma HLS INLINE
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            y[c] = x[x_map<C>::at(p * C::c_out + c)];
        }
    }
};

template <class x_T, class y_T, class C> void move(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    all_packs<move_body, C>(x, y);
}

template <class x_T, class y_T, class C>
void move(hls::stream<x_T> &x, hls::stream<y_T> &y) { buffered<move_body, C>(x, y); }

// ---- gather: y[i] = x[places[i]] for a constant list of places

struct gather_body {
    template <class C, class x_T, class y_T, class k_T>
    static void pack(const x_T *x, unsigned p, y_T *y, k_T *places) {
        #pragma HLS INLINE
        for (unsigned c = 0; c < C::c_out; c++) {
            #pragma HLS UNROLL
            y[c] = x[ap_uint<32>(value(places[p * C::c_out + c])).to_uint()];
        }
    }
};

template <class x_T, class y_T, class C, class k_T>
void gather(x_T x[C::n_in0], y_T y[C::n_out], k_T places[C::n_places]) {
    #pragma HLS ARRAY_PARTITION variable=places complete
    #pragma HLS PIPELINE II=1
    all_packs<gather_body, C>(x, y, places);
}

template <class x_T, class y_T, class C, class k_T>
void gather(hls::stream<x_T> &x, hls::stream<y_T> &y, k_T places[C::n_places]) {
    const unsigned lanes = C::c_out;
    #pragma HLS ARRAY_PARTITION variable=places cyclic factor=lanes
    buffered<gather_body, C>(x, y, places);
}

// ---- keep_packs: whole packs in their order, some of them left out (slices and gathers that ascend, with all
// channels)
//
// Arrays: wires by x_map, or by a second table with the places. Streams: one pack of the operand a cycle, nothing
// buffered; keep[p] says whether its pack p stays.

template <class x_T, class y_T, class C, class k_T>
void keep_packs(x_T x[C::n_in0], y_T y[C::n_out], k_T[C::n_keep]) {
    #pragma HLS PIPELINE II=1
    all_packs<move_body, C>(x, y);
}

template <class x_T, class y_T, class C, class k_T, class g_T>
void keep_packs(x_T x[C::n_in0], y_T y[C::n_out], k_T[C::n_keep], g_T places[C::n_places]) {
    #pragma HLS ARRAY_PARTITION variable=places complete
    #pragma HLS PIPELINE II=1
    all_packs<gather_body, C>(x, y, places);
}

template <class x_T, class y_T, class C, class k_T>
void keep_stream(hls::stream<x_T> &x, hls::stream<y_T> &y, k_T *keep) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < C::n_in0 / x_T::size; p++) {
        #pragma HLS PIPELINE II=1
        x_T in = x.read();
        if (value(keep[p]) != 0) {
            y_T out;
            for (unsigned c = 0; c < y_T::size; c++) {
                #pragma HLS UNROLL
                out[c] = in[c];
            }
            y.write(out);
        }
    }
}

template <class x_T, class y_T, class C, class k_T>
void keep_packs(hls::stream<x_T> &x, hls::stream<y_T> &y, k_T keep[C::n_keep]) {
    keep_stream<x_T, y_T, C>(x, y, keep);
}

template <class x_T, class y_T, class C, class k_T, class g_T>
void keep_packs(hls::stream<x_T> &x, hls::stream<y_T> &y, k_T keep[C::n_keep], g_T[C::n_places]) {
    keep_stream<x_T, y_T, C>(x, y, keep);
}

// ---- pad: C::value (a stored integer) around up to four axes
//
// C: in0..in3, out0..out3 lengths, pad0..pad3 before (the last axis is the channels), x_zero.
// Streams: one pack of the result a cycle, nothing buffered.

template <class C> bool inside(unsigned p, unsigned &place) {
    #pragma HLS INLINE
    const unsigned row = remainder<C::out0 * C::out1 * C::out2, C::out1 * C::out2>(p);
    const int i0 = int(quotient<C::out0 * C::out1 * C::out2, C::out1 * C::out2>(p)) - int(C::pad0);
    const int i1 = int(quotient<C::out1 * C::out2, C::out2>(row)) - int(C::pad1);
    const int i2 = int(remainder<C::out1 * C::out2, C::out2>(row)) - int(C::pad2);
    place = (unsigned(i0) * C::in1 + unsigned(i1)) * C::in2 + unsigned(i2);
    return i0 >= 0 && i0 < int(C::in0) && i1 >= 0 && i1 < int(C::in1) && i2 >= 0 && i2 < int(C::in2);
}

template <class C, class x_T, class y_T> void padded_pack(const x_T *x, bool real, y_T *y) {
    #pragma HLS INLINE
    for (unsigned c = 0; c < C::out3; c++) {
        #pragma HLS UNROLL
        if (real && c >= C::pad3 && c < C::pad3 + C::in3)
            y[c] = in_unit<y_T>(x[c - C::pad3], C::x_zero, 1);
        else
            y[c] = stored<y_T>(ap_int<64>(C::value));
    }
}

template <class x_T, class y_T, class C> void pad(x_T x[C::n_in0], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    for (unsigned p = 0; p < C::out0 * C::out1 * C::out2; p++) {
        #pragma HLS UNROLL
        unsigned place;
        const bool real = inside<C>(p, place);
        padded_pack<C>(x + (real ? place * C::in3 : 0), real, y + p * C::out3);
    }
}

template <class x_T, class y_T, class C> void pad(hls::stream<x_T> &x, hls::stream<y_T> &y) {
    for (unsigned p = 0; p < C::out0 * C::out1 * C::out2; p++) {
        #pragma HLS PIPELINE II=1
        unsigned place;
        const bool real = inside<C>(p, place);
        typename x_T::value_type row[x_T::size];
        typename y_T::value_type out[y_T::size];
        #pragma HLS ARRAY_PARTITION variable=row complete
        #pragma HLS ARRAY_PARTITION variable=out complete
        if (real)
            unpack(x.read(), row);
        padded_pack<C>(row, real, out);
        y.write(packed<y_T>(out));
    }
}

} // namespace gw
#endif
