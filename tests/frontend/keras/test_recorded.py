"""Models that Keras 3 and tf-keras saved, against what they answered. No framework is needed."""

import functools
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gatewright.frontend import load
from gatewright.graph import Graph, evaluate

DATA = Path(__file__).parents[2] / "data" / "keras"


@functools.cache
def answers(framework: str) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(DATA / f"{framework}.zip") as archive:
        return dict(np.load(io.BytesIO(archive.read("answers.npz"))))


def cases(framework: str) -> list[str]:
    with zipfile.ZipFile(DATA / f"{framework}.zip") as archive:
        return [f"{framework}/{name}" for name in archive.namelist() if name != "answers.npz"]


ARCHIVES = ("keras3", "tf_keras", "keras3_more", "tf_keras_more", "keras3_apart", "tf_keras_apart")
CASES = [case for name in ARCHIVES for case in cases(name)]


def imported(case: str, folder: Path) -> Graph:
    framework, name = case.split("/")
    with zipfile.ZipFile(DATA / f"{framework}.zip") as archive:
        (folder / name).write_bytes(archive.read(name))
    return load(folder / name)


def numbered(table: dict[str, np.ndarray], case: str, letter: str) -> list[np.ndarray]:
    stem = case.partition(".")[0]
    return [table[key] for i in range(9) if (key := f"{stem}/{letter}{i}") in table]


def compare(got: np.ndarray, expected: np.ndarray) -> None:
    assert got.shape == expected.shape
    largest = float(np.abs(expected).max(initial=1.0))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * largest)


@pytest.mark.parametrize("case", CASES)
def test_gives_what_the_framework_gave(case: str, tmp_path: Path) -> None:
    framework, name = case.split("/")
    table = answers(framework)
    results = evaluate(imported(case, tmp_path), numbered(table, name, "x"))
    expected = numbered(table, name, "y")
    got = results if isinstance(results, tuple) else (results,)
    assert len(got) == len(expected) > 0
    for a, b in zip(got, expected, strict=True):
        compare(a, b)


def test_every_kind_was_recorded() -> None:
    kinds = {case.rpartition("_")[0] for case in CASES}
    assert len(kinds) >= 2 * 30


def test_inputs_and_outputs_keep_their_names(tmp_path: Path) -> None:
    graph = imported("keras3/nested_0.keras", tmp_path)
    assert len({op.name for op in graph.input_ops}) == 2
    assert len({op.name for op in graph.output_ops}) == 2
