// Gatewright's recurrence, common part. The body of a scan is a header of its own, written for the network: a structure
// gw::body_<digest> with one function step that calls the kernels of the body's operations on arrays, and the function
// gw::scan_<digest> that runs it once for each step, states in registers.
//
// The loop over the steps is not unrolled: a step starts when the one before has given its states. Latency: the number
// of steps times the depth of the body. Streams: a step's operands are read when it starts and its emission leaves when
// it ends; a scan that runs backwards reads everything first and writes everything last.
#ifndef GATEWRIGHT_SCAN_H_
#define GATEWRIGHT_SCAN_H_

#include "gw_choose.h"
#include "gw_common.h"
#include "gw_concat.h"
#include "gw_linear.h"
#include "gw_places.h"
#include "gw_pointwise.h"
#include "gw_pool.h"
#include "gw_rescale.h"
#include "gw_shape.h"
#include "gw_softmax.h"

namespace gw {

// Copy N numbers of equal formats: wires.
template <unsigned N, class x_T, class y_T> void copy_all(const x_T *x, y_T *y) {
    #pragma HLS INLINE
    for (unsigned i = 0; i < N; i++) {
        #pragma HLS UNROLL
        y[i] = stored<y_T>(value(x[i]));
    }
}

// Write N numbers as packs; II = 1.
template <unsigned N, class pack_T, class T> void write_tensor(const T x[N], hls::stream<pack_T> &stream) {
    for (unsigned p = 0; p < N / pack_T::size; p++) {
        #pragma HLS PIPELINE II=1
        pack_T out;
        for (unsigned c = 0; c < pack_T::size; c++) {
            #pragma HLS UNROLL
            out[c] = stored<typename pack_T::value_type>(value(x[p * pack_T::size + c]));
        }
        stream.write(out);
    }
}

} // namespace gw

#endif
