// Gatewright's joins: tensors of several formats become one tensor of a common format, exactly.
#ifndef GATEWRIGHT_CONCAT_H_
#define GATEWRIGHT_CONCAT_H_

#include "gw_common.h"

namespace gw {

// ---- concat of 2 to 8 operands: C::outer blocks, each C::block0 elements of the first, C::block1 of the second, ...
//
// C: zero0.., factor0.. bring each operand into the unit of the result. Streams: one pack a cycle, nothing buffered;
// along the last axis (C::by_channel) one pack of each is joined, else the packs of a block follow one another.

template <class C, class x_T, class y_T>
void join_part(const x_T *x, y_T *y, unsigned block, unsigned before, unsigned total, long long zero,
               long long factor) {
    #pragma HLS INLINE
    for (unsigned o = 0; o < C::outer; o++) {
        #pragma HLS UNROLL
        for (unsigned i = 0; i < block; i++) {
            #pragma HLS UNROLL
            y[o * total + before + i] = in_unit<y_T>(x[o * block + i], zero, factor);
        }
    }
}

// Channels from .. of the joined pack.
template <class x_T, class y_T>
void join_channels(hls::stream<x_T> &x, y_T &out, unsigned from, long long zero, long long factor) {
    #pragma HLS INLINE
    x_T in = x.read();
    for (unsigned c = 0; c < x_T::size; c++) {
        #pragma HLS UNROLL
        out[from + c] = in_unit<typename y_T::value_type>(in[c], zero, factor);
    }
}

template <class x_T, class y_T>
void join_packs(hls::stream<x_T> &x, hls::stream<y_T> &y, unsigned packs, long long zero, long long factor) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < packs; p++) {
        #pragma HLS PIPELINE II=1
        x_T in = x.read();
        y_T out;
        for (unsigned c = 0; c < x_T::size; c++) {
            #pragma HLS UNROLL
            out[c] = in_unit<typename y_T::value_type>(in[c], zero, factor);
        }
        y.write(out);
    }
}

template <class x0_T, class x1_T, class y_T, class C>
void concat2(x0_T x0[C::n_in0], x1_T x1[C::n_in1], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    const unsigned total = C::n_out / C::outer;
    unsigned before = 0;
    join_part<C>(x0, y, C::block0, before, total, C::zero0, C::factor0);
    before += C::block0;
    join_part<C>(x1, y, C::block1, before, total, C::zero1, C::factor1);
}

template <class x0_T, class x1_T, class y_T, class C>
void concat2(hls::stream<x0_T> &x0, hls::stream<x1_T> &x1, hls::stream<y_T> &y) {
    if (C::by_channel) {
        for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
            #pragma HLS PIPELINE II=1
            y_T out;
            unsigned from = 0;
            join_channels(x0, out, from, C::zero0, C::factor0);
            from += x0_T::size;
            join_channels(x1, out, from, C::zero1, C::factor1);
            y.write(out);
        }
    } else {
        for (unsigned o = 0; o < C::outer; o++) {
            join_packs(x0, y, C::block0 / x0_T::size, C::zero0, C::factor0);
            join_packs(x1, y, C::block1 / x1_T::size, C::zero1, C::factor1);
        }
    }
}

template <class x0_T, class x1_T, class x2_T, class y_T, class C>
void concat3(x0_T x0[C::n_in0], x1_T x1[C::n_in1], x2_T x2[C::n_in2], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    const unsigned total = C::n_out / C::outer;
    unsigned before = 0;
    join_part<C>(x0, y, C::block0, before, total, C::zero0, C::factor0);
    before += C::block0;
    join_part<C>(x1, y, C::block1, before, total, C::zero1, C::factor1);
    before += C::block1;
    join_part<C>(x2, y, C::block2, before, total, C::zero2, C::factor2);
}

