// hls4ml's own layer templates, run on drawn values: the same lines must come out whichever ap_types are used.
// Compiled with nnet_utils of the Vivado or of the Vitis back end (-DVITIS) on the include path.
#include <cassert>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "nnet_activation.h"
#include "nnet_activation_stream.h"
#include "nnet_batchnorm.h"
#include "nnet_conv2d.h"
#include "nnet_conv2d_stream.h"
#include "nnet_dense.h"
#include "nnet_dense_stream.h"
#include "nnet_math.h"
#include "nnet_merge.h"
#include "nnet_merge_stream.h"
#include "nnet_padding.h"
#include "nnet_padding_stream.h"
#include "nnet_pooling.h"
#include "nnet_pooling_stream.h"
#include "nnet_types.h"

namespace nnet {
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = nullptr;
size_t trace_type_size = sizeof(double);
} // namespace nnet

static uint64_t state = 88172645463325252ull;
static double draw(double scale) { // in [-scale, scale)
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double(state >> 11) / double(1ull << 52) - 1) * scale;
}
template <class T> void fill(T *x, int n, double scale) {
    for (int i = 0; i < n; ++i)
        x[i] = T(draw(scale));
}
template <class T> void show(const char *name, const T *x, int n) {
    printf("%s", name);
    for (int i = 0; i < n; ++i)
        printf(" %.17g", double(x[i]));
    printf("\n");
}
template <class P> void feed(hls::stream<P> &s, const typename P::value_type *x, int n) {
    for (int i = 0; i < n; i += P::size) {
        P pack;
        for (unsigned j = 0; j < P::size; ++j)
            pack[j] = x[i + j];
        s.write(pack);
    }
}
template <class P> void show(const char *name, hls::stream<P> &s) {
    printf("%s", name);
    while (!s.empty()) {
        P pack = s.read();
        for (unsigned j = 0; j < P::size; ++j)
            printf(" %.17g", double(pack[j]));
    }
    printf("\n");
}

typedef ap_fixed<10, 4, AP_RND_CONV, AP_SAT> input_t;
typedef ap_fixed<6, 1> weight_t;
typedef ap_fixed<8, 2, AP_RND> bias_t;
typedef ap_fixed<20, 8> accum_t;
typedef ap_fixed<9, 5, AP_RND, AP_SAT_SYM> result_t;
typedef ap_ufixed<7, 3, AP_RND_CONV, AP_SAT> relu_t;

struct dense_latency_config : nnet::dense_config {
    static const unsigned n_in = 12, n_out = 6, multiplier_limit = 72;
    static const unsigned strategy = nnet::latency, reuse_factor = 1, n_zeros = 0;
    typedef ::accum_t accum_t;
    typedef ::bias_t bias_t;
    typedef ::weight_t weight_t;
    template <class D, class R, class C> using kernel = nnet::DenseLatency<D, R, C>;
    template <class X, class Y> using product = nnet::product::mult<X, Y>;
};
struct dense_resource_config : dense_latency_config {
    static const unsigned strategy = nnet::resource, reuse_factor = 4, multiplier_limit = 18;
    template <class D, class R, class C> using kernel = nnet::DenseResource_rf_leq_nin<D, R, C>;
};
struct dense_binary_config : dense_latency_config {
    typedef ap_uint<1> weight_t;
    template <class X, class Y> using product = nnet::product::weight_binary<X, Y>;
};
struct dense_ternary_config : dense_latency_config {
    typedef ap_int<2> weight_t;
    template <class X, class Y> using product = nnet::product::weight_ternary<X, Y>;
};
template <class C> void dense(const char *name, double scale) {
    input_t x[C::n_in];
    result_t y[C::n_out];
    typename C::weight_t w[C::n_in * C::n_out];
    bias_t b[C::n_out];
    fill(x, C::n_in, 9);
    fill(w, C::n_in * C::n_out, scale);
    fill(b, C::n_out, 1);
    nnet::dense<input_t, result_t, C>(x, y, w, b);
    show(name, y, C::n_out);
    typedef nnet::array<input_t, 4> in_pack;
    typedef nnet::array<result_t, C::n_out> out_pack;
    hls::stream<in_pack> in("in");
    hls::stream<out_pack> out("out");
    feed(in, x, C::n_in);
    nnet::dense<in_pack, out_pack, C>(in, out, w, b);
    show(name, out);
}

