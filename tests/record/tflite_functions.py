"""Record what TensorFlow's reference kernels give: drawn models of one operator each, and models that are refused.

PYTHONPATH=src:. python tests/record/tflite_functions.py      (tensorflow 2.21)
"""

from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from gatewright.graph import GatewrightError
from tests.fuzz import tflite_draw2, tflite_moves
from tests.fuzz.choices import Choices
from tests.fuzz.fuzzers.tflite import load
from tests.fuzz.tflite_build import ModelSpec, Reference, to_bytes
from tests.fuzz.tflite_draw import Maker, drawn_model
from tests.record.tflite_refused import REFUSED

PATH = Path(__file__).parent.parent / "data" / "tflite" / "functions.zip"
EACH, SAMPLES = 6, 4


def mine() -> list[str]:
    """The operators whose makers those two files hold."""
    return [*tflite_draw2.NAMES, *tflite_moves.NAMES]


def draw(name: str) -> list[tuple[Maker, bytes, list[np.ndarray], list[np.ndarray]]]:
    """Draw models of an operator that the reference runs and Gatewright takes: no two alike."""
    found, seen = [], set()
    for seed in range(400):
        m = drawn_model(Choices.draw(np.random.default_rng(seed), 160), (name,))
        if not m.model.steps or _likeness(m.model) in seen:
            continue
        data = to_bytes(m.model)
        samples = m.samples(SAMPLES, seed)
        try:
            load(data)
            outputs = Reference(data)(samples)
        except (GatewrightError, RuntimeError, ValueError):
            continue
        seen.add(_likeness(m.model))
        found.append((m, data, samples, outputs))
        if len(found) == EACH:
            break
    return found


def _likeness(model: ModelSpec) -> str:
    """Type and options: what two models of one operator should differ in."""
    step = model.steps[-1]
    return f"{model.tensors[model.inputs[0]].type} {sorted(step.options.items())}"


def record() -> None:
    """Write the archive; the same bytes each time."""
    PATH.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(PATH, "w", ZIP_DEFLATED) as archive:
        for name in mine():
            for k, (_, data, samples, outputs) in enumerate(draw(name)):
                _write(archive, f"{name}-{k}.tflite", data)
                arrays = {f"x{i}": x for i, x in enumerate(samples)} | {f"y{i}": y for i, y in enumerate(outputs)}
                _write(archive, f"{name}-{k}.npz", _npz(arrays))
        for name, model in REFUSED.items():
            _write(archive, f"refused/{name}.tflite", to_bytes(model()))


def _write(archive: ZipFile, name: str, data: bytes) -> None:
    archive.writestr(ZipInfo(name), data, ZIP_DEFLATED)


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


if __name__ == "__main__":
    record()