template <class x0_T, class x1_T, class x2_T, class y_T, class C>
void concat3(hls::stream<x0_T> &x0, hls::stream<x1_T> &x1, hls::stream<x2_T> &x2, hls::stream<y_T> &y) {
    if (C::by_channel) {
        for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
            #pragma HLS PIPELINE II=1
            y_T out;
            unsigned from = 0;
            join_channels(x0, out, from, C::zero0, C::factor0);
            from += x0_T::size;
            join_channels(x1, out, from, C::zero1, C::factor1);
            from += x1_T::size;
            join_channels(x2, out, from, C::zero2, C::factor2);
            y.write(out);
        }
    } else {
        for (unsigned o = 0; o < C::outer; o++) {
            join_packs(x0, y, C::block0 / x0_T::size, C::zero0, C::factor0);
            join_packs(x1, y, C::block1 / x1_T::size, C::zero1, C::factor1);
            join_packs(x2, y, C::block2 / x2_T::size, C::zero2, C::factor2);
        }
    }
}

template <class x0_T, class x1_T, class x2_T, class x3_T, class y_T, class C>
void concat4(x0_T x0[C::n_in0], x1_T x1[C::n_in1], x2_T x2[C::n_in2], x3_T x3[C::n_in3], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    const unsigned total = C::n_out / C::outer;
    unsigned before = 0;
    join_part<C>(x0, y, C::block0, before, total, C::zero0, C::factor0);
    before += C::block0;
    join_part<C>(x1, y, C::block1, before, total, C::zero1, C::factor1);
    before += C::block1;
    join_part<C>(x2, y, C::block2, before, total, C::zero2, C::factor2);
    before += C::block2;
    join_part<C>(x3, y, C::block3, before, total, C::zero3, C::factor3);
}

template <class x0_T, class x1_T, class x2_T, class x3_T, class y_T, class C>
void concat4(hls::stream<x0_T> &x0, hls::stream<x1_T> &x1,
             hls::stream<x2_T> &x2, hls::stream<x3_T> &x3, hls::stream<y_T> &y) {
    if (C::by_channel) {
        for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
            #pragma HLS PIPELINE II=1
            y_T out;
            unsigned from = 0;
            join_channels(x0, out, from, C::zero0, C::factor0);
            from += x0_T::size;
            join_channels(x1, out, from, C::zero1, C::factor1);
            from += x1_T::size;
            join_channels(x2, out, from, C::zero2, C::factor2);
            from += x2_T::size;
            join_channels(x3, out, from, C::zero3, C::factor3);
            y.write(out);
        }
    } else {
        for (unsigned o = 0; o < C::outer; o++) {
            join_packs(x0, y, C::block0 / x0_T::size, C::zero0, C::factor0);
            join_packs(x1, y, C::block1 / x1_T::size, C::zero1, C::factor1);
            join_packs(x2, y, C::block2 / x2_T::size, C::zero2, C::factor2);
            join_packs(x3, y, C::block3 / x3_T::size, C::zero3, C::factor3);
        }
    }
}

template <class x0_T, class x1_T, class x2_T, class x3_T, class x4_T, class y_T, class C>
void concat5(x0_T x0[C::n_in0], x1_T x1[C::n_in1], x2_T x2[C::n_in2], x3_T x3[C::n_in3], x4_T x4[C::n_in4],
             y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    const unsigned total = C::n_out / C::outer;
    unsigned before = 0;
    join_part<C>(x0, y, C::block0, before, total, C::zero0, C::factor0);
    before += C::block0;
    join_part<C>(x1, y, C::block1, before, total, C::zero1, C::factor1);
    before += C::block1;
    join_part<C>(x2, y, C::block2, before, total, C::zero2, C::factor2);
    before += C::block2;
    join_part<C>(x3, y, C::block3, before, total, C::zero3, C::factor3);
    before += C::block3;
    join_part<C>(x4, y, C::block4, before, total, C::zero4, C::factor4);
}

template <class x0_T, class x1_T, class x2_T, class x3_T, class x4_T, class y_T, class C>
void concat5(hls::stream<x0_T> &x0, hls::stream<x1_T> &x1, hls::stream<x2_T> &x2,
             hls::stream<x3_T> &x3, hls::stream<x4_T> &x4, hls::stream<y_T> &y) {
    if (C::by_channel) {
        for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
            #pragma HLS PIPELINE II=1
            y_T out;
            unsigned from = 0;
            join_channels(x0, out, from, C::zero0, C::factor0);
            from += x0_T::size;
            join_channels(x1, out, from, C::zero1, C::factor1);
            from += x1_T::size;
            join_channels(x2, out, from, C::zero2, C::factor2);
            from += x2_T::size;
            join_channels(x3, out, from, C::zero3, C::factor3);
            from += x3_T::size;
            join_channels(x4, out, from, C::zero4, C::factor4);
            y.write(out);
        }
    } else {
        for (unsigned o = 0; o < C::outer; o++) {
            join_packs(x0, y, C::block0 / x0_T::size, C::zero0, C::factor0);
            join_packs(x1, y, C::block1 / x1_T::size, C::zero1, C::factor1);
            join_packs(x2, y, C::block2 / x2_T::size, C::zero2, C::factor2);
            join_packs(x3, y, C::block3 / x3_T::size, C::zero3, C::factor3);
            join_packs(x4, y, C::block4 / x4_T::size, C::zero4, C::factor4);
        }
    }
}

