"""Division by constants in the kernels: the multiplication that stands for it is exact on its whole interval."""

import subprocess
from itertools import product
from pathlib import Path

from .hls_driver import GXX, LEAN, kernels, needs_gxx

RANGES = (1, 2, 3, 9, 10, 11, 100, 127, 128, 129, 1001, 4095, 65536, 1000003)
DIVISORS = (1, 2, 3, 5, 7, 10, 31, 33, 100, 127, 128, 129, 1000, 4095, 65537)

SOURCE = """
#include <cstdio>
#include "gw_common.h"
template <unsigned N, unsigned D> bool wrong() {
    for (unsigned i = 0; i < N; i++)
        if (gw::quotient<N, D>(i) != i / D || gw::remainder<N, D>(i) != i % D) {
            std::printf("%u / %u below %u\\n", i, D, N);
            return true;
        }
    return false;
}
int main() {
    return CASES;
}
"""


@needs_gxx
def test_places_are_found_without_dividers(tmp_path: Path) -> None:
    cases = " | ".join(f"wrong<{n}, {d}>()" for n, d in product(RANGES, DIVISORS))
    (tmp_path / "main.cpp").write_text(SOURCE.replace("CASES", cases))
    (tmp_path / "gw_common.h").write_bytes(kernels.headers()["gw_common.h"])
    places = [f"-I{tmp_path}", f"-I{LEAN}", "-o", str(tmp_path / "main"), str(tmp_path / "main.cpp")]
    subprocess.run([GXX or "g++", "-std=c++17", "-O1", "-w", *places], check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
