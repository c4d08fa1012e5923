"""The four networks of MLPerf Tiny on the reference board: flash, and their self-test."""

import sys
from pathlib import Path

import pytest

import gatewright as gw
from gatewright.backends.firmware import complete, emit
from gatewright.boards import load
from gatewright.lowering import narrowed
from gatewright.simulation import input_ranges

from .cores import Machine
from .made import described

MODELS = Path(__file__).parents[5] / "shared" / "models" / "mlperf_tiny"
CODE = 24 * 1024
"""What a network may take of the flash beside its weights."""

pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason="the models are not there")


@pytest.mark.parametrize("network", ["ad01", "dscnn_kws", "resnet8", pytest.param("vww_96", marks=pytest.mark.slow)])
def test_flash_holds_the_weights_and_little_more(network: str) -> None:
    board = load("nucleo-l4r5zi")
    source = gw.load(MODELS / f"{network}_int8.tflite")
    graph = narrowed(gw.lower(source, board=board), board)
    project = complete(emit(graph, board), graph, input_ranges(graph), ("bare",))
    found = described(project)
    weights = f"{graph.parameters:,} weights, {source.parameters:,} in the source"
    sys.stdout.write(f"{network}: flash {found['flash_bytes']:,} bytes, {weights}\n")
    assert found["flash_bytes"] <= source.parameters + CODE
    machine = Machine(project.files[f"image/{found['name']}.elf"], "cortex-m4")
    assert machine.run() == 0
    assert machine.said.endswith("the self-test passed\n")