template <class x0_T, class x1_T, class x2_T, class x3_T, class x4_T, class x5_T, class y_T, class C>
void concat6(x0_T x0[C::n_in0], x1_T x1[C::n_in1], x2_T x2[C::n_in2], x3_T x3[C::n_in3], x4_T x4[C::n_in4],
             x5_T x5[C::n_in5], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    const unsigned total = C::n_out / C::outer;
    unsigned before = 0;
    join_part<C>(x0, y, C::block0, before, total, C::zero0, C::factor0);
    before += C::block0;
    join_part<C>(x1, y, C::block1, before, total, C::zero1, C::factor1);
    before += C::block1;
    join_part<C>(x2, y, C::block2, before, total, C::zero2, C::factor2);
    before += C::block2;
    join_part<C>(x3, y, C::block3, before, total, C::zero3, C::factor3);
    before += C::block3;
    join_part<C>(x4, y, C::block4, before, total, C::zero4, C::factor4);
    before += C::block4;
    join_part<C>(x5, y, C::block5, before, total, C::zero5, C::factor5);
}

template <class x0_T, class x1_T, class x2_T, class x3_T, class x4_T, class x5_T, class y_T, class C>
void concat6(hls::stream<x0_T> &x0, hls::stream<x1_T> &x1, hls::stream<x2_T> &x2,
             hls::stream<x3_T> &x3, hls::stream<x4_T> &x4, hls::stream<x5_T> &x5, hls::stream<y_T> &y) {
    if (C::by_channel) {
        for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
            #pragma HLS PIPELINE II=1
            y_T out;
            unsigned from = 0;
            join_channels(x0, out, from, C::zero0, C::factor0);
            from += x0_T::size;
            join_channels(x1, out, from, C::zero1, C::factor1);
            from += x1_T::size;
            join_channels(x2, out, from, C::zero2, C::factor2);
            from += x2_T::size;
            join_channels(x3, out, from, C::zero3, C::factor3);
            from += x3_T::size;
            join_channels(x4, out, from, C::zero4, C::factor4);
            from += x4_T::size;
            join_channels(x5, out, from, C::zero5, C::factor5);
            y.write(out);
        }
    } else {
        for (unsigned o = 0; o < C::outer; o++) {
            join_packs(x0, y, C::block0 / x0_T::size, C::zero0, C::factor0);
            join_packs(x1, y, C::block1 / x1_T::size, C::zero1, C::factor1);
            join_packs(x2, y, C::block2 / x2_T::size, C::zero2, C::factor2);
            join_packs(x3, y, C::block3 / x3_T::size, C::zero3, C::factor3);
            join_packs(x4, y, C::block4 / x4_T::size, C::zero4, C::factor4);
            join_packs(x5, y, C::block5 / x5_T::size, C::zero5, C::factor5);
        }
    }
}

template <class x0_T, class x1_T, class x2_T, class x3_T, class x4_T, class x5_T, class x6_T, class y_T, class C>
void concat7(x0_T x0[C::n_in0], x1_T x1[C::n_in1], x2_T x2[C::n_in2], x3_T x3[C::n_in3], x4_T x4[C::n_in4],
             x5_T x5[C::n_in5], x6_T x6[C::n_in6], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    const unsigned total = C::n_out / C::outer;
    unsigned before = 0;
    join_part<C>(x0, y, C::block0, before, total, C::zero0, C::factor0);
    before += C::block0;
    join_part<C>(x1, y, C::block1, before, total, C::zero1, C::factor1);
    before += C::block1;
    join_part<C>(x2, y, C::block2, before, total, C::zero2, C::factor2);
    before += C::block2;
    join_part<C>(x3, y, C::block3, before, total, C::zero3, C::factor3);
    before += C::block3;
    join_part<C>(x4, y, C::block4, before, total, C::zero4, C::factor4);
    before += C::block4;
    join_part<C>(x5, y, C::block5, before, total, C::zero5, C::factor5);
    before += C::block5;
    join_part<C>(x6, y, C::block6, before, total, C::zero6, C::factor6);
}

