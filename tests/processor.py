"""What the answers of frameworks depend on: the processor that they run on."""

import pytest

from gatewright.backends.tvm import machine_of
from gatewright.boards import load


def bare_x86() -> bool:
    """Whether this is an x86 without VNNI: TensorFlow orders float sums otherwise there, and onnxruntime saturates."""
    machine = machine_of(load("host"))
    return machine.is_x86 and not machine.vnni


def needs_whole_sums() -> None:
    """Skip where onnxruntime's sums of uint8 by int8 products saturate at 16 bits (its documentation of quantization,
    "When to use reduce-range").
    """
    if bare_x86():
        pytest.skip("onnxruntime saturates sums of uint8 by int8 on a processor without VNNI")
