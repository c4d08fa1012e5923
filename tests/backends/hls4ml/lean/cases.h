// Cases that are compiled against the vendor's ap_types and against the lean ones; both must print the same lines, one
// for each case: its name, how many values it looked at, a hash of them. A case name as argument prints the values
// instead.
//
// Left out, because the vendor's headers give no defined answer: integers from formats with negative integer bits
// (never initialised), ++ and to_string where I > W (shifts by negative amounts), division by zero, NaN.
#include "ap_fixed.h"
#include "ap_int.h"
#include "utils/x_hls_utils.h"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <type_traits>

static const char *only = nullptr;
static uint64_t state; // of the draws; each case starts from its own name


template <class T> struct is_fixed : std::false_type {};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct is_fixed<ap_fixed<W, I, Q, O, N>> : std::true_type {};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct is_fixed<ap_ufixed<W, I, Q, O, N>> : std::true_type {};
template <class T, bool = is_fixed<T>::value> struct whole_bits { static const int value = T::iwidth; };
template <class T> struct whole_bits<T, false> { static const int value = T::width; };

struct Case {
    const char *name;
    uint64_t hash = 1469598103934665603ull;
    long count = 0;
    bool shown;
    explicit Case(const char *n) : name(n), shown(only && !strcmp(only, n)) {
        state = 88172645463325252ull;
        for (; *n; ++n)
            state = (state ^ (unsigned char)*n) * 1099511628211ull;
    }
    ~Case() { printf("%s n=%ld %016llx\n", name, count, (unsigned long long)hash); }

    void word(const char *what, uint64_t bits) {
        hash = (hash ^ bits) * 1099511628211ull;
        hash ^= hash >> 29;
        ++count;
        if (shown) printf("  %s %ld %s %llx\n", name, count, what, (unsigned long long)bits);
    }
    void add(const char *what, double x) {
        uint64_t bits;
        memcpy(&bits, &x, 8);
        word(what, bits);
    }
    void add(const char *what, float x) { add(what, double(x)); }
    void add(const char *what, long long x) { word(what, (uint64_t)x); }
    void add(const char *what, unsigned long long x) { word(what, x); }
    void add(const char *what, int x) { word(what, (uint64_t)(long long)x); }
    void add(const char *what, bool x) { word(what, x); }
    void add(const char *what, const std::string &s) {
        if (shown) printf("  %s text %s\n", name, s.c_str());
        for (char c : s)
            word(what, (unsigned char)c);
    }
    // A number: the bits that it has, in the width that it has, and what it says its value is.
    template <class T, class = decltype(T::width)> void add(const char *what, const T &x) {
        const int width = T::width;
        word(what, (uint64_t)width);
        word(what, x.range(width > 64 ? 63 : width - 1, 0).to_uint64());
        if (width > 64) word(what, x.range(width - 1, width > 64 ? 64 : 0).to_uint64());
        if (width <= 64) add(what, x.to_double());
    }
};

static uint64_t draw() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 2685821657736338717ull;
}
template <class T> T from_bits(uint64_t bits) {
    T x = 0;
    x.range(T::width - 1, 0) = (unsigned long long)(T::width < 64 ? bits & ((1ull << (T::width % 64)) - 1) : bits);
    return x;
}
// The i-th value to try: each of a narrow format; else zero, the ends, powers of two and drawn ones of every size.
template <class T> struct values {
    static const long all = 1l << (T::width < 20 ? T::width : 20);
    static long count(long limit) { return T::width < 20 && all <= limit ? all : limit; }
    static T at(long i, long limit) {
        if (T::width < 20 && all <= limit) return from_bits<T>(i);
        const uint64_t top = 1ull << (T::width - 1);
        const uint64_t special[] = {0, 1, ~0ull, top, top - 1, top + 1, top >> 1, 3, ~1ull};
        if (i < 9) return from_bits<T>(special[i]);
        const uint64_t bits = draw();
        return from_bits<T>(i % 3 == 0 ? bits : i % 3 == 1 ? bits >> (bits & 63) : ~(bits >> (bits & 63)));
    }
};

template <class S, class D> void conversion(const char *name) {
    Case c(name);
    for (long i = 0; i < values<S>::count(1024); ++i) {
        const S s = values<S>::at(i, 1024);
        D d = s;
        c.add("construct", d);
        d = 0;
        d = s;
        c.add("assign", d);
    }
}

