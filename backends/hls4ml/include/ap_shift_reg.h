// A shift register as a ring: a shift moves an index, not the elements. It starts with zeros.
#ifndef GATEWRIGHT_LEAN_AP_SHIFT_REG_H
#define GATEWRIGHT_LEAN_AP_SHIFT_REG_H

template <class T, unsigned Depth = 32> class ap_shift_reg {
  public:
    constexpr ap_shift_reg() {}
    explicit constexpr ap_shift_reg(const char *) {}
    ap_shift_reg(const ap_shift_reg &) = delete;
    ap_shift_reg &operator=(const ap_shift_reg &) = delete;

    // The element that came in `address` shifts before the newest (address 0).
    T read(unsigned address = Depth - 1) const {
        const unsigned at = newest + address;
        return elements[at < Depth ? at : at - Depth];
    }
    // Reads, then takes `value` in as the newest where `enable`.
    T shift(T value, unsigned address = Depth - 1, bool enable = true) {
        const T out = read(address);
        if (enable) {
            newest = newest != 0 ? newest - 1 : Depth - 1;
            elements[newest] = value;
        }
        return out;
    }

  private:
    T elements[Depth] = {};
    unsigned newest = 0;
};

#endif
