/* What the program is like in every language: files in, files out, a table of times. Written by Gatewright. */
#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "plan.h"

namespace host {

using Bytes = std::vector<unsigned char>;

inline Bytes read(const std::string &path) {
    std::FILE *file = std::fopen(path.c_str(), "rb");
    if (!file)
        throw std::runtime_error("cannot open " + path);
    Bytes data;
    unsigned char part[1 << 16];
    for (size_t n; (n = std::fread(part, 1, sizeof part, file)) > 0;)
        data.insert(data.end(), part, part + n);
    std::fclose(file);
    return data;
}

inline void write(const std::string &path, const Bytes &data) {
    std::FILE *file = std::fopen(path.c_str(), "wb");
    if (!file || std::fwrite(data.data(), 1, data.size(), file) != data.size() || std::fclose(file))
        throw std::runtime_error("cannot write " + path);
}

inline std::string text(const std::string &path) {
    const Bytes data = read(path);
    return std::string(data.begin(), data.end());
}

/** Change the width of whole numbers, which a device without narrow ones holds in 32 bits. */
inline Bytes resized(const Bytes &from, size_t count, int width, int wanted, bool is_signed) {
    if (width == wanted)
        return from;
    Bytes to(count * wanted);
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        std::memcpy(&bits, &from[i * width], width);
        if (is_signed && width < 8 && bits >> (8 * width - 1))
            bits |= ~uint64_t(0) << 8 * width;
        std::memcpy(&to[i * wanted], &bits, wanted);
    }
    return to;
}

struct Options {
    std::string folder = ".";
    std::vector<std::string> files;
    int repeats = 20;
};

inline Options parse(int count, char **arguments) {
    Options found;
    for (int i = 1; i < count; i++) {
        const std::string word = arguments[i];
        if (word == "--repeat" && i + 1 < count)
            found.repeats = std::atoi(arguments[++i]);
        else if (word == "--folder" && i + 1 < count)
            found.folder = arguments[++i];
        else
            found.files.push_back(word);
    }
    if (found.files.size() != plan::inputs + plan::outputs || found.repeats < 0) {
        std::string usage = std::string("usage: ") + arguments[0] + " [--folder DIR] [--repeat N]";
        for (const plan::Port &port : plan::ports)
            usage += std::string(" ") + port.name + ".bin";
        throw std::runtime_error(usage + "\n  DIR holds the kernels and constants.bin; the last " +
                                 std::to_string(plan::outputs) + " are written");
    }
    return found;
}

/**
 * Run the plan. `Device` has: Device(folder), name(), write(buffer, bytes), read(buffer, size) -> bytes, launch(), and
 * times(repeats) -> the shortest time of each launch in seconds.
 */
template <typename Device> int run(int count, char **arguments) {
    try {
        const Options options = parse(count, arguments);
        Device device(options.folder + "/");
        for (size_t i = 0; i < plan::inputs; i++) {
            const plan::Port &port = plan::ports[i];
            const Bytes data = read(options.files[i]);
            if (data.size() != port.count * port.width)
                throw std::runtime_error(options.files[i] + " has " + std::to_string(data.size()) + " bytes, " + port.name +
                                         " takes " + std::to_string(port.count * port.width));
            device.write(port.buffer, resized(data, port.count, port.width, port.stored, port.is_signed));
        }
        device.launch();
        int32_t status;
        std::memcpy(&status, device.read(plan::status, sizeof status).data(), sizeof status);
        if (status)
            throw std::runtime_error(status == 1 ? "an index lies outside of what it picks from" : "divides by zero");
        for (size_t i = plan::inputs; i < plan::inputs + plan::outputs; i++) {
            const plan::Port &port = plan::ports[i];
            const Bytes data = device.read(port.buffer, port.count * port.stored);
            write(options.files[i], resized(data, port.count, port.stored, port.width, port.is_signed));
        }
        std::printf("%s: %s\n", plan::name, device.name().c_str());
        if (!options.repeats)
            return 0;
        const std::vector<double> times = device.times(options.repeats);
        double total = 0;
        for (size_t i = 0; i < times.size(); total += times[i++])
            std::printf("%12.2f us  %-8s %s\n", times[i] * 1e6, plan::kernels[plan::launches[i].kernel].entry,
                        plan::launches[i].layer);
        std::printf("%12.2f us  in all, shortest of %d\n", total * 1e6, options.repeats);
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}

}  // namespace host