template <class x0_T, class x1_T, class x2_T, class x3_T, class x4_T, class x5_T, class x6_T, class y_T, class C>
void concat7(hls::stream<x0_T> &x0, hls::stream<x1_T> &x1, hls::stream<x2_T> &x2, hls::stream<x3_T> &x3,
             hls::stream<x4_T> &x4, hls::stream<x5_T> &x5, hls::stream<x6_T> &x6, hls::stream<y_T> &y) {
    if (C::by_channel) {
        for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
            #pragma HLS PIPELINE II=1
            y_T out;
            unsigned from = 0;
            join_channels(x0, out, from, C::zero0, C::factor0);
            from += x0_T::size;
            join_channels(x1, out, from, C::zero1, C::factor1);
            from += x1_T::size;
            join_channels(x2, out, from, C::zero2, C::factor2);
            from += x2_T::size;
            join_channels(x3, out, from, C::zero3, C::factor3);
            from += x3_T::size;
            join_channels(x4, out, from, C::zero4, C::factor4);
            from += x4_T::size;
            join_channels(x5, out, from, C::zero5, C::factor5);
            from += x5_T::size;
            join_channels(x6, out, from, C::zero6, C::factor6);
            y.write(out);
        }
    } else {
        for (unsigned o = 0; o < C::outer; o++) {
            join_packs(x0, y, C::block0 / x0_T::size, C::zero0, C::factor0);
            join_packs(x1, y, C::block1 / x1_T::size, C::zero1, C::factor1);
            join_packs(x2, y, C::block2 / x2_T::size, C::zero2, C::factor2);
            join_packs(x3, y, C::block3 / x3_T::size, C::zero3, C::factor3);
            join_packs(x4, y, C::block4 / x4_T::size, C::zero4, C::factor4);
            join_packs(x5, y, C::block5 / x5_T::size, C::zero5, C::factor5);
            join_packs(x6, y, C::block6 / x6_T::size, C::zero6, C::factor6);
        }
    }
}

template <class x0_T, class x1_T, class x2_T, class x3_T, class x4_T, class x5_T, class x6_T, class x7_T, class y_T,
          class C>
void concat8(x0_T x0[C::n_in0], x1_T x1[C::n_in1], x2_T x2[C::n_in2], x3_T x3[C::n_in3], x4_T x4[C::n_in4],
             x5_T x5[C::n_in5], x6_T x6[C::n_in6], x7_T x7[C::n_in7], y_T y[C::n_out]) {
    #pragma HLS PIPELINE II=1
    const unsigned total = C::n_out / C::outer;
    unsigned before = 0;
    join_part<C>(x0, y, C::block0, before, total, C::zero0, C::factor0);
    before += C::block0;
    join_part<C>(x1, y, C::block1, before, total, C::zero1, C::factor1);
    before += C::block1;
    join_part<C>(x2, y, C::block2, before, total, C::zero2, C::factor2);
    before += C::block2;
    join_part<C>(x3, y, C::block3, before, total, C::zero3, C::factor3);
    before += C::block3;
    join_part<C>(x4, y, C::block4, before, total, C::zero4, C::factor4);
    before += C::block4;
    join_part<C>(x5, y, C::block5, before, total, C::zero5, C::factor5);
    before += C::block5;
    join_part<C>(x6, y, C::block6, before, total, C::zero6, C::factor6);
    before += C::block6;
    join_part<C>(x7, y, C::block7, before, total, C::zero7, C::factor7);
}

template <class x0_T, class x1_T, class x2_T, class x3_T, class x4_T, class x5_T, class x6_T, class x7_T, class y_T,
          class C>
