"""What onnxruntime's answers depend on."""

import platform
from pathlib import Path

import pytest


def needs_whole_sums() -> None:
    """Skip where onnxruntime's sums of uint8 by int8 products saturate at 16 bits: on x86 without VNNI (its
    documentation of quantization, "When to use reduce-range").
    """
    flags = Path("/proc/cpuinfo")
    if platform.machine() == "x86_64" and flags.exists() and "vnni" not in flags.read_text(encoding="utf-8"):
        pytest.skip("onnxruntime saturates sums of uint8 by int8 on a processor without VNNI")
