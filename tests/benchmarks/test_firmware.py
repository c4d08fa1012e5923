"""The reference kernels that firmware is compared with are right, and every instruction is said to be for something."""

import pytest

pytest.importorskip("unicorn", reason="emulated cores need the extra `firmware`")

import gatewright as gw
from benchmarks.firmware.__main__ import MODELS, NETWORKS, reference_of

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not MODELS.is_dir(), reason="no shared models here")]


@pytest.mark.parametrize("board", ["nucleo-l4r5zi", "raspberry-pi-pico", "raspberry-pi-pico-2-riscv"])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_reference_is_the_graph(network: str, board: str) -> None:
    source = gw.load(MODELS / f"{NETWORKS[network]}.tflite")
    reference, instructions = reference_of(source, board)  # compares them
    parts = [reference.program.parts(symbol) for symbol in reference.symbols]
    assert 0.999 < sum(p.total() for p in parts) / instructions < 1.001
    assert sum(p["multiply"] for p in parts) > 0.9 * source.macs / 2  # what lies outside is not multiplied
