"""Streaming networks with resource variables, step by step against what the reference kernels gave."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw

from ...record.tflite_states import FILE, KINDS

NAMES = [f"{network}_{kind}" for network in ("window", "memory") for kind in KINDS]


def recorded(name: str, folder: Path) -> tuple[gw.Graph, np.ndarray, np.ndarray]:
    """Give a network, its inputs and what the kernels gave, [steps, ...]."""
    with zipfile.ZipFile(FILE) as z:
        (folder / f"{name}.tflite").write_bytes(z.read(f"{name}.tflite"))
        x, y = (np.load(io.BytesIO(z.read(f"{name}_{k}.npy"))) for k in "xy")
    return gw.load(folder / f"{name}.tflite"), x, y


@pytest.mark.parametrize("name", NAMES)
def test_steps(name: str, tmp_path: Path) -> None:
    graph, x, y = recorded(name, tmp_path)
    assert len(x) == 20
    got = np.asarray(gw.evaluate(graph, x, integers=not name.endswith("float")))
    if name.endswith("float"):
        np.testing.assert_allclose(got, y, atol=1e-6)
    else:
        np.testing.assert_array_equal(got, y)


@pytest.mark.parametrize("name", ["window_int8", "window_int16", "window_mixed"])
def test_lowered_to_integers(name: str, tmp_path: Path) -> None:
    graph, x, y = recorded(name, tmp_path)
    integer = gw.lower(graph)
    assert integer.is_integer
    assert [str(s.entry.type.format).partition("(")[0] for s in integer.states] == [KINDS[name.split("_")[1]]] * 2
    np.testing.assert_array_equal(np.asarray(gw.evaluate(integer, x, integers=True)), y)


def test_states_have_the_names_of_variables_and_begin_where_they_do(tmp_path: Path) -> None:
    graph, _, _ = recorded("memory_int8", tmp_path)
    assert [s.name for s in graph.states] == ["Variable_1"]  # the other one is never assigned
    held = gw.Stream(graph).state["Variable_1"]
    np.testing.assert_allclose(held, np.linspace(-0.5, 0.5, 8), atol=0.003)
