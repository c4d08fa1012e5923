"""Record what Keras 3 and tf-keras answer: ``python tests/record/keras_layers.py`` writes ``tests/data/keras/*.zip``.

Each archive holds the models as the frameworks save them (``.keras``, or ``.h5`` for every third) and ``answers.npz``
with inputs and outputs. The draws come from a fixed seed; running it again gives the same models.
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
import keras_models as models

HERE = Path(__file__).parent.parent / "data" / "keras"
NOT_RELOADED = ("shared_between_models",)
"""The frameworks write these completely, as .keras, and fail to read them."""
OLD_FORMAT = ("group_query", "multi_head", "attention_over_axes", "masked_attention", "transformer")
"""Layers whose weights a .keras file does not hold completely."""
PER_KIND, PER_MORE = 10, 2
"""Models of each kind: of those in ``keras_models``, and of those beside it, which have archives of their own."""
TRIES = 40
APART = ("application_scales",)
"""Kinds with an archive of their own, only as .keras."""
OWN = [name for name, build in models.KINDS.items() if build.__module__ == models.__name__]
"""The kinds of ``keras_models`` itself."""
EPOCH = (1980, 1, 1, 0, 0, 0)


def record(k: Any, path: Path, kinds: list[str]) -> None:
    """Write the models of some kinds of one framework."""
    numbers: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in kinds:
            for i, (model, seed) in enumerate(drawn(k, name)):
                case = f"{name}_{i}"
                suffix = suffix_of(name, i)
                xs = models.samples(model, seed)
                numbers |= {f"{case}/x{j}": x for j, x in enumerate(xs)}
                numbers |= {f"{case}/y{j}": y for j, y in enumerate(models.answers(model, xs))}
                put(archive, case + suffix, saved(model, suffix))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **numbers)
        put(archive, "answers.npz", buffer.getvalue())
    print(f"{path}: {path.stat().st_size / 1024:.0f} KB, {len(numbers)} arrays")  # noqa: T201


def drawn(k: Any, name: str) -> list[tuple[Any, int]]:
    """Draw different models of one kind that the framework can build and run; fewer where the kind has fewer."""
    found: dict[str, tuple[Any, int]] = {}
    for attempt in range(TRIES):
        generator = random.Random(f"{name} {attempt}")
        choices: list[Any] = []

        def pick(options: Any, generator: random.Random = generator, choices: list[Any] = choices) -> Any:
            choices.append(generator.choice(list(options)))
            return choices[-1]

        k.backend.clear_session()
        try:
            model = models.KINDS[name](k, pick)
            models.refuse_ambiguous(model)
            models.randomize(model, attempt)
            if name not in (*NOT_RELOADED, *OLD_FORMAT, *APART):
                check_reload(k, model, attempt, suffix_of(name, len(found)))
        except Exception as error:
            print(f"  {k.__name__} {name}: {type(error).__name__}: {str(error)[:100]!r}")  # noqa: T201
            continue
        found.setdefault(repr(choices), (model, attempt))
        if len(found) == (PER_KIND if name in OWN else PER_MORE):
            break
    return list(found.values())


def suffix_of(name: str, index: int) -> str:
    """Say in which format a case is recorded."""
    if name in OLD_FORMAT:
        return ".h5"
    return ".h5" if index % 3 == 2 and name not in (*NOT_RELOADED, *APART) else ".keras"


def check_reload(k: Any, model: Any, seed: int, suffix: str) -> None:
    """Raise where the framework itself cannot read its file (tf-keras: layers shared between models, in .h5)."""
    xs = models.samples(model, seed)
    expected = models.answers(model, xs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        model.save(path)
        again = models.answers(k.models.load_model(path, compile=False), xs)
    for a, b in zip(again, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def saved(model: Any, suffix: str) -> bytes:
    """Save a model and give the bytes, without dates."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        model.save(path)
        if suffix != ".keras":
            return path.read_bytes()
        buffer = io.BytesIO()
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
            for info in old.infolist():
                put(new, info.filename, old.read(info))
        return buffer.getvalue()


def put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Write a member with a fixed date."""
    archive.writestr(zipfile.ZipInfo(name, EPOCH), data, compress_type=archive.compression)


def main() -> None:
    """Record both frameworks, or the archives that are named."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tf_keras

    HERE.mkdir(parents=True, exist_ok=True)
    which = sys.argv[1:] or ["keras3", "tf_keras", "keras3_more", "tf_keras_more", "keras3_apart", "tf_keras_apart"]
    for name in which:
        framework = keras if name.startswith("keras3") else tf_keras
        more = [kind for kind in models.KINDS if kind not in (*OWN, *APART)]
        kinds = {"more": more, "apart": list(APART)}.get(name.rpartition("_")[2], OWN)
        record(framework, HERE / f"{name}.zip", kinds)


if __name__ == "__main__":
    main()
