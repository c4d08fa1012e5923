// The functions of the vendor's simulation model of hls_math.h: the C library's, in double, converted to the type of
// the argument.
#ifndef GATEWRIGHT_LEAN_HLS_MATH_H
#define GATEWRIGHT_LEAN_HLS_MATH_H

#include "ap_fixed.h"

#include <cmath>

namespace hls {

template <class T> T exp(T x) { return T(std::exp(x.to_double())); }
template <class T> T sin(T x) { return T(std::sin(x.to_double())); }
template <class T> T cos(T x) { return T(std::cos(x.to_double())); }
template <class T> T asin(T x) { return T(std::asin(x.to_double())); }
template <class T> T acos(T x) { return T(std::acos(x.to_double())); }
template <class T> T atan(T x) { return T(std::atan(x.to_double())); }
template <class T> T atan2(T y, T x) { return T(std::atan2(y.to_double(), x.to_double())); } // not in the vendor's

} // namespace hls

#endif