void concat8(hls::stream<x0_T> &x0, hls::stream<x1_T> &x1, hls::stream<x2_T> &x2, hls::stream<x3_T> &x3,
             hls::stream<x4_T> &x4, hls::stream<x5_T> &x5, hls::stream<x6_T> &x6, hls::stream<x7_T> &x7,
             hls::stream<y_T> &y) {
    if (C::by_channel) {
        for (unsigned p = 0; p < C::n_out / y_T::size; p++) {
            #pragma HLS PIPELINE II=1
            y_T out;
            unsigned from = 0;
            join_channels(x0, out, from, C::zero0, C::factor0);
            from += x0_T::size;
            join_channels(x1, out, from, C::zero1, C::factor1);
            from += x1_T::size;
            join_channels(x2, out, from, C::zero2, C::factor2);
            from += x2_T::size;
            join_channels(x3, out, from, C::zero3, C::factor3);
            from += x3_T::size;
            join_channels(x4, out, from, C::zero4, C::factor4);
            from += x4_T::size;
            join_channels(x5, out, from, C::zero5, C::factor5);
            from += x5_T::size;
            join_channels(x6, out, from, C::zero6, C::factor6);
            from += x6_T::size;
            join_channels(x7, out, from, C::zero7, C::factor7);
            y.write(out);
        }
    } else {
        for (unsigned o = 0; o < C::outer; o++) {
            join_packs(x0, y, C::block0 / x0_T::size, C::zero0, C::factor0);
            join_packs(x1, y, C::block1 / x1_T::size, C::zero1, C::factor1);
            join_packs(x2, y, C::block2 / x2_T::size, C::zero2, C::factor2);
            join_packs(x3, y, C::block3 / x3_T::size, C::zero3, C::factor3);
            join_packs(x4, y, C::block4 / x4_T::size, C::zero4, C::factor4);
            join_packs(x5, y, C::block5 / x5_T::size, C::zero5, C::factor5);
            join_packs(x6, y, C::block6 / x6_T::size, C::zero6, C::factor6);
            join_packs(x7, y, C::block7 / x7_T::size, C::zero7, C::factor7);
        }
    }
}

// One tensor and one constant: C::first says whether the constant comes first. Streams: as above.
template <class x_T, class y_T, class C, class k_T>
void concat_constant(x_T x[C::n_in0], y_T y[C::n_out], k_T constant[C::n_constant]) {
    #pragma HLS ARRAY_PARTITION variable=constant complete
    #pragma HLS PIPELINE II=1
    const unsigned total = C::n_out / C::outer;
    join_part<C>(x, y, C::block0, C::first ? unsigned(C::block1) : 0, total, C::zero0, C::factor0);
    join_part<C>(constant, y, C::block1, C::first ? 0 : unsigned(C::block0), total, 0, 1);
}

template <class C, class y_T, class k_T> void constant_packs(hls::stream<y_T> &y, k_T *constant, unsigned o) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < C::block1 / y_T::size; p++) {
        #pragma HLS PIPELINE II=1
        y_T out;
        for (unsigned c = 0; c < y_T::size; c++) {
            #pragma HLS UNROLL
            out[c] = stored<typename y_T::value_type>(value(constant[o * C::block1 + p * y_T::size + c]));
        }
        y.write(out);
    }
}

template <class x_T, class y_T, class C, class k_T>
void concat_constant(hls::stream<x_T> &x, hls::stream<y_T> &y, k_T constant[C::n_constant]) {
    const unsigned lanes = C::by_channel ? unsigned(C::block1) : unsigned(y_T::size);
    #pragma HLS ARRAY_PARTITION variable=constant cyclic factor=lanes
    if (C::by_channel) {
        for (unsigned o = 0; o < C::outer; o++) {
            #pragma HLS PIPELINE II=1
            y_T out;
            join_channels(x, out, C::first ? unsigned(C::block1) : 0, C::zero0, C::factor0);
            for (unsigned c = 0; c < C::block1; c++) {
                #pragma HLS UNROLL
                out[(C::first ? 0 : unsigned(C::block0)) + c] =
                    stored<typename y_T::value_type>(value(constant[o * C::block1 + c]));
            }
            y.write(out);
        }
    } else {
        for (unsigned o = 0; o < C::outer; o++) {
            if (C::first)
                constant_packs<C>(y, constant, o);
            join_packs(x, y, C::block0 / x_T::size, C::zero0, C::factor0);
            if (!C::first)
                constant_packs<C>(y, constant, o);
        }
    }
}

} // namespace gw
#endif
