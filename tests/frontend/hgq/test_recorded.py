"""Models that HGQ2 saved, against what it answered: the same bits. No framework is needed."""

import functools
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gatewright.frontend import load
from gatewright.graph import Graph, evaluate
from gatewright.graph.ops import Input
from gatewright.lowering import lower

DATA = Path(__file__).parents[2] / "data" / "hgq"
ARCHIVES = [*sorted((DATA / "hgq2").glob("*.zip")), DATA / "hgq1.zip"]
PRECISION = "fixed<24,12>"
"""Of inputs that several quantizers read: it holds the samples exactly."""


@functools.cache
def answers(archive: str) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(DATA / archive) as file:
        return dict(np.load(io.BytesIO(file.read("answers.npz"))))


def cases() -> list[str]:
    found = []
    for path in ARCHIVES:
        with zipfile.ZipFile(path) as file:
            found += [f"{path.relative_to(DATA)}:{name}" for name in file.namelist() if name != "answers.npz"]
    return found


def imported(case: str, folder: Path) -> Graph:
    archive, name = case.split(":")
    with zipfile.ZipFile(DATA / archive) as file:
        (folder / name).write_bytes(file.read(name))
    return load(folder / name)


def numbered(case: str, letter: str) -> list[np.ndarray]:
    archive, name = case.split(":")
    table, stem = answers(archive), name.partition(".")[0]
    return [table[key] for i in range(9) if (key := f"{stem}/{letter}{i}") in table]


def is_exact(graph: Graph) -> bool:
    """Whether everything behind the inputs is integers; else a real function (leaky ReLU) is left between."""
    return all(n.type.is_integer or isinstance(n.op, Input) for n in graph.nodes)


@pytest.mark.parametrize("case", cases())
def test_gives_the_bits_that_the_framework_gave(case: str, tmp_path: Path) -> None:
    graph, expected = imported(case, tmp_path), numbered(case, "y")
    for form in (graph, *([lower(graph, precision=PRECISION)] if is_exact(graph) else [])):
        results = evaluate(form, numbered(case, "x"))
        got = results if isinstance(results, tuple) else (results,)
        assert len(got) == len(expected) > 0
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(np.asarray(a, np.float32), b, rtol=0 if is_exact(graph) else 1e-6, atol=0)


def test_most_are_exact(tmp_path: Path) -> None:
    exact = [is_exact(imported(case, tmp_path)) for case in cases()[::4]]
    assert sum(exact) >= 0.7 * len(exact)


def test_every_kind_was_recorded() -> None:
    assert len(ARCHIVES) >= 20
    assert len(cases()) >= 90
