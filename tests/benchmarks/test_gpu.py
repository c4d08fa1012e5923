import sys

import numpy as np
import pytest

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu.products import product
from gatewright.backends.gpu.host.runtime import cuda


def test_says_why_nothing_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cuda, "LIBRARY", "libnone.so")
    monkeypatch.setattr(sys, "argv", ["benchmarks.gpu", "--products"])
    with pytest.raises(SystemExit, match="nothing is measured for cuda-h100: no driver for CUDA"):
        gpu.main()
    assert capsys.readouterr().out == ""


def test_a_product_is_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewright.backends.gpu import host

    emulated = host.open_network
    monkeypatch.setattr(host, "open_network", lambda artefact, engine: emulated(artefact, "emulator"))
    one = product(20, 30, 40, "cuda-h100", processors=False)
    one.call()
    one.device()
    (y,) = one.outputs()
    assert y.shape == (1, 20, 30)
    assert len(np.unique(y)) > 5
    assert one.name == "gatewright, emulated CUDA"


def test_medians_and_differences() -> None:
    assert gpu.medians([lambda: None], 3)[0] < 1e-3
    assert gpu.away([np.array([1.0, 2.0])], [np.array([1.0, 4.0])]) == 0.5