template <class D> void from_doubles(const char *name) {
    Case c(name);
    double unit = 1;
    for (int i = D::width - whole_bits<D>::value; i > 0; --i)
        unit /= 2;
    for (int i = D::width - whole_bits<D>::value; i < 0; ++i)
        unit *= 2;
    const int end = D::width <= 9 ? 9 << (D::width <= 9 ? int(D::width) : 0) : 0; // eighths of a unit, beyond both ends
    if (end)
        for (int v = -end; v <= end; ++v) {
            c.add("double", D(v * unit / 8));
            c.add("float", D(float(v * unit / 8)));
        }
    const double odd[] = {1e-300, -1e-300, 5e-324, -5e-324, 1e-20, -1e-20, 1e9, -1e9, 1e18, -1e18,
                          1e30, -1e30, 1e300, -1e300, 0x1p40, -0x1p40, 0x1.8p52, -0x1.8p52,
                          0x1.fffffffffffffp62, -0x1.fffffffffffffp62, 0x1p63, -0x1p63,
                          0x1.0000000000001p64, 0x1.8p126, -0x1.8p127, 0x1p130, 0.0, -0.0, 0x1.fffffffffffffp-2,
                          -0x1.fffffffffffffp-2, -0.5, 0.5, 0x1.0000000000001p-1, -0x1.0000000000001p-1};
    for (double x : odd) {
        c.add("odd", D(x));
        c.add("odd", D(x * unit));
        c.add("odd", D(x * unit / 2));
    }
    for (int i = 0; i < 600; ++i) {
        double x = (double(draw() >> 11) * 0x1p-52 - 1) * unit;
        for (uint64_t size = draw() % (D::width + 3); size > 0; --size)
            x *= 2;
        c.add("drawn", D(x));
        c.add("drawn", D(float(x)));
    }
    for (int i = -600; i < 600; i += 7) {
        c.add("int", D(i));
        c.add("unsigned", D((unsigned)i));
        c.add("long long", D((long long)i * 100000003));
        c.add("unsigned long long", D((unsigned long long)i));
        c.add("unsigned char", D((unsigned char)i));
        c.add("short", D((short)(i * 50)));
        c.add("bool", D(bool(i & 1)));
    }
}

template <class A, class B> int order(const A &a, const B &b) {
    return (a < b) | (a <= b) << 1 | (a > b) << 2 | (a >= b) << 3 | (a == b) << 4 | (a != b) << 5;
}
template <class A, class B, class F> void pairs(F f) {
    const long limit = values<A>::count(1024) * values<B>::count(1024) <= 4096 ? 1024 : 24;
    for (long i = 0; i < values<A>::count(limit); ++i)
        for (long j = 0; j < values<B>::count(limit); ++j) {
            const A a = values<A>::at(i, limit); // one after the other: compilers evaluate arguments in different orders
            const B b = values<B>::at(j, limit);
            f(a, b);
        }
}
template <class A, class B> void arithmetic(const char *name) {
    Case c(name);
    pairs<A, B>([&](const A &a, const B &b) {
        c.add("+", a + b), c.add("-", a - b), c.add("*", a * b);
        c.add("&", a & b), c.add("|", a | b), c.add("^", a ^ b);
        A x = a;
        c.add("+=", x += b); x = a; c.add("-=", x -= b); x = a; c.add("*=", x *= b);
        x = a * b; c.add("from product", x); x = a - b; c.add("from difference", x);
        c.add("fused", A(x + a * b));
    });
}
template <class A, class B> void division(const char *name) {
    Case c(name);
    pairs<A, B>([&](const A &a, const B &b) {
        if (b == 0) return;
        c.add("/", a / b);
        if (!is_fixed<A>::value && is_fixed<B>::value) return; // the divisor is truncated first, to zero perhaps
        A x = a;
        x /= b; c.add("/=", x);
    });
}
template <class A, class B> void remainder_of(const char *name) {
    Case c(name);
    pairs<A, B>([&](const A &a, const B &b) {
        if (b == 0) return;
        c.add("%", a % b);
        A x = a;
        x %= b; c.add("%=", x);
    });
}
template <class A, class B> void comparison(const char *name) {
    Case c(name);
    pairs<A, B>([&](const A &a, const B &b) { c.add("order", order(a, b)), c.add("reversed", order(b, a)); });
}

