"""Constants, shapes, and operators that change nothing at inference."""

import numpy as np

from ....graph import NDArray
from ..coding import numbers
from ..registry import Call, Flow, Known, Value, operator

SCALARS = {"value_float": np.float32, "value_int": np.int64}
LISTS = {"value_floats": np.float32, "value_ints": np.int64}


@operator("Constant")
def constant(call: Call) -> Known:
    """Give the one value that is there; strings have no use in a network."""
    given = [key for key in ("value", "sparse_value", *SCALARS, *LISTS) if key in call.attributes]
    if len(given) != 1:
        raise call.refuse(
            f"a constant with {len(given)} numeric values ({', '.join(given)})",
            "give exactly one; strings are not supported",
        )
    key = given[0]
    value = call.attributes.take(key)
    if key in SCALARS or key in LISTS:
        value = np.asarray(value, (SCALARS | LISTS)[key])
    return Known((np.asarray(value),))


@operator("Shape")
def shape(call: Call) -> Known:
    """Give the shape of a computed tensor, the batch as one of the lengths that are tried."""
    start, end = call.attributes.integer("start", 0), call.attributes.take("end", None)
    return Known.of(*(np.array(s[start:end], np.int64) for s in _shapes(call)))


@operator("Size")
def size(call: Call) -> Known:
    """Count the elements of a computed tensor."""
    return Known.of(*(np.array(np.prod(s), np.int64) for s in _shapes(call)))


def _shapes(call: Call) -> list[tuple[int, ...]]:
    return [(length, *call.flow().shape) for length in call.batch.lengths]


@operator("Identity")
def identity(call: Call) -> Value:
    """Give the input."""
    return call.value(0)


@operator("Cast")
def cast(call: Call) -> Value:
    """Accept casts between float32 and float64: everything is computed in float32."""
    import onnx

    wide = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
    call.attributes.choice(
        "to", *map(int, wide), hint="only casts to float32 and float64; quantizers are not written as casts"
    )
    call.attributes.ignore("saturate", "round_mode", why="they act on casts to types of 8 bits and fewer")
    q = call.coded(0)
    return Flow(call.flow() if q is None else numbers(call, q))


@operator("CastLike")
def cast_like(call: Call) -> Value:
    """Accept casts to the type of a float tensor."""
    like = call.value(1)
    if isinstance(like, Known) and like.variants[0].dtype not in (np.float32, np.float64):
        raise call.refuse(f"a cast to {like.variants[0].dtype}", "only casts to float32 and float64")
    call.attributes.ignore("saturate", "round_mode", why="they act on casts to types of 8 bits and fewer")
    return Flow(call.flow())


@operator("Dropout")
def dropout(call: Call) -> Value:
    """Do nothing, as at inference. Raises UnsupportedError in training mode."""
    call.attributes.ignore("ratio", "seed", why="only training drops values")
    call.optional(1)  # the ratio: only training uses it
    training = call.known(2)
    if training is not None and bool(np.any(training)):
        raise call.refuse("training_mode = 1", "export the model for inference (model.eval())")
    return Flow(call.flow())


def uniform(values: NDArray | None) -> float | None:
    """Give the number that all elements are, None where they differ or there is none."""
    if values is None or not values.size or bool((values != values.ravel()[0]).any()):
        return None
    return float(values.ravel()[0])