template <class data_T, class C> struct im2col { // what hls4ml generates as fill_buffer
    static void fill_buffer(data_T *data, data_T buffer[C::n_pixels][C::kernel_size * C::n_chan], const unsigned part) {
        for (unsigned p = 0; p < C::n_pixels; ++p)
            for (unsigned k = 0; k < C::kernel_size * C::n_chan; ++k) {
                const unsigned pixel = part * C::n_pixels + p, c = k % C::n_chan, kw = k / C::n_chan % C::filt_width;
                const unsigned h = pixel / C::out_width + k / C::n_chan / C::filt_width, w = pixel % C::out_width + kw;
                buffer[p][k] = data[(h * C::in_width + w) * C::n_chan + c];
            }
    }
};
struct conv_mult_config : dense_latency_config {
    static const unsigned n_in = 18, n_out = 3, multiplier_limit = 54;
};
struct conv_mult_resource_config : dense_resource_config {
    static const unsigned n_in = 18, n_out = 3, reuse_factor = 3, multiplier_limit = 18;
    template <class D, class R, class C> using kernel = nnet::DenseResource_rf_leq_nin<D, R, C>;
};
struct conv_config : nnet::conv2d_config {
    static const unsigned in_height = 5, in_width = 6, n_chan = 2, filt_height = 3, filt_width = 3, kernel_size = 9;
    static const unsigned n_filt = 3, out_height = 3, out_width = 4, multiplier_limit = 54;
    static const unsigned strategy = nnet::latency, reuse_factor = 1;
    static const unsigned n_partitions = 12, n_pixels = 1, min_height = 5, min_width = 6;
    static const nnet::conv_implementation implementation = nnet::conv_implementation::linebuffer;
    static const ap_uint<9> pixels[30]; // of the encoded streams, which are not run here
    template <class D, class C> using fill_buffer = im2col<D, C>;
    typedef ::accum_t accum_t;
    typedef ::bias_t bias_t;
    typedef ::weight_t weight_t;
    typedef conv_mult_config mult_config;
    template <unsigned K, unsigned S, unsigned W> using scale_index_height = nnet::scale_index_unscaled<K, S, W>;
    template <unsigned K, unsigned S, unsigned W> using scale_index_width = nnet::scale_index_unscaled<K, S, W>;
};
const ap_uint<9> conv_config::pixels[30] = {0};
struct conv_resource_config : conv_config {
    static const unsigned strategy = nnet::resource, reuse_factor = 3;
    typedef conv_mult_resource_config mult_config;
};
template <class C> void conv(const char *name) {
    constexpr int n_in = C::in_height * C::in_width * C::n_chan, n_out = C::out_height * C::out_width * C::n_filt;
    input_t x[n_in];
    relu_t y[n_out];
    weight_t w[C::kernel_size * C::n_chan * C::n_filt];
    bias_t b[C::n_filt];
    typedef nnet::array<input_t, C::n_chan> in_pack;
    typedef nnet::array<relu_t, C::n_filt> out_pack;
    fill(w, C::kernel_size * C::n_chan * C::n_filt, 0.5);
    fill(b, C::n_filt, 1);
    for (int frame = 0; frame < 2; ++frame) { // the line buffers keep their state
        fill(x, n_in, 6);
        nnet::conv_2d_cl<input_t, relu_t, C>(x, y, w, b);
        show(name, y, n_out);
        hls::stream<in_pack> in("in");
        hls::stream<out_pack> out("out");
        feed(in, x, n_in);
        nnet::conv_2d_cl<in_pack, out_pack, C>(in, out, w, b);
        show(name, out);
    }
}