template <class A, class K> void with_c(Case &c, const A &a, K k) {
    c.add("a+k", a + k), c.add("k-a", k - a), c.add("a*k", a * k), c.add("a&k", a & k), c.add("k|a", k | a);
    if (k != 0) c.add("a/k", a / k);
    if (a != 0) c.add("k/a", k / a);
    c.add("a?k", order(a, k)), c.add("k?a", order(k, a));
    A x = a;
    x += k; c.add("a+=k", x); x = a; x -= k; c.add("a-=k", x); x = a; x *= k; c.add("a*=k", x); x = k; c.add("a=k", x);
}
template <class A, class K> void mixed(const char *name) {
    Case c(name);
    for (long i = 0; i < values<A>::count(256); ++i) {
        const A a = values<A>::at(i, 256);
        for (int k : {-129, -3, -1, 0, 1, 2, 100, 40000}) {
            with_c(c, a, K(k));
            c.add("double", order(a, k * 0.25)), c.add("double", order(k * 0.25, a));
            c.add("float", order(a, k * 0.5f));
        }
    }
}
template <class A, class K> void integer_mixed(const char *name) {
    Case c(name);
    for (long i = 0; i < values<A>::count(256); ++i) {
        const A a = values<A>::at(i, 256);
        for (int k : {-129, -3, -1, 1, 2, 100, 40000}) {
            if (K(k) != 0) c.add("a%k", a % K(k));
            if (a != 0) c.add("k%a", K(k) % a);
            c.add("1 << a", 1 << (a & 7)), c.add("double", a * 0.3), c.add("float", 2.5f / (a | 1));
            c.add("index", "0123456789abcdef"[a & 15] == '3');
        }
    }
}

template <class A> void unary(const char *name) {
    Case c(name);
    for (long i = 0; i < values<A>::count(512); ++i) {
        const A a = values<A>::at(i, 512);
        c.add("minus", -a), c.add("not", ~a), c.add("!", !a), c.add("bool", (bool)a), c.add("length", a.length());
        for (int s : {-100, -7, -2, -1, 0, 1, 3, 6, 64, 200}) {
            c.add("<<", A(a << s)), c.add(">>", A(a >> s));
            c.add("<< ap", A(a << ap_int<9>(s))), c.add(">> ap", A(a >> ap_uint<4>(s)));
            A x = a;
            x <<= s; c.add("<<=", x); x = a; x >>= s; c.add(">>=", x);
        }
        c.add("<< unsigned", A(a << 2u)), c.add("ternary", i & 1 ? a : A(0));
        c.add("float", (float)a), c.add("to_float", a.to_float());
        if (whole_bits<A>::value >= 0) {
            c.add("to_int", a.to_int()), c.add("to_uint", (long long)a.to_uint());
            c.add("to_int64", (long long)a.to_int64());
            c.add("to_uint64", (unsigned long long)a.to_uint64()), c.add("int", (int)a);
            c.add("unsigned", (long long)(unsigned)a);
            c.add("short", (int)(short)a), c.add("char", (int)(signed char)a), c.add("long long", (long long)a);
            c.add("ap_int", ap_int<4>(a)), c.add("ap_uint", ap_uint<9>(a));
        }
        A x = a;
        if (whole_bits<A>::value <= A::width) {
            c.add("x++", A(x++)), c.add("x++", x), c.add("--x", A(--x));
            c.add("++x", A(++x)), c.add("x--", A(x--)), c.add("x--", x);
            for (int radix : {2, 8, 10, 16})
                if (A::width < 64) c.add("text", a.to_string(radix));
            if (A::width < 64) c.add("text", a.to_string(16, false)), c.add("text", a.to_string());
        }
    }
}

template <class A> void bits(const char *name) {
    Case c(name);
    const int steps[] = {0, 1, 2, 5, A::width / 2, A::width - 1};
    for (long i = 0; i < values<A>::count(128); ++i) {
        const A a = values<A>::at(i, 128);
        for (int low : steps) {
            if (low >= A::width) continue;
            A x = a;
            c.add("[]", (bool)a[low]), c.add("[] of variable", (bool)x[low]);
            x[low] = !x[low]; c.add("[]=", x); x[low] = 1, c.add("[]=", x);
            x = a; x[low] = x[0]; c.add("[]=[]", x);
            for (int high : steps) {
                if (high >= A::width) continue;
                x = a;
                c.add("range", (unsigned long long)x.range(high, low).to_uint64());
                c.add("()", (unsigned long long)ap_uint<A::width>(x(high, low)).to_uint64());
                c.add("int", A(x.range(high, low)));
                if (high < low) continue;
                x.range(high, low) = 5; c.add("range=int", x);
                x = a; x.range(high, low) = ap_int<4>(-3); c.add("range=ap_int", x);
                x = a; x(high, low) = a(high - low, 0); c.add("range=range", x);
                x = a; x.range(high, low) = A(~a); c.add("range=number", x);
            }
        }
        A y;
        y.range() = a.range();
        c.add("all", y);
    }
    c.add("max", hls::numeric_limits<A>::max()), c.add("min", hls::numeric_limits<A>::min());
    c.add("epsilon", hls::numeric_limits<A>::epsilon());
}

void all_cases(); // generated

int main(int argc, char **argv) {
    if (argc > 1) only = argv[1];
    all_cases();
}
