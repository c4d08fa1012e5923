// Two networks on hls4ml's templates, to time: 16-64-32-32-5 dense in parallel, and a 3x3 convolution with pooling on a
// 24x24x3 stream. Prints inferences per second of CPU time and a checksum of the outputs, for each.
#include <cassert>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "nnet_activation.h"
#include "nnet_activation_stream.h"
#include "nnet_conv2d.h"
#include "nnet_conv2d_stream.h"
#include "nnet_dense.h"
#include "nnet_pooling.h"
#include "nnet_pooling_stream.h"
#include "nnet_types.h"

namespace nnet {
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = nullptr;
size_t trace_type_size = sizeof(double);
} // namespace nnet

typedef ap_fixed<16, 6, AP_RND_CONV, AP_SAT> input_t;
typedef ap_fixed<8, 1> weight_t;
typedef ap_fixed<28, 12> accum_t;
typedef ap_ufixed<12, 4, AP_RND_CONV, AP_SAT> relu_t;

template <unsigned In, unsigned Out> struct dense_of : nnet::dense_config {
    static const unsigned n_in = In, n_out = Out, multiplier_limit = In * Out;
    static const unsigned strategy = nnet::latency, reuse_factor = 1;
    typedef ::accum_t accum_t;
    typedef ::weight_t weight_t;
    typedef ::weight_t bias_t;
    template <class D, class R, class C> using kernel = nnet::DenseLatency<D, R, C>;
    template <class X, class Y> using product = nnet::product::mult<X, Y>;
};
template <unsigned N> struct relu_of : nnet::activ_config {
    static const unsigned n_in = N;
};
struct conv_config : nnet::conv2d_config {
    static const unsigned in_height = 24, in_width = 24, n_chan = 3, filt_height = 3, filt_width = 3, kernel_size = 9;
    static const unsigned n_filt = 8, out_height = 22, out_width = 22, strategy = nnet::latency, reuse_factor = 1;
    static const nnet::conv_implementation implementation = nnet::conv_implementation::linebuffer;
    typedef ::accum_t accum_t;
    typedef ::weight_t weight_t;
    typedef ::weight_t bias_t;
    typedef dense_of<27, 8> mult_config;
};
struct pool_config : nnet::pooling2d_config {
    static const unsigned in_height = 22, in_width = 22, n_filt = 8, stride_height = 2, stride_width = 2;
    static const unsigned pool_height = 2, pool_width = 2, filt_height = 2, filt_width = 2, n_chan = 8;
    static const unsigned out_height = 11, out_width = 11;
    static const unsigned pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0, reuse_factor = 1;
    static const bool count_pad = false;
    static const nnet::Pool_Op pool_op = nnet::Max;
    static const nnet::conv_implementation implementation = nnet::conv_implementation::linebuffer;
    typedef ::accum_t accum_t;
};

static uint64_t state = 88172645463325252ull;
template <class T> void fill(T *x, int n, double scale) {
    for (int i = 0; i < n; ++i) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        x[i] = T((double(state >> 11) / double(1ull << 52) - 1) * scale);
    }
}

static weight_t w1[16 * 64], w2[64 * 32], w3[32 * 32], w4[32 * 5], wc[27 * 8], b[64];

static double dense_network() {
    input_t x[16];
    accum_t a[64], y[5];
    relu_t r[64];
    fill(x, 16, 4);
    nnet::dense<input_t, accum_t, dense_of<16, 64>>(x, a, w1, b), nnet::relu<accum_t, relu_t, relu_of<64>>(a, r);
    nnet::dense<relu_t, accum_t, dense_of<64, 32>>(r, a, w2, b), nnet::relu<accum_t, relu_t, relu_of<32>>(a, r);
    nnet::dense<relu_t, accum_t, dense_of<32, 32>>(r, a, w3, b), nnet::relu<accum_t, relu_t, relu_of<32>>(a, r);
    nnet::dense<relu_t, accum_t, dense_of<32, 5>>(r, y, w4, b);
    double sum = 0;
    for (int i = 0; i < 5; ++i)
        sum += (i + 1) * double(y[i]);
    return sum;
}
static double convolution() {
    typedef nnet::array<input_t, 3> pixel;
    typedef nnet::array<accum_t, 8> wide;
    typedef nnet::array<relu_t, 8> narrow;
    hls::stream<pixel> in("in");
    hls::stream<wide> convolved("convolved");
    hls::stream<narrow> rectified("rectified"), out("out");
    for (int i = 0; i < 24 * 24; ++i) {
        pixel p;
        fill(p.data, 3, 4);
        in.write(p);
    }
    nnet::conv_2d_cl<pixel, wide, conv_config>(in, convolved, wc, b);
    nnet::relu<wide, narrow, relu_of<22 * 22 * 8>>(convolved, rectified);
    nnet::pooling2d_cl<narrow, narrow, pool_config>(rectified, out);
    double sum = 0;
    for (int i = 1; !out.empty(); ++i) {
        narrow p = out.read();
        for (int c = 0; c < 8; ++c)
            sum += (i + c) * double(p[c]);
    }
    return sum;
}
template <class F> void time_of(const char *name, F network, int checked) {
    double sum = 0;
    state = 88172645463325252ull;
    for (int i = 0; i < checked; ++i) // as many frames whatever the speed, so that checksums compare
        sum += (i + 1) * network();
    long frames = 0;
    const clock_t start = clock();
    do {
        network();
        ++frames;
    } while (clock() - start < CLOCKS_PER_SEC / 2);
    printf("%s %.1f %.17g\n", name, frames / (double(clock() - start) / CLOCKS_PER_SEC), sum);
}

int main() {
    fill(w1, 16 * 64, 0.9), fill(w2, 64 * 32, 0.5), fill(w3, 32 * 32, 0.5), fill(w4, 32 * 5, 0.9);
    fill(wc, 27 * 8, 0.9), fill(b, 64, 0.9);
    time_of("dense", dense_network, 200);
    time_of("convolution", convolution, 3);
}
