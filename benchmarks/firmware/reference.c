/* The int8 kernels of TensorFlow Lite in the form of its reference kernels: one kernel for every shape, the innermost
 * loop over one product, every index computed from shapes, what lies outside of the operand found out tap by tap, the
 * zero point added to every element, a change of scale by a 64-bit product and two roundings. The arithmetic is that of
 * the published quantization specification and of gemmlowp's fixed point. */
#include <stdint.h>

#define KERNEL static __attribute__((noinline)) void

typedef struct {
    int32_t height, width, channels;
} shape;

typedef struct {
    shape in, out;
    int32_t kernel_height, kernel_width, stride_height, stride_width, dilation_height, dilation_width;
    int32_t top, left, per_group, filters_per_group;
    int32_t in_zero, out_zero, low, high;
    const int8_t *weights;
    const int32_t *bias, *multiplier, *shift;
} conv_parameters;

typedef struct {
    int32_t depth, filters, in_zero, out_zero, low, high;
    int64_t multiplier;
    int32_t shift;
    const int8_t *weights;
    const int32_t *bias;
} dense_parameters;

typedef struct {
    int32_t size, left, zero[2], multiplier[3], shift[3], out_zero, low, high;
} add_parameters;

typedef struct {
    shape in, out;
    int32_t window_height, window_width, stride_height, stride_width, low, high;
} average_parameters;

typedef struct {
    int32_t size, entries;
    const int32_t *exponentials;
} softmax_parameters;

static inline int32_t at(shape s, int32_t y, int32_t x, int32_t c) { return (y * s.width + x) * s.channels + c; }

static inline int32_t clamped(int32_t v, int32_t low, int32_t high)
{
    v = v < low ? low : v;
    return v > high ? high : v;
}

