// hls::stream for C simulation: an unbounded queue, kept as a ring that grows.
//
// Reading an empty stream: the vendor's model prints a warning, returns a value of T() and carries on, and so does this
// one, so that results stay equal. In hardware the design would hang, so each such read is counted, and so is each
// stream that is destroyed with data left in it. The counters are per shared library:
//
//     extern "C" unsigned long lean_stream_empty_reads();   reads of an empty stream so far
//     extern "C" unsigned long lean_stream_leftovers();     streams destroyed with data in them so far
//
// whoever runs the simulation calls them through the library after a frame; a change means that the frame is not to be
// trusted. (An exception would do, but could not pass the C interface.) Warnings go to standard error, the first few
// only.
#ifndef GATEWRIGHT_LEAN_HLS_STREAM_H
#define GATEWRIGHT_LEAN_HLS_STREAM_H

#include <cstddef>
#include <cstdio>
#include <sstream> // hls4ml's nnet_helpers.h relies on it
#include <string>

namespace lean {

struct stream_faults {
    unsigned long empty_reads = 0, leftovers = 0;
};
// Hidden, so that two libraries loaded into one process do not share it.
__attribute__((visibility("hidden"))) inline stream_faults faults;

inline void stream_warning(unsigned long count, const char *name, const char *what) {
    if (count <= 8) std::fprintf(stderr, "WARNING: hls::stream '%s' %s; in hardware this may hang.\n", name, what);
    if (count == 8) std::fprintf(stderr, "WARNING: further warnings of this kind are not shown.\n");
}

} // namespace lean

extern "C" {
__attribute__((used, visibility("default"))) inline unsigned long lean_stream_empty_reads() {
    return lean::faults.empty_reads;
}
__attribute__((used, visibility("default"))) inline unsigned long lean_stream_leftovers() {
    return lean::faults.leftovers;
}
}

namespace hls {

template <class T> class stream {
  public:
    typedef T value_type;

    stream() : label("unnamed") {}
    explicit stream(const char *name) : label(name) {}
    explicit stream(const std::string &name) : label(name) {}
    stream(const stream &) = delete;
    stream &operator=(const stream &) = delete;
    ~stream() {
        if (count != 0) lean::stream_warning(++lean::faults.leftovers, label.c_str(), "is destroyed with data in it");
        delete[] ring;
    }

    bool empty() const { return count == 0; }
    bool full() const { return false; }
    std::size_t size() const { return count; }

    void write(const T &value) {
        if (count == capacity) grow();
        ring[(first + count++) & (capacity - 1)] = value;
    }
    T read() {
        if (count == 0) {
            lean::stream_warning(++lean::faults.empty_reads, label.c_str(), "is read while empty");
            return T();
        }
        const std::size_t at = first;
        first = (first + 1) & (capacity - 1);
        --count;
        return ring[at];
    }
    void read(T &value) { value = read(); }
    // Whether there was an element; without one the value becomes T().
    bool read_nb(T &value) {
        const bool any = count != 0;
        value = any ? read() : T();
        return any;
    }
    bool write_nb(const T &value) {
        write(value);
        return true;
    }
    void operator>>(T &value) { value = read(); }
    void operator<<(const T &value) { write(value); }

  private:
    std::string label;
    T *ring = nullptr;
    std::size_t capacity = 0, first = 0, count = 0; // the capacity is zero or a power of two

    void grow() {
        const std::size_t larger = capacity != 0 ? 2 * capacity : 16;
        T *moved = new T[larger];
        for (std::size_t i = 0; i < count; ++i)
            moved[i] = ring[(first + i) & (capacity - 1)];
        delete[] ring;
        ring = moved;
        capacity = larger;
        first = 0;
    }
};

} // namespace hls

#endif
