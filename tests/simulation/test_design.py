"""Statistics of weights, types, families."""

import numpy as np
import pytest

from gatewright.simulation.design import Type, csd_digits, family_of, odd_part, statistics


@pytest.mark.parametrize(
    ("value", "digits"), [(0, 0), (1, 1), (2, 1), (3, 2), (-4, 1), (5, 2), (7, 2), (11, 3), (15, 2), (-85, 4), (127, 2)]
)
def test_signed_digits(value: int, digits: int) -> None:
    """7 = 8 - 1, 11 = 8 + 4 - 1, 85 = 64 + 16 + 4 + 1."""
    assert csd_digits(np.array([value]))[0] == digits


def test_digits_add_up_to_the_number() -> None:
    """The non-adjacent form, made digit by digit."""
    for value in range(2000):
        rest, count = value, 0
        while rest:
            if rest & 1:
                rest -= 2 - (rest & 3)
                count += 1
            rest >>= 1
        assert csd_digits(np.array([value]))[0] == count


def test_odd_parts_and_sharing() -> None:
    assert odd_part(np.array([12, -8, 0, 7])).tolist() == [3, 1, 0, 7]
    found = statistics(np.array([[3, 6, -12, 0], [1, 2, 11, 5]]))
    assert (found.count, found.zeros) == (8, 1)
    assert found.csd_hist is not None
    assert found.csd_hist[:4] == (1, 2, 4, 1)
    assert (found.odd_per_input, found.hard_per_input) == (3, 1)  # 3; 11 and 5; of three digits: 11


def test_types_are_read() -> None:
    assert Type.parse("ap_ufixed<8,0,AP_RND_CONV,AP_SAT>") == Type(8, 0, False)
    assert Type.parse("ap_int<5>") == Type(5, 5)
    assert Type.parse("nnet::array<ap_fixed<16,6>, 4>") == Type(16, 6)
    assert Type.parse("float") is None


def test_families() -> None:
    parts = ("xc7z020-clg400-1", "xcvu13p-flga2577-2-e", "xcku115-flvb2104-2-i", "xck26-sfvc784-2LV-c", "10AX115")
    assert [family_of(p) for p in parts] == ["zynq", "virtexuplus", "kintexu", "zynquplus", ""]
