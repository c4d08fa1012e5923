"""Whole networks in C: 64 vectors each, equal to ``evaluate`` in every bit."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright.graph import Graph

from ...recurrent import spotter
from ...transformer import transformer
from ..cases.common import Trial, expected
from .support import MACHINES, prove

ROOT = Path(__file__).parents[3]
TINY = ROOT.parent / "shared/models/mlperf_tiny"
here = pytest.mark.skipif(not TINY.is_dir(), reason="no shared models here")
COUNT = 64


def drawn(graph: Graph, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(5).normal(0, scale, (40, *graph.inputs[0].shape))).astype(np.float32)


def digits() -> Graph:
    return gw.lower(gw.load(ROOT / "examples" / "digits_qkeras.h5"), board="host")


def words() -> Graph:
    return gw.lower(graph := spotter(), board="host", precision="fixed<8,4>", samples=drawn(graph))


def block() -> Graph:
    return gw.lower(graph := transformer(), board="host", precision="fixed<12,4>", samples=drawn(graph))


def resnet8() -> Graph:
    graph = gw.load(TINY / "resnet8.h5")
    samples = np.random.default_rng(5).integers(0, 257, (16, *graph.inputs[0].shape)) / 256
    return gw.lower(graph, board="host", precision="fixed<8,4>", samples=samples.astype(np.float32))


NETWORKS = {n.__name__: cache(n) for n in (digits, words, block, resnet8)}


@pytest.mark.parametrize("name", ["digits", "words", "block"])
@pytest.mark.parametrize("machine", MACHINES)
def test_small_networks(name: str, machine: str) -> None:
    trial = Trial(NETWORKS[name](), count=COUNT)
    prove(trial, machine)
    assert all((v != v[0]).any() for v in expected(trial.graph, trial.fed)), "always the same answer proves little"


@here
@pytest.mark.parametrize("machine", ["m4", *(pytest.param(m, marks=pytest.mark.slow) for m in MACHINES if m != "m4")])
def test_resnet8_in_fixed_point(machine: str) -> None:
    prove(Trial(NETWORKS["resnet8"](), count=COUNT), machine)


@here
@pytest.mark.slow
@pytest.mark.parametrize("model", ["ad01", "dscnn_kws", "resnet8", "vww_96"])
@pytest.mark.parametrize("machine", MACHINES)
def test_networks_of_a_benchmark(model: str, machine: str) -> None:
    graph = gw.lower(gw.load(TINY / f"{model}_int8.tflite"), board="host")
    prove(Trial(graph, count=COUNT), machine)