static inline int32_t multiply_high(int32_t a, int32_t b)
{
    int64_t product = (int64_t)a * b;
    int32_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
    return a == b && a == INT32_MIN ? INT32_MAX : (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

static inline int32_t divided(int32_t v, int32_t bits)
{
    int32_t mask = (int32_t)(((int64_t)1 << bits) - 1), rest = v & mask, half = (mask >> 1) + (v < 0);
    return (v >> bits) + (rest > half);
}

static inline int32_t scaled(int32_t v, int32_t multiplier, int32_t shift)
{
    int32_t left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
    return divided(multiply_high((int32_t)((uint32_t)v << left), multiplier), right);
}

KERNEL conv(const conv_parameters *p, const int8_t *in, int8_t *out)
{
    for (int32_t y = 0; y < p->out.height; y++) {
        const int32_t y0 = y * p->stride_height - p->top;
        for (int32_t x = 0; x < p->out.width; x++) {
            const int32_t x0 = x * p->stride_width - p->left;
            for (int32_t f = 0; f < p->out.channels; f++) {
                const int32_t group = f / p->filters_per_group;
                int32_t sum = 0;
                for (int32_t i = 0; i < p->kernel_height; i++) {
                    const int32_t in_y = y0 + p->dilation_height * i;
                    for (int32_t j = 0; j < p->kernel_width; j++) {
                        const int32_t in_x = x0 + p->dilation_width * j;
                        const int inside = in_x >= 0 && in_x < p->in.width && in_y >= 0 && in_y < p->in.height;
                        if (!inside) continue;
                        for (int32_t c = 0; c < p->per_group; c++) {
                            const int32_t value = in[at(p->in, in_y, in_x, c + group * p->per_group)];
                            const int32_t tap = (f * p->kernel_height + i) * p->kernel_width + j;
                            sum += p->weights[tap * p->per_group + c] * (value - p->in_zero);
                        }
                    }
                }
                sum = scaled(sum + p->bias[f], p->multiplier[f], p->shift[f]) + p->out_zero;
                out[at(p->out, y, x, f)] = (int8_t)clamped(sum, p->low, p->high);
            }
        }
    }
}

KERNEL depthwise(const conv_parameters *p, const int8_t *in, int8_t *out)
{
    for (int32_t y = 0; y < p->out.height; y++) {
        for (int32_t x = 0; x < p->out.width; x++) {
            for (int32_t c = 0; c < p->in.channels; c++) {
                for (int32_t m = 0; m < p->filters_per_group; m++) {
                    const int32_t f = m + c * p->filters_per_group;
                    const int32_t y0 = y * p->stride_height - p->top, x0 = x * p->stride_width - p->left;
                    int32_t sum = 0;
                    for (int32_t i = 0; i < p->kernel_height; i++) {
                        for (int32_t j = 0; j < p->kernel_width; j++) {
                            const int32_t in_x = x0 + p->dilation_width * j, in_y = y0 + p->dilation_height * i;
                            const int inside = in_x >= 0 && in_x < p->in.width && in_y >= 0 && in_y < p->in.height;
                            if (inside) {
                                const int32_t value = in[at(p->in, in_y, in_x, c)];
                                const int32_t weight = p->weights[(i * p->kernel_width + j) * p->out.channels + f];
                                sum += weight * (value - p->in_zero);
                            }
                        }
                    }
                    sum = scaled(sum + p->bias[f], p->multiplier[f], p->shift[f]) + p->out_zero;
                    out[at(p->out, y, x, f)] = (int8_t)clamped(sum, p->low, p->high);
                }
            }
        }
    }
}

/* The change of scale after a dense layer is a float64 product rounded once: an integer that gives the same. */
KERNEL dense(const dense_parameters *p, const int8_t *in, int8_t *out)
{
    for (int32_t f = 0; f < p->filters; f++) {
        int32_t sum = 0;
        for (int32_t k = 0; k < p->depth; k++) sum += p->weights[f * p->depth + k] * (in[k] - p->in_zero);
        sum += p->bias[f];
        const int64_t half = ((int64_t)1 << (p->shift - 1)) - (sum < 0);
        sum = (int32_t)((sum * p->multiplier + half) >> p->shift) + p->out_zero;
        out[f] = (int8_t)clamped(sum, p->low, p->high);
    }
}

KERNEL add(const add_parameters *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    for (int32_t i = 0; i < p->size; i++) {
        const int32_t first = scaled((a[i] - p->zero[0]) * (1 << p->left), p->multiplier[0], p->shift[0]);
        const int32_t second = scaled((b[i] - p->zero[1]) * (1 << p->left), p->multiplier[1], p->shift[1]);
        const int32_t sum = scaled(first + second, p->multiplier[2], p->shift[2]) + p->out_zero;
        out[i] = (int8_t)clamped(sum, p->low, p->high);
    }
}

KERNEL average(const average_parameters *p, const int8_t *in, int8_t *out)
{
    for (int32_t y = 0; y < p->out.height; y++) {
        for (int32_t x = 0; x < p->out.width; x++) {
            for (int32_t c = 0; c < p->out.channels; c++) {
                const int32_t y0 = y * p->stride_height, x0 = x * p->stride_width;
                int32_t sum = 0, count = 0;
                for (int32_t i = 0; i < p->window_height && y0 + i < p->in.height; i++) {
                    for (int32_t j = 0; j < p->window_width && x0 + j < p->in.width; j++) {
                        sum += in[at(p->in, y0 + i, x0 + j, c)];
                        count++;
                    }
                }
                sum = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
                out[at(p->out, y, x, c)] = (int8_t)clamped(sum, p->low, p->high);
            }
        }
    }
}

static int32_t leading_zeros(uint32_t v)
{
    int32_t n = 0;
    for (; n < 32 && v < (uint32_t)1 << 31; n++) v <<= 1;
    return n;
}

static int32_t saturated_left(int32_t v, int32_t bits)
{
    const int64_t wide = (int64_t)v * ((int64_t)1 << bits);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* exp(x - max) is read from a table; the sum's reciprocal is found by three steps of Newton's. */
KERNEL softmax(const softmax_parameters *p, const int8_t *in, int8_t *out)
{
    const int32_t *entries = p->exponentials + p->entries - 1;
    int32_t most = in[0], sum = 0, zeros, half, x;
    for (int32_t i = 1; i < p->size; i++) most = in[i] > most ? in[i] : most;
    for (int32_t i = 0; i < p->size; i++) sum += divided(entries[in[i] - most], 12);
    zeros = leading_zeros((uint32_t)sum);
    half = (int32_t)((((int64_t)(((uint32_t)sum << zeros) - ((uint32_t)1 << 31)) + INT32_MAX + 1) >> 1));
    x = 1515870810 + multiply_high(half, -1010580540);
    for (int32_t step = 0; step < 3; step++) {
        x += saturated_left(multiply_high(x, (1 << 29) - multiply_high(half, x)), 2);
    }
    x = saturated_left(x, 1);
    for (int32_t i = 0; i < p->size; i++) {
        const int32_t share = divided(multiply_high(x, entries[in[i] - most]), 12 - zeros + 31 - 8) - 128;
        out[i] = (int8_t)clamped(share, -128, 127);
    }
}
