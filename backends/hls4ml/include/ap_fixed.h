// Lean fixed-point types for C simulation: ap_fixed, ap_ufixed, ap_int, ap_uint.
//
// Put this folder first on the include path of an hls4ml project and its C simulation uses these headers in place of
// the vendor's ap_types. They are for simulation only: synthesis always sees the vendor's own.
//
// A value is one signed integer V of 64 bits (128 where the format needs it) that stands for V / 2^(W - I). Every
// operation gives the bits that the vendor's headers give; where those do something surprising, a comment marked
// "As the vendor's" says so. What is not offered (more than 128 bits, AP_WRAP_SM, concatenation with a comma, text
// constructors) does not compile, so nothing can differ in silence: build with the vendor's headers then.
//
// Needs C++17 and a compiler with __int128 (g++ 9 or newer, clang 9 or newer).
#ifndef GATEWRIGHT_LEAN_AP_FIXED_H
#define GATEWRIGHT_LEAN_AP_FIXED_H

#include "lean/number.h"
#include "lean/operators.h"
#include "lean/slice.h"

// Of the vendor's many indirect includes, those that cost nothing; hls4ml's nnet_helpers.h relies on assert.
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#endif
