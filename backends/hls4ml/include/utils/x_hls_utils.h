// hls::numeric_limits of the fixed-point types: the largest and smallest value, and one unit in the last place.
#ifndef GATEWRIGHT_LEAN_X_HLS_UTILS_H
#define GATEWRIGHT_LEAN_X_HLS_UTILS_H

#include "../ap_fixed.h"

#include <limits>

namespace hls {

template <class T, class = void> struct numeric_limits {
    static T max() { return std::numeric_limits<T>::max(); }
    static T min() { return std::numeric_limits<T>::min(); }
    static T epsilon() { return std::numeric_limits<T>::epsilon(); }
};
template <class T> struct numeric_limits<T, std::void_t<typename T::lean_number>> {
    static constexpr T max() { return T(lean::exactly(), T::max); }
    static constexpr T min() { return T(lean::exactly(), T::min); }
    static constexpr T epsilon() { return T(lean::exactly(), 1); }
};

} // namespace hls

#endif
