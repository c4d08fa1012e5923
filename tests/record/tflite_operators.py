"""Record what TensorFlow's reference kernels give for drawn models: tests/data/tflite/operators.zip.

    python -m tests.record.tflite_operators

Each case: the file, its inputs [samples, *shape] and outputs, as stored. Needs TensorFlow 2.21.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..fuzz.choices import Choices
from ..fuzz.core import Unusable
from ..fuzz.tflite_build import Reference, to_bytes
from ..fuzz.tflite_draw import MAKERS, Maker, drawn_model

FILE = Path(__file__).parents[1] / "data/tflite/operators.zip"
EACH, CHAINS, SAMPLES = 14, 60, 4


def case(name: str, numbers: list[int], only: tuple[str, ...]) -> dict[str, bytes]:
    """Draw, run, and give the members of the archive. Raises Unusable where the kernels refuse the model."""
    m = drawn_model(numbers, only)
    if not m.model.steps:
        raise Unusable("no operator")
    data = to_bytes(m.model)
    samples = m.samples(SAMPLES, 1)
    try:
        outputs = Reference(data)(samples)
    except (RuntimeError, ValueError) as error:
        raise Unusable(str(error)) from None
    arrays = {f"x{i}": x for i, x in enumerate(samples)} | {f"y{i}": y for i, y in enumerate(outputs)}
    return {f"{name}.tflite": data, f"{name}.npz": packed(arrays), f"{name}.json": described(m)}


def packed(arrays: dict[str, Any]) -> bytes:
    """Give arrays as a file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def described(m: Maker) -> bytes:
    """Say what the model is."""
    tensors = [[t.type, list(t.shape), list(t.scales)[:4], list(t.zeros)[:4]] for t in m.model.tensors]
    steps = [[s.op, s.inputs, s.outputs, s.options] for s in m.model.steps]
    return json.dumps({"tensors": tensors, "steps": steps}).encode()


def cases() -> dict[str, dict[str, bytes]]:
    """Draw until each operator has its cases, then some chains."""
    found: dict[str, dict[str, bytes]] = {}
    for name in (*MAKERS, "chain"):
        seed, wanted, only = 0, CHAINS if name == "chain" else EACH, () if name == "chain" else (name,)
        while wanted and seed < 400:
            numbers = Choices.draw(np.random.default_rng([seed, len(name)]), 160)
            seed += 1
            try:
                found[f"{name.lower()}-{seed}"] = case(f"{name.lower()}-{seed}", numbers, only)
                wanted -= 1
            except Unusable:
                continue
    return found


def main() -> None:
    """Write the archive."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(FILE, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for members in cases().values():
            for name, data in sorted(members.items()):
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    main()
