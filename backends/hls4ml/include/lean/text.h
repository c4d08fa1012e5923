// Numbers as text, in the form of the vendor's to_string. String is std::string, which the caller includes: these
// headers only name it, to stay quick to compile.
#ifndef GATEWRIGHT_LEAN_TEXT_H
#define GATEWRIGHT_LEAN_TEXT_H

#include "storage.h"

#include <iosfwd>

namespace lean {

constexpr char digit_of(unsigned d) { return char(d < 10 ? '0' + d : 'a' + d - 10); }

// The prefix 0b, 0o or 0x and the digits of v. As the vendor's: outside decimal a 0 goes before a digit whose top bit
// is 1, so that the text does not look negative, if the number (of `width` bits) has higher bits and `guard` asks for
// it.
template <class String> String integer_text(uint128 v, int width, int radix, bool guard) {
    String digits;
    if (v == 0) digits = "0";
    for (uint128 rest = v; rest != 0; rest /= unsigned(radix))
        digits.insert(digits.begin(), digit_of(unsigned(rest % unsigned(radix))));
    if (radix == 10) return digits;
    const int bits_each = radix == 2 ? 1 : radix == 8 ? 3 : 4;
    const char first = digits[0];
    const unsigned top = unsigned(first <= '9' ? first - '0' : first - 'a' + 10) >> (bits_each - 1);
    if (guard && top == 1 && int(digits.size()) * bits_each < width) digits.insert(digits.begin(), '0');
    return String(radix == 2 ? "0b" : radix == 8 ? "0o" : "0x") + digits;
}

// The `count` bits of a fraction as digits, without the point. In decimal all that there are, up to the last that is
// not 0; else one for each group of bits, the last group filled up with zeros.
template <class String> String fraction_text(uint128 bits, int count, int radix) {
    String digits;
    if (radix == 10) {
        for (int left = count; bits != 0; --left) { // times ten is times five with the point one bit lower
            bits *= 5;
            digits += digit_of(unsigned(bits >> (left - 1)));
            bits &= (uint128(1) << (left - 1)) - 1;
        }
        return digits;
    }
    const int bits_each = radix == 2 ? 1 : radix == 8 ? 3 : 4;
    for (int left = count; left > 0; left -= bits_each) {
        const int low = left - bits_each;
        digits += digit_of(unsigned(low >= 0 ? bits >> low : bits << -low) & unsigned(radix - 1));
    }
    return radix == 16 ? digits + "p0" : digits; // C99 writes an exponent after a hexadecimal fraction
}

// The text of x. with_sign: a minus and the magnitude; else the two's complement bits of the number.
template <class String, class N> String number_text(const N &x, int radix, bool with_sign) {
    const bool minus = with_sign && radix != 2 && x.V < 0;
    const uint128 magnitude = minus ? -uint128(x.V) : uint128(x.V);
    const String sign = minus ? "-" : "";
    if constexpr (N::is_integer) {
        const uint128 bits = minus ? magnitude : magnitude & (~uint128(0) >> (128 - N::width));
        return sign + integer_text<String>(bits, N::width, radix, !minus);
    } else {
        static_assert(N::fraction <= 120 && N::iwidth <= 120, "gatewright: a number this wide has no to_string");
        constexpr int fraction = AP_MAX(N::fraction, 0), zeros = AP_MAX(-N::fraction, 0);
        constexpr int whole_bits = AP_MAX(N::iwidth, 0) + 1; // one more, as the vendor's
        String text;
        if constexpr (N::iwidth > 0) {
            const uint128 whole = uint128(int128(magnitude) >> fraction) << zeros;
            text = integer_text<String>(whole & ((uint128(1) << whole_bits) - 1), whole_bits, radix, true);
        } else {
            text = integer_text<String>(0, 1, radix, false);
        }
        const uint128 rest = magnitude & ((uint128(1) << fraction) - 1);
        if (rest != 0) text += String(".") + fraction_text<String>(rest, fraction, radix);
        return sign + text;
    }
}

} // namespace lean

#endif
