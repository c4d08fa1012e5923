"""HGQ2 and HGQ themselves: live objects against the importer, and what only live objects tell."""

import os
import sys
import warnings
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.frontend import load
from gatewright.graph import GatewrightError, UnsupportedError, evaluate

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]
TESTS = Path(__file__).parents[2]
SEEDS = range(int(os.environ.get("GATEWRIGHT_EXAMPLES", "2")))


def _module(name: str) -> Any:
    spec = spec_from_file_location(name, TESTS / "record" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODELS = _module("hgq2_models")


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("hgq", exc_type=ImportError)
        return pytest.importorskip("keras", exc_type=ImportError)


UNABLE = (ValueError, TypeError, AssertionError, RuntimeError)


@pytest.mark.parametrize("kind", sorted(MODELS.KINDS))
def test_live_models_of_hgq2(keras: Any, kind: str, tmp_path: Path) -> None:
    right = 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)

        def pick(options: Sequence[Any], rng: np.random.Generator = rng) -> Any:
            return list(options)[int(rng.integers(len(options)))]

        keras.backend.clear_session()
        try:
            model = MODELS.KINDS[kind](pick)
            MODELS.randomize(model, seed)
            xs = MODELS.samples(model, seed)
            expected = MODELS.answers(model, xs)
        except Exception as error:
            if isinstance(error, UNABLE) or type(error).__name__ == "InvalidArgumentError":  # TensorFlow's
                continue  # HGQ2 itself cannot
            raise
        model.save(tmp_path / "model.keras")
        for source in (model, tmp_path / "model.keras"):
            try:
                found = evaluate(load(source), xs)
            except UnsupportedError:
                break
            for a, b in zip(found if isinstance(found, tuple) else (found,), expected, strict=True):
                np.testing.assert_allclose(np.asarray(a, np.float32), b, rtol=1e-5, atol=1e-5)
                right += int(np.array_equal(np.asarray(a, np.float32), b))
    assert right or len(SEEDS) < 3


def test_what_only_live_models_tell(keras: Any) -> None:
    from hgq.config import HardTanhConfig, QuantizerConfig
    from hgq.layers import QDense

    x = keras.Input((4,))
    symmetric = keras.Model(x, QDense(3, iq_conf=HardTanhConfig(symmetric=True))(x))
    with pytest.raises(GatewrightError, match="SAT_SYM"):
        load(symmetric)
    frozen = keras.Model(x, QDense(3, kq_conf=QuantizerConfig("kif", "weight", overflow_mode="WRAP"))(x))
    load(frozen)
    frozen.layers[-1].trainable = False
    with pytest.raises(GatewrightError, match="frozen"):
        load(frozen)


def test_live_models_of_the_first_hgq() -> None:
    pytest.importorskip("HGQ", exc_type=ImportError)
    sys.setrecursionlimit(10000)
    record = _module("hgq1")
    from HGQ import trace_minmax

    rng = np.random.default_rng(1)
    for model, _ in list(record.models().values())[::2]:
        record.randomize(model, rng)
        with pytest.raises(GatewrightError, match="trace_minmax"):
            load(model)
        xs = np.rint(rng.normal(0, 1, (40, *model.input_shape[1:])) * 256).astype(np.float32) / 256
        trace_minmax(model, xs)
        np.testing.assert_array_equal(np.asarray(evaluate(load(model), xs), np.float32), model(xs).numpy())
