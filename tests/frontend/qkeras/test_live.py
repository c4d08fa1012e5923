"""qkeras itself: the recordings still hold, and drawn quantizers and live models agree."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.frontend import load
from gatewright.frontend.qkeras import QUANTIZERS, from_config
from gatewright.frontend.qkeras.numbers import real_values
from gatewright.graph import Graph, Node, UnsupportedError, evaluate
from gatewright.graph.ops import Input, Output

from ...processor import bare_x86

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]

TESTS = Path(__file__).parents[2]
DATA = TESTS / "data" / "qkeras"


def script(name):
    spec = spec_from_file_location(name, TESTS / "record" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def qkeras():
    return script("qkeras_quantizers").start()


def order(answers):
    """How far sums of floats may be off because this processor adds in another order: the last bit of the largest."""
    return 4e-7 * np.abs(answers).max(initial=0) if bare_x86() else 0


def same(recorded, now):
    """Equal, but for the last bit of logarithms, powers and sums, which depends on the machine."""
    if recorded.dtype.kind == "f":
        np.testing.assert_allclose(now, recorded, rtol=4e-7, atol=order(recorded))
    else:
        assert np.array_equal(recorded, now)


def test_the_recorded_quantizers_are_what_qkeras_says(qkeras):
    for name, arrays in script("qkeras_quantizers").record().items():
        with np.load(DATA / name) as recorded:
            assert set(recorded.files) == set(arrays)
            for key in recorded.files:
                same(recorded[key], arrays[key])


def test_the_recorded_layers_are_what_qkeras_says(qkeras):
    _, arrays = script("qkeras_layers").record()
    with np.load(DATA / "layers.npz") as recorded:
        for key, value in arrays.items():
            if key[-2:] in ("/x", "/y"):
                same(recorded[key], value)


def test_the_recorded_examples_are_what_qkeras_says(qkeras):
    examples = script("qkeras_examples")
    if not examples.MODELS.is_dir():
        pytest.skip("the models folder is not beside the repository")
    with np.load(DATA / "examples.npz") as recorded:
        for name, value in examples.record().items():
            assert np.array_equal(recorded[name], value)


def test_there_is_no_quantizer_that_is_not_known(qkeras):
    base = qkeras.quantizers.BaseQuantizer
    classes = {
        k for k, v in vars(qkeras.quantizers).items() if isinstance(v, type) and issubclass(v, base) and v is not base
    }
    assert classes - set(QUANTIZERS) == {"bernoulli"}
    assert set(QUANTIZERS) - classes <= {"quantized_linear"}


# Drawn quantizers

bools, alphas = st.booleans(), st.sampled_from([None, 1, 0.5, 2.0, 4.0])
QUIET = {"use_ste": st.just(False)}
EXACT = st.one_of(
    st.tuples(
        st.just("quantized_bits"),
        st.fixed_dictionaries(
            {
                "bits": st.integers(1, 16),
                "integer": st.integers(0, 6),
                "symmetric": bools,
                "keep_negative": bools,
                "alpha": alphas,
                **QUIET,
            },
        ),
    ),
    st.tuples(
        st.just("quantized_relu"),
        st.fixed_dictionaries(
            {
                "bits": st.integers(1, 16),
                "integer": st.integers(0, 6),
                **QUIET,
                "is_quantized_clip": bools,
                "negative_slope": st.sampled_from([0.0, 0.125, 0.5, 1.0, 2.0]),
                "relu_upper_bound": st.sampled_from([None, 0.5, 0.3, 6.0]),
            },
        ),
    ),
)
"""Quantizers that are exact on any float32 number."""

ON_GRID = st.one_of(
    EXACT,
    st.tuples(
        st.just("quantized_relu"),
        st.fixed_dictionaries(
            {
                "bits": st.integers(2, 8),
                "integer": st.integers(0, 4),
                "use_sigmoid": st.just(1),
                **QUIET,
                "negative_slope": st.sampled_from([0.0, 0.25, 1.0]),
            },
        ),
    ),
    st.tuples(st.just("quantized_tanh"), st.fixed_dictionaries({"bits": st.integers(1, 10), "symmetric": bools})),
    st.tuples(st.just("quantized_sigmoid"), st.fixed_dictionaries({"bits": st.integers(1, 10), "symmetric": bools})),
    st.tuples(
        st.just("quantized_hswish"),
        st.fixed_dictionaries(
            {"bits": st.integers(2, 10), "integer": st.integers(0, 4), "symmetric": bools, **QUIET},
        ),
    ),
    st.tuples(st.just("binary"), st.fixed_dictionaries({"use_01": bools, "alpha": alphas})),
    st.tuples(
        st.just("ternary"),
        st.fixed_dictionaries({"alpha": alphas, "threshold": st.integers(0, 40).map(lambda n: n / 16)}),
    ),
    st.tuples(
        st.sampled_from(["quantized_po2", "quantized_relu_po2"]),
        st.fixed_dictionaries(
            {
                "bits": st.integers(2, 5),
                "max_value": st.sampled_from([None, 1, 4]),
                "quadratic_approximation": bools,
                **QUIET,
            },
        ),
    ),
)
"""Quantizers that are exact on multiples of 1/256."""

grids = st.lists(st.integers(-10240, 10240).map(lambda n: n / 256), min_size=1, max_size=40)
floats = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=40)


def answer(qkeras, name, parameters, x):
    return np.asarray(getattr(qkeras.quantizers, name)(**parameters)(x), np.float32)


def applied(name, parameters, x):
    source = Node(Input("x", ()))
    graph = Graph((source,), (Node(Output("y"), (from_config(name, parameters).nodes(source, "q"),)),))
    return np.asarray(evaluate(graph, x), np.float32)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(case=ON_GRID, x=grids)
def test_drawn_quantizers_on_a_grid(qkeras, case, x):
    x = np.float32(x)
    np.testing.assert_array_equal(applied(*case, x), answer(qkeras, *case, x))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(case=EXACT, x=floats)
def test_drawn_quantizers_on_any_number(qkeras, case, x):
    x = np.float32(x)
    np.testing.assert_array_equal(applied(*case, x), answer(qkeras, *case, x))


WEIGHT_PARAMETERS = {
    "bits": st.integers(2, 10),
    "integer": st.integers(0, 3),
    "symmetric": bools,
    "keep_negative": bools,
    "alpha": st.sampled_from([1, "auto", "auto_po2"]),
    "scale_axis": st.sampled_from([None, 0, 1]),
    **QUIET,
}


@settings(derandomize=True, deadline=None, max_examples=80)
@given(
    parameters=st.fixed_dictionaries(WEIGHT_PARAMETERS),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.01, 0.3, 2.0]),
)
def test_drawn_quantizers_on_weights(qkeras, parameters, seed, spread):
    w = np.random.default_rng(seed).normal(0, spread, (9, 4)).astype(np.float32)
    constant = from_config("quantized_bits", parameters).weights(w, "w")
    np.testing.assert_array_equal(real_values(constant), answer(qkeras, "quantized_bits", parameters, w))


@pytest.mark.parametrize("name", ["quantized_bits", "binary", "ternary"])
def test_a_numeric_scale_for_each_channel(qkeras, name):
    alpha = np.float32([0.5, 1, 0.3, 4, 1.7])
    w = np.random.default_rng(4).normal(0, 0.5, (3, 2, 5)).astype(np.float32)
    parameters = {"bits": 5, "use_ste": False} if name == "quantized_bits" else {}
    got = from_config(name, {**parameters, "alpha": alpha.tolist()})
    expected = answer(qkeras, name, {**parameters, "alpha": alpha}, w)
    np.testing.assert_allclose(real_values(got.weights(w, "w")), expected, rtol=0 if parameters else 4e-7, atol=0)
    source = Node(Input("x", (3, 2, 5)))
    graph = Graph((source,), (Node(Output("y"), (got.nodes(source, "q"),)),))
    np.testing.assert_allclose(evaluate(graph, w[None])[0], expected, rtol=0 if parameters else 4e-7, atol=0)


# Live models


@pytest.fixture(scope="module")
def models(qkeras):
    import tf_keras

    layers = script("qkeras_layers")
    built = {}
    for i, (name, parts) in enumerate(layers.models(qkeras, tf_keras).items()):
        rng = np.random.default_rng(i)
        model = layers.built(qkeras, tf_keras, parts, rng)
        built[name] = model, layers.inputs(model.input_shape[1:], rng)
    return built


@pytest.mark.parametrize("kind", ["object", ".h5", ".keras"])
def test_models_as_objects_and_whole_files(models, kind, tmp_path):
    for name, (model, x) in models.items():
        source = model
        if kind != "object":
            source = tmp_path / f"{name}{kind}"
            model.save(source)
        answers = model.predict(x, verbose=0)
        off = order(answers) if name == "dense_auto" else 0  # its weights' scale is no power of two: sums are rounded
        np.testing.assert_allclose(evaluate(load(source), x), answers, rtol=0, atol=off, err_msg=name)


def test_what_a_configuration_leaves_out_is_read_from_the_live_quantizer(qkeras):
    import tf_keras

    bound = qkeras.quantized_relu(6, 4, relu_upper_bound=6.0, is_quantized_clip=False)
    kernel = qkeras.quantized_bits(4, 0, alpha="auto_po2", scale_axis=0)
    inner = tf_keras.Sequential([qkeras.QDense(4, kernel_quantizer=kernel, activation=bound, input_shape=(6,))])
    i = tf_keras.Input((6,))
    model = tf_keras.Model(i, qkeras.QActivation(bound)(inner(i)))
    x = script("qkeras_layers").inputs((6,), np.random.default_rng(0)) * 4
    np.testing.assert_array_equal(evaluate(load(model), x), model.predict(x, verbose=0))


def test_another_internal_sigmoid_is_refused(qkeras):
    import tf_keras

    model = tf_keras.Sequential([qkeras.QActivation(qkeras.quantized_tanh(4), input_shape=(3,))])
    qkeras.quantizers.set_internal_sigmoid("real")
    try:
        with pytest.raises(UnsupportedError, match="internal sigmoid"):
            load(model)
    finally:
        qkeras.quantizers.set_internal_sigmoid("hard")
    assert load(model).name
    assert "tensorflow" in sys.modules
