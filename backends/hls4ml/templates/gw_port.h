// Gatewright: the integers that fixed-point numbers store, for test benches and simulation (not for synthesis).
#ifndef GATEWRIGHT_PORT_H_
#define GATEWRIGHT_PORT_H_

#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"

namespace gw {

template <class T> struct port;

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct port<ap_fixed<W, I, Q, O, N> > {
    static const int width = W;
    typedef ap_int<W> integer;
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct port<ap_ufixed<W, I, Q, O, N> > {
    static const int width = W;
    typedef ap_uint<W> integer;
};

template <class T> T from_integer(long long number) {
    const int high = port<T>::width - 1;
    typename port<T>::integer v = number;
    T x = 0;
    x.range(high, 0) = v.range(high, 0);
    return x;
}

template <class T> long long to_integer(const T &x) {
    const int high = port<T>::width - 1;
    typename port<T>::integer v = 0;
    v.range(high, 0) = x.range(high, 0);
    return v.to_int64();
}

// Arrays.
template <class T> void load(const long long *from, T *to, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        to[i] = from_integer<T>(from[i]);
}

template <class T> void store(const T *from, long long *to, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        to[i] = to_integer(from[i]);
}

// Streams of packs. Storing empties the stream; with keep it is filled again.
template <class P> void load(const long long *from, hls::stream<P> &to, unsigned size) {
    for (unsigned i = 0; i < size; i += P::size) {
        P pack;
        for (unsigned j = 0; j < P::size; j++)
            pack[j] = from_integer<typename P::value_type>(from[i + j]);
        to.write(pack);
    }
}

template <class P> void store(hls::stream<P> &from, long long *to, unsigned size, bool keep = false) {
    for (unsigned i = 0; i < size; i += P::size) {
        P pack = from.read();
        for (unsigned j = 0; j < P::size; j++)
            to[i + j] = to_integer(pack[j]);
        if (keep)
            from.write(pack);
    }
}

} // namespace gw

#endif