template <nnet::Pool_Op Op> struct pool_config : nnet::pooling2d_config {
    static const unsigned in_height = 4, in_width = 6, n_filt = 2, stride_height = 2, stride_width = 2, pool_height = 2;
    static const unsigned pool_width = 2, filt_height = 2, filt_width = 2, n_chan = 2, out_height = 2, out_width = 3;
    static const unsigned pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0, reuse_factor = 1;
    static const bool count_pad = false;
    static const nnet::Pool_Op pool_op = Op;
    static const nnet::conv_implementation implementation = nnet::conv_implementation::linebuffer;
    typedef ap_fixed<14, 6> accum_t;
};
template <nnet::Pool_Op Op> struct pool_same_config : pool_config<Op> {
    static const unsigned in_height = 3, in_width = 5, pad_bottom = 1, pad_right = 1;
};
template <nnet::Pool_Op Op> void pool(const char *name) {
    typedef pool_config<Op> C;
    typedef nnet::array<input_t, 2> in_pack;
    typedef nnet::array<result_t, 2> out_pack;
    input_t x[48];
    result_t y[12];
    fill(x, 48, 9);
    nnet::pooling2d_cl<input_t, result_t, C>(x, y);
    show(name, y, 12);
    nnet::pooling2d_cl<input_t, result_t, pool_same_config<Op>>(x, y);
    show(name, y, 12);
    nnet::global_pooling2d_cl<input_t, result_t, C>(x, y);
    show(name, y, 2);
    hls::stream<in_pack> in("in");
    hls::stream<out_pack> out("out");
    feed(in, x, 48);
    nnet::pooling2d_cl<in_pack, out_pack, C>(in, out);
    show(name, out);
    feed(in, x, 48);
    nnet::global_pooling2d_cl<in_pack, out_pack, C>(in, out);
    show(name, out);
}

struct activation_config : nnet::activ_config {
    static const unsigned n_in = 24, table_size = 1024, io_type = nnet::io_parallel, reuse_factor = 1;
    typedef ap_fixed<18, 8> table_t;
    typedef ap_fixed<6, 2> param_t;
    static const ap_ufixed<3, 0> slope;
    static const ap_ufixed<2, 0> shift;
};
const ap_ufixed<3, 0> activation_config::slope = 0.25;
const ap_ufixed<2, 0> activation_config::shift = 0.5;
template <nnet::softmax_implementation Implementation> struct softmax_config : activation_config {
    static const unsigned n_slice = 24, n_outer = 1, n_inner = 1, parallelization_factor = 1, axis = -1;
    static const unsigned exp_table_size = 1024, inv_table_size = 1024;
    static const nnet::softmax_implementation implementation = Implementation;
    static constexpr float exp_scale = 1;
    typedef ap_fixed<18, 8, AP_RND, AP_SAT> exp_table_t, inv_table_t;
    typedef ap_fixed<18, 8> accum_t, inv_inp_t;
    typedef ap_fixed<10, 5, AP_RND, AP_SAT> inp_norm_t;
};
void activations() {
    typedef activation_config C;
    typedef nnet::array<input_t, 24> in_pack;
    typedef nnet::array<result_t, 24> out_pack;
    input_t x[24];
    result_t y[24];
    relu_t r[24];
    ap_fixed<18, 8> p[24];
    fill(x, 24, 8.5);
#define RUN(f) nnet::f<input_t, result_t, C>(x, y), show(#f, y, 24)
    nnet::relu<input_t, relu_t, C>(x, r), show("relu", r, 24);
    RUN(relu6);
    RUN(linear);
    RUN(sigmoid);
    RUN(tanh);
    RUN(hard_sigmoid);
    RUN(hard_tanh);
    RUN(softplus);
    RUN(softsign);
    RUN(selu);
    RUN(binary_tanh);
    RUN(ternary_tanh);
    nnet::leaky_relu<input_t, C::param_t, result_t, C>(x, 0.3, y), show("leaky_relu", y, 24);
    nnet::thresholded_relu<input_t, C::param_t, result_t, C>(x, 1.3, y), show("thresholded_relu", y, 24);
    nnet::elu<input_t, C::param_t, result_t, C>(x, 1.0, y), show("elu", y, 24);
    typedef ap_fixed<18, 8> p_t;
#define SOFTMAX(kind) nnet::softmax<input_t, p_t, softmax_config<nnet::softmax_implementation::kind>>(x, p)
    SOFTMAX(stable), show("softmax stable", p, 24);
    SOFTMAX(latency), show("softmax latency", p, 24);
    SOFTMAX(argmax), show("softmax argmax", p, 24);
    hls::stream<in_pack> in("in");
    hls::stream<out_pack> out("out");
    feed(in, x, 24), nnet::relu<in_pack, out_pack, C>(in, out), show("relu stream", out);
    feed(in, x, 24), nnet::sigmoid<in_pack, out_pack, C>(in, out), show("sigmoid stream", out);
    feed(in, x, 24);
    nnet::softmax<in_pack, out_pack, softmax_config<nnet::softmax_implementation::stable>>(in, out);
    show("softmax stream", out);
}

