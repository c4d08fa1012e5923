"""Constants, shapes, and operators that change nothing at inference."""

import numpy as np

from ....graph import NDArray, Node
from ..registry import Call, Known, Value, operator

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
    return call.full(call.flow().shape)


@operator("Identity")
def identity(call: Call) -> Value:
    """Give the input."""
    return call.value(0)


@operator("Dropout")
def dropout(call: Call) -> list[Node]:
    """Do nothing, as at inference: nothing is dropped. Raises UnsupportedError in training mode."""
    x = call.flow()
    call.attributes.ignore("ratio", "seed", why="only training drops values")
    call.optional(1)  # the ratio: only training uses it
    training = call.known(2)
    if training is not None and bool(np.any(training)):
        raise call.refuse("training_mode = 1", "export the model for inference (model.eval())")
    mask = np.ones(x.shape, np.int64) if call.outputs > 1 else None
    return [x] if mask is None else [x, call.constant(mask, "mask")]


def uniform(values: NDArray | None) -> float | None:
    """Give the number that all elements are, None where they differ or there is none."""
    if values is None or not values.size or bool((values != values.ravel()[0]).any()):
        return None
    return float(values.ravel()[0])
