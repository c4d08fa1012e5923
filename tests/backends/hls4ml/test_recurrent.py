"""Recurrent networks through C simulation, equal to the integer graph in every bit."""

import pytest

import gatewright as gw

from ...recurrent import lstm_and_dense
from .hls_driver import needs_gxx


@needs_gxx
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_two_lstm_layers_and_a_dense(io: str) -> None:
    project = gw.compile(lstm_and_dense(6, 3, 4), board="pynq-z2", io=io, precision="fixed<12,5>")
    assert project.verify()["status"] == "exact"
    scans = [name for name in project.files if "/firmware/gatewright/gw_scan_" in name]
    assert len(scans) == 2
    again = gw.compile(lstm_and_dense(6, 3, 4), board="pynq-z2", io=io, precision="fixed<12,5>")
    assert again.files == project.files