struct merge_config : nnet::merge_config {
    static const unsigned n_elem = 16, n_elem1 = 16, n_elem2 = 16, reuse_factor = 1;
};
struct concat_config : nnet::concat_config {
    static const unsigned n_elem1_0 = 16, n_elem1_1 = 1, n_elem1_2 = 1, n_elem2_0 = 16, n_elem2_1 = 1, n_elem2_2 = 1;
    static const int axis = 1;
};
struct dot_config : nnet::dot_config {
    static const unsigned n_in = 16, n_out = 1, reuse_factor = 1, multiplier_limit = 16;
    typedef ::accum_t accum_t;
    template <class X, class Y> using product = nnet::product::mult<X, Y>;
};
void merges() {
    typedef ap_ufixed<8, 3> other_t;
    typedef nnet::array<input_t, 4> in_pack;
    typedef nnet::array<other_t, 4> other_pack;
    typedef nnet::array<result_t, 4> out_pack;
    input_t a[16];
    other_t b[16];
    result_t y[32];
    fill(a, 16, 9);
    fill(b, 16, 8);
#define MERGE(f) nnet::f<input_t, other_t, result_t, merge_config>(a, b, y), show(#f, y, 16)
    MERGE(add);
    MERGE(subtract);
    MERGE(multiply);
    MERGE(average);
    MERGE(maximum);
    MERGE(minimum);
    nnet::concatenate1d<input_t, other_t, result_t, concat_config>(a, b, y), show("concatenate", y, 32);
    nnet::dot1d<input_t, other_t, result_t, dot_config>(a, b, y), show("dot", y, 1);
    hls::stream<in_pack> left("left");
    hls::stream<other_pack> right("right");
    hls::stream<out_pack> out("out");
    feed(left, a, 16), feed(right, b, 16);
    nnet::add<in_pack, other_pack, out_pack, merge_config>(left, right, out), show("add stream", out);
}

struct pad_config : nnet::padding2d_config {
    static const unsigned n_chan = 2, in_height = 2, in_width = 3, out_height = 5, out_width = 5;
    static const unsigned pad_top = 1, pad_bottom = 2, pad_left = 0, pad_right = 2;
};
struct norm_config : nnet::batchnorm_config {
    static const unsigned n_in = 12, n_filt = 2, n_scale_bias = 2, reuse_factor = 1, multiplier_limit = 12;
    typedef ::weight_t scale_t;
    typedef ::bias_t bias_t;
    template <class X, class Y> using product = nnet::product::mult<X, Y>;
};
void rest() {
    typedef nnet::array<input_t, 2> in_pack;
    typedef nnet::array<result_t, 2> out_pack;
    input_t x[12];
    result_t y[50];
    weight_t scale[2];
    bias_t bias[2];
    fill(x, 12, 9), fill(scale, 2, 0.5), fill(bias, 2, 1);
    nnet::zeropad2d_cl<input_t, result_t, pad_config>(x, y), show("zeropad", y, 50);
    hls::stream<in_pack> in("in");
    hls::stream<out_pack> out("out");
    feed(in, x, 12), nnet::zeropad2d_cl<in_pack, out_pack, pad_config>(in, out), show("zeropad stream", out);
    nnet::normalize<input_t, result_t, norm_config>(x, y, scale, bias), show("normalize", y, 12);
    typedef ap_fixed<14, 2> angle_t;
    for (int i = 0; i < 12; ++i) {
        const angle_t angle = angle_t(draw(1.5));
        printf("trig %.17g %.17g %.17g %.17g\n", double(nnet::sin(angle)), double(nnet::cos(angle)),
               double(nnet::sin_lut(angle)), double(nnet::cos_lut(angle)));
    }
}

int main() {
    dense<dense_latency_config>("dense latency", 0.5);
    dense<dense_resource_config>("dense resource", 0.5);
    dense<dense_binary_config>("dense binary", 2);
    dense<dense_ternary_config>("dense ternary", 1.99);
    conv<conv_config>("conv latency");
    conv<conv_resource_config>("conv resource");
    pool<nnet::Max>("max pool");
    pool<nnet::Average>("average pool");
    activations();
    merges();
    rest();
}
