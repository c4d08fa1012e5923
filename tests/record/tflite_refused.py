"""Models that Gatewright refuses, each with what the error has to say (``SAYS``)."""

from collections.abc import Callable

import numpy as np

from tests.fuzz.tflite_build import ModelSpec, Spec, Step

INT8 = {"scales": (0.1,), "zeros": (3,)}
Shape = tuple[int, ...]


def one(op: str, x: Spec, y: Spec, *constants: Spec, first: bool = True, **options: object) -> Callable[[], ModelSpec]:
    """A model of one operator with one computed operand."""

    def make() -> ModelSpec:
        model = ModelSpec()
        i = model.add(x)
        rest = [model.add(c) for c in constants]
        o = model.add(y)
        model.inputs, model.outputs = [i], [o]
        model.steps = [Step(op, [i, *rest] if first else [*rest, i], [o], dict(options))]
        return model

    return make


def constant(values: object, type: str = "INT32", **quantization: object) -> Spec:
    kinds = {"INT32": np.int32, "FLOAT32": np.float32, "INT8": np.int8, "BOOL": np.bool_}
    array = np.asarray(values, kinds[type])
    return Spec(array.shape, type, data=array, **quantization)  # type: ignore[arg-type]


def int8(*shape: int, scale: float = 0.1, zero: int = 3) -> Spec:
    return Spec(shape, "INT8", (scale,), (zero,))


def floats(*shape: int) -> Spec:
    return Spec(shape, "FLOAT32")


REFUSED: dict[str, Callable[[], ModelSpec]] = {
    "sum-int8": one("SUM", int8(1, 4, 3), int8(1, 3), constant([1]), keep_dims=False),
    "prod-int8": one("REDUCE_PROD", int8(1, 4, 3), int8(1, 3), constant([1]), keep_dims=False),
    "max-scales": one("REDUCE_MAX", int8(1, 4, 3), int8(1, 3, scale=0.2), constant([1]), keep_dims=False),
    "sqrt-int8": one("SQRT", int8(1, 4, zero=-128), int8(1, 4)),
    "log-softmax-int8": one("LOG_SOFTMAX", int8(1, 4), int8(1, 4, scale=1 / 16, zero=127)),
    "l2-int8": one("L2_NORMALIZATION", int8(1, 4), int8(1, 4, scale=1 / 128, zero=0), fused_activation_function=0),
    "local-response": one(
        "LOCAL_RESPONSE_NORMALIZATION", floats(1, 2, 2, 4), floats(1, 2, 2, 4), radius=1, bias=1.0, alpha=1.0, beta=0.5
    ),
    "softmax-scale": one("SOFTMAX", int8(1, 4), int8(1, 4, scale=1 / 128, zero=-128), beta=1.0),
    "logistic-scale": one("LOGISTIC", int8(1, 4), int8(1, 4, scale=1 / 128, zero=-128)),
    "exp-overflow": one("EXP", int8(1, 4, scale=1.0), int8(1, 4, scale=1e-3)),
    "bilinear-uint8": one(
        "RESIZE_BILINEAR", Spec((1, 2, 2, 1), "UINT8", (0.1,), (3,)), Spec((1, 4, 4, 1), "UINT8", (0.1,), (3,)),
        constant([4, 4]), align_corners=False, half_pixel_centers=False,
    ),
    "bilinear-both": one(
        "RESIZE_BILINEAR", floats(1, 2, 2, 1), floats(1, 4, 4, 1), constant([4, 4]), align_corners=True,
        half_pixel_centers=True,
    ),
    "slice-batch": one("SLICE", floats(4, 3), floats(2, 3), constant([1, 0]), constant([2, 3])),
    "gather-batch-dims": one(
        "GATHER", floats(1, 2, 3), floats(1, 2, 1), constant(np.zeros((1, 2, 1))), axis=2, batch_dims=2
    ),
    "strided-empty": one(
        "STRIDED_SLICE", floats(1, 4), floats(1, 1), constant([0, 3]), constant([1, 2]), constant([1, 1]), begin_mask=0
    ),
    "cast-int8": one("CAST", floats(1, 4), Spec((1, 4), "INT8")),
    "less-scales": one("LESS", int8(1, 4), Spec((1, 4), "BOOL"), constant([1], "INT8", scales=(2.0,), zeros=(0,))),
    "batch-to-space-batch": one(
        "BATCH_TO_SPACE_ND", floats(4, 2, 2, 1), floats(1, 4, 4, 1), constant([2, 2]), constant([[0, 0], [0, 0]])
    ),
}  # fmt: skip

SAYS = {
    "sum-int8": "unsigned", "prod-int8": "after each factor", "max-scales": "another scale",
    "sqrt-int8": "floating point", "log-softmax-int8": "logarithm", "l2-int8": "reciprocal root",
    "local-response": "last channel", "softmax-scale": "1/256", "logistic-scale": "1/256", "exp-overflow": "32 bits",
    "bilinear-uint8": "float32", "bilinear-both": "half_pixel_centers", "slice-batch": "batch of 4",
    "gather-batch-dims": "batch_dims", "strided-empty": "leaves nothing", "cast-int8": "floats to INT8",
    "less-scales": "scales below 1", "batch-to-space-batch": "batch of 4",
}  # fmt: skip
