// What is particular to the lean hls::stream and ap_shift_reg, as a shared library for the test.
#include "ap_fixed.h"
#include "ap_shift_reg.h"
#include "hls_stream.h"

// Operations: n >= 0 writes n, -1 reads (result: the value), -2 read_nb (the value, or -100), -3 the size, -4 empty + 2
// full.
extern "C" void play(const int *operations, int count, int *results) {
    hls::stream<int> s("played");
    for (int i = 0; i < count; ++i) {
        int value = 0;
        results[i] = 0;
        switch (operations[i]) {
        case -1: results[i] = s.read(); break;
        case -2: results[i] = s.read_nb(value) ? value : -100; break;
        case -3: results[i] = int(s.size()); break;
        case -4: results[i] = s.empty() + 2 * s.full(); break;
        default: i % 2 ? s.write(operations[i]) : s << operations[i];
        }
    }
}

// Shifts each value in; results: what came out at `address`, and the oldest afterwards.
extern "C" void shift(const int *in, int count, int address, int *out, int *oldest) {
    static ap_shift_reg<ap_int<16>, 5> reg;
    for (int i = 0; i < count; ++i) {
        out[i] = reg.shift(in[i], unsigned(address), in[i] != 0).to_int();
        oldest[i] = reg.read().to_int();
    }
}
