"""Layers that read whole numbers or give them: Embedding, CategoryEncoding, Discretization; and Masking."""

from typing import Any

import numpy as np

from ....graph import Array, Fixed, Node, ShapeError
from ....graph.formats import Overflow, Rounding
from ....graph.ops import Constant, Quantize, Reduce, Reduction, Step, Sub, Take
from ..ignored import ignore_training
from ..masks import bits, differs, kept, some
from ..registry import Layer, Masking, layer
from . import quantized
from .common import reshape, single
from .projection import expect_plain

MAX_DEPTH = 1 << 16


@layer("Embedding", weights=quantized.weights("embeddings", biased=None), masking=Masking.OWN)
def embedding(layer: Layer, inputs: list[Node]) -> Node:
    """Import rows of a table, picked by whole numbers; the others are cut off toward zero, as Keras casts them."""
    x, config = single(layer, inputs), layer.config
    rows, width = config.integer("input_dim", low=1), config.integer("output_dim", low=1)
    expect_plain(layer)
    config.expect("sparse", False, None, hint="use dense gradients")
    config.ignore("weights", why="where they started; the trained ones are in the file")
    table = _table(layer, rows, width)
    y = layer.node(Take(0), table, whole(layer, x, rows))
    if config.boolean("mask_zero", False):
        layer.masks.of[y] = differs(layer, x, 0.0)
    return y


def _table(layer: Layer, rows: int, width: int) -> Node:
    match quantized.check(layer):
        case "":
            return layer.parameter("embeddings", (rows, width))
        case "int8":
            numbers = layer.array("embeddings", (rows, width)).astype(np.float32)
            return layer.constant(numbers / layer.array("embeddings_scale", (rows,))[:, None], "embeddings/real")
        case _:
            return layer.constant(
                quantized.grouped(layer, "embeddings", rows, width, along_rows=False), "embeddings/real"
            )


def whole(layer: Layer, x: Node, count: int) -> Node:
    """Give indices below ``count``; what is beyond stays beyond, and is an error where it is used."""
    bits = count.bit_length() + 1
    index = Fixed(bits, bits)
    if x.type.is_integer and x.type.format == index:
        return x
    return layer.node(Quantize(index, Rounding.TRN_ZERO, Overflow.SAT, "an index is a whole number"), x)


@layer("Masking", masking=Masking.OWN)
def masking(layer: Layer, inputs: list[Node]) -> Node:
    """Import the mask of the steps that are not all one value, and 0 for the others."""
    x = single(layer, inputs)
    if len(x.shape) < 1:
        raise ShapeError(f"Masking reads a sequence, it is given {x.shape}", where=layer.place)
    mask = some(layer, differs(layer, x, layer.config.real("mask_value", 0.0)), len(x.shape) - 1)
    y = kept(layer, mask, x)
    layer.masks.of[y] = mask
    return y


@layer("CategoryEncoding")
def category_encoding(layer: Layer, inputs: list[Node]) -> Node:
    """Import 0 and 1 (or counts) for each of a number of categories."""
    depth = layer.config.integer("num_tokens", low=1)
    mode = layer.config.choice("output_mode", "one_hot", "multi_hot", "count", "binary", default="multi_hot")
    layer.config.expect("sparse", False, None, hint="ask for dense results")
    return _encoded(layer, single(layer, inputs), depth, "multi_hot" if mode == "binary" else mode)


def _encoded(layer: Layer, x: Node, depth: int, mode: str) -> Node:
    if len(x.shape) > (2 if mode == "one_hot" else 1) or depth > MAX_DEPTH:
        raise layer.unsupported(f"{mode} of {depth} categories for {x.shape}", "encode vectors, before the model")
    if mode == "one_hot" and x.shape and x.shape[-1] == 1:
        x = reshape(layer, x, x.shape[:-1])
    shape = (*x.shape, 1) if mode == "one_hot" or x.shape else (1, 1)
    apart = layer.node(Sub(), reshape(layer, x, shape), _numbers(layer, np.arange(depth)))
    hot = bits(layer, apart, [0.0, float(np.nextafter(np.float32(0), np.float32(1)))], [0, 1, 0])
    if mode == "one_hot":
        return hot
    return layer.node(Reduce(Reduction.MAX if mode == "multi_hot" else Reduction.SUM, (0,)), hot)


def _numbers(layer: Layer, values: Any) -> Node:
    values = np.asarray(values, np.int64)
    width = max(1, int(values.max(initial=0)).bit_length())
    return Node(Constant(Array(values), Fixed(width, width, signed=False)), (), layer.name)


@layer("Discretization")
def discretization(layer: Layer, inputs: list[Node]) -> Node:
    """Import the number of boundaries that a value reaches."""
    x, config = single(layer, inputs), layer.config
    ignore_training(config, "num_bins")
    config.ignore("epsilon", why="how adapt finds the boundaries, which are in the file")
    config.expect("sparse", False, None, hint="ask for dense results")
    given = config.take("bin_boundaries", None)
    if not isinstance(given, list) or not given or sorted(map(float, given)) != list(map(float, given)):
        raise config.refusal("bin_boundaries", given, "build the layer with ascending boundaries")
    config.choice("dtype", "float32", "int32", "int64", None, default=None, hint="set the policy float32")
    mode = config.choice("output_mode", "int", "one_hot", "multi_hot", "count", default="int")
    edges = layer.constant(np.array(given, np.float32))
    found = layer.node(Step(), x, edges, _numbers(layer, np.arange(len(given) + 1)))
    if mode != "int":
        return _encoded(layer, found, len(given) + 1, mode)
    layer.masks.types[found] = "int"
    return found
