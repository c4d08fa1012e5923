"""Record what HGQ2 answers: ``python tests/record/hgq2.py`` writes ``tests/data/hgq/hgq2/*.zip``, one for each kind.

Needs HGQ2 0.2 and TensorFlow. The archives hold the models as Keras saves them and ``answers.npz`` with inputs and
outputs. Each kind of model is drawn several times from a fixed seed; networks are also trained for some steps.
"""

import io
import os
import random
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import hgq2_models as models

HERE = Path(__file__).parent.parent / "data" / "hgq" / "hgq2"
NETWORKS = ("jet_tagger", "conv_net", "transformer", "deep_sets")
PER_KIND = {"conv": 6, "dense": 6, "einsum_dense": 6, "softmax": 6, "attention": 6, **dict.fromkeys(NETWORKS, 2)}
TRAINED = {"jet_tagger": (0, 1), "conv_net": (0,), "deep_sets": (0,), "transformer": (0,)}
TRIES = 60
EPOCH = (1980, 1, 1, 0, 0, 0)


def drawn(kind: str, count: int) -> list[tuple[Any, int]]:
    """Draw models of one kind that HGQ2 can build and run, and that give more than zeros."""
    import keras

    found: dict[str, tuple[Any, int]] = {}
    for attempt in range(TRIES):
        generator = random.Random(f"{kind} {attempt}")
        said: list[Any] = []

        def pick(options: Any, generator: random.Random = generator, said: list[Any] = said) -> Any:
            said.append(generator.choice(list(options)))
            return said[-1]

        keras.backend.clear_session()
        try:
            model = models.KINDS[kind](pick)
            models.randomize(model, attempt)
            answers = models.answers(model, models.samples(model, attempt))
        except Exception as error:
            print(f"  {kind}: {type(error).__name__}: {str(error)[:100]!r}")  # noqa: T201
            continue
        if min(len(np.unique(y)) for y in answers) > 3:
            found.setdefault(repr(said), (model, attempt))
        if len(found) == count:
            break
    return list(found.values())


def trained(kind: str, first: int) -> Any:
    """Build the first or second form of a network, train it on random numbers, and trace its ranges."""
    import keras
    from hgq.utils import trace_minmax

    keras.backend.clear_session()
    keras.utils.set_random_seed(first)
    model = models.KINDS[kind](lambda options: options[first % len(options)])
    rng = np.random.default_rng(first)
    xs = rng.normal(0, 1, (256, *model.inputs[0].shape[1:])).astype(np.float32)
    ys = rng.normal(0, 1, (256, *model.outputs[0].shape[1:])).astype(np.float32)
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=False)
    model.fit(xs, ys, epochs=8, batch_size=64, verbose=0)
    trace_minmax(model, xs, verbose=0)
    return model


def saved(model: Any) -> bytes:
    """Save a model without its optimizer and give the bytes, without dates."""
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path, buffer = Path(folder) / "model.keras", io.BytesIO()
        keras.Model(model.inputs, model.outputs).save(path)
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
            for info in old.infolist():
                put(new, info.filename, old.read(info))
        return buffer.getvalue()


def put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Write a member with a fixed date."""
    archive.writestr(zipfile.ZipInfo(name, EPOCH), data, compress_type=archive.compression)


def record(kind: str) -> None:
    """Write the archive of one kind."""
    cases = [(f"{kind}_{i}", *c) for i, c in enumerate(drawn(kind, PER_KIND.get(kind, 4)))]
    cases += [(f"{kind}_trained_{first}", trained(kind, first), first) for first in TRAINED.get(kind, ())]
    numbers: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{kind}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for case, model, seed in cases:
                xs = models.samples(model, seed)
                numbers |= {f"{case}/x{j}": x for j, x in enumerate(xs)}
                numbers |= {f"{case}/y{j}": y for j, y in enumerate(models.answers(model, xs))}
                put(archive, f"{case}.keras", saved(model))
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **numbers)
            put(archive, "answers.npz", buffer.getvalue())
        HERE.mkdir(parents=True, exist_ok=True)
        (HERE / f"{kind}.zip").write_bytes(path.read_bytes())
    print(f"{kind}: {(HERE / f'{kind}.zip').stat().st_size / 1024:.0f} KB, {len(cases)} models", flush=True)  # noqa: T201


def main() -> None:
    """Record every kind, or those that are named."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for kind in sys.argv[1:] or models.KINDS:
        record(kind)


if __name__ == "__main__":
    main()
