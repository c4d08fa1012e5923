"""Attention of HGQ2: projections by einsum, a softmax by tables; with linear projections of keys and values in front.

Source: hgq/layers/attn/mha.py and linformer.py of HGQ2 0.2, multi_head_attention.py of Keras 3.15.
"""

import string
from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np

from ...graph import Node, ShapeError
from ...graph.arrays import NDArray
from ...graph.ops import Add
from ..attributes import Attributes
from ..keras.layers.common import single
from ..keras.registry import Layer, Masking, Weight, layer
from .config import read_quantizer, variables
from .einsum import Named, contract
from .frame import TRAINING, Config, ebops, one_input, weight_rule
from .quantizer import Quantizer
from .softmax import TABLES
from .softmax import apply as softmax
from .softmax import stored as softmax_weights

PARTS = ("query_dense", "key_dense", "value_dense", "output_dense")
SHARED = {"none": (), "kv": ("value_dense",), "qkv": ("query_dense", "value_dense")}
"""Projections whose input quantizer is that of the key's (files hold it once, there)."""
MASKS = ("query_mask", "value_mask", "key_mask", "attention_mask")
Letters = str


def _part(config: Config, name: str, conf_of_output: bool, biased: bool, own_input: bool = True) -> tuple[Weight, ...]:
    """Give the variables of one projection."""
    frame = {
        "enable_iq": own_input and (config.get("enable_iq", True) or name == "output_dense"),
        "iq_conf": config.get("qkvo_iq_conf"),
        "enable_oq": conf_of_output,
        "oq_conf": config.get("qkvo_oq_conf"),
    }
    own = (Weight(f"{name}/kernel", group=name), *((Weight(f"{name}/bias", group=name),) if biased else ()))
    quantizers = variables(config.get("qkvo_kq_conf"), f"{name}/kq")
    bias = variables(config.get("qkvo_bq_conf"), f"{name}/bq") if biased else ()
    return (*own, *ebops(config, f"{name}/"), *one_input(frame, f"{name}/"), *quantizers, *bias)


def _softmax_config(config: Config) -> dict[str, Any]:
    """Give the configuration of the softmax inside."""
    confs = {key: config.get(f"softmax_{key}") for key in TABLES}
    return {
        **confs,
        "enable_ebops": config.get("enable_ebops", True),
        "enable_oq": True,
        "oq_conf": config.get("softmax_oq_conf"),
        "enable_iq": False,
        "iq_conf": None,
        "stable": config.get("stable_softmax", True),
        "allow_heterogeneous_table": True,
    }


def _stored(config: Config) -> tuple[Weight, ...]:
    biased, shared = bool(config.get("use_bias", True)), SHARED.get(str(config.get("fuse", "none")), ())
    parts = [
        _part(config, n, n != "output_dense", biased and n != "key_dense", n not in shared) for n in PARTS
    ]  # fmt: skip
    return (*(w for p in parts for w in p), *softmax_weights(_softmax_config(config), "_softmax/"), *ebops(config))


@layer("hgq>QMultiHeadAttention", weights=_stored, arguments=("query", "value", "key"), masking=Masking.REFUSE)
def attention(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import attention over the axes between batch and channels."""
    query, value, key = _operands(layer, inputs)
    return _attend(layer, query, value, key, _read(layer))


def _operands(layer: Layer, inputs: list[Node]) -> tuple[Node, Node, Node]:
    """Give query, value and key as the call names them; the key is the value where it is not given."""
    for name in MASKS:
        if layer.call.take(name, None) is not None:
            raise layer.unsupported(f"a call with {name}", "masks are not carried; use_causal_mask is")
    query = single(layer, inputs)
    value = _tensor(layer, "value", query)
    return query, value, _tensor(layer, "key", value)


def _tensor(layer: Layer, name: str, default: Node) -> Node:
    found = layer.call.take(name, None)
    if found is None:
        return default
    if not isinstance(found, Node):
        raise layer.call.refusal(name, found, "give one tensor")
    return found


def _read(layer: Layer) -> Attributes:
    """Read what is common; the rest of the attributes stay to be read."""
    config = layer.config
    config.ignore_all(TRAINING)
    config.ignore("dropout", "seed", why="noise of training, absent at inference")
    config.ignore("softmax_iq_conf", why="HGQ2 does not use it: the softmax inside has no quantizer of its input")
    config.ignore("softmax_allow_heterogeneous_table", why="the stored bits say it")
    config.expect("use_gate", False, hint="HGQ2 ignores the gate; build the layer without it")
    config.expect("sliding_window", None, hint="HGQ2 ignores the window; build the layer without it")
    config.expect("enable_oq", False, hint="HGQ2 0.2 cannot build it with an output quantizer; add a Quantizer layer")
    config.ignore("oq_conf", why="without effect where enable_oq is false")
    _check_sizes(layer, config)
    return config


def _check_sizes(layer: Layer, config: Attributes) -> None:
    """Compare heads and sizes with the weights. Raises ShapeError where they are of another model."""
    heads, size = config.integer("num_heads", low=1), config.integer("key_dim", low=1)
    value = size if config.take("value_dim", None) is None else config.integer("value_dim", low=1)
    config.boolean("use_bias", True)
    for name, last in zip(PARTS, (size, size, value), strict=False):
        kernel = layer.weights.get(f"{name}/kernel")
        if kernel is not None and kernel.shape[1:] != (heads, last):
            what = f"the kernel of {name} has shape {kernel.shape}, {heads} heads of {last} are stated"
            raise ShapeError(what, where=layer.place, hint="configuration and weights are of different models")


def _attend(layer: Layer, query: Node, value: Node, key: Node, config: Attributes) -> list[Node]:
    fuse = config.choice("fuse", *SHARED, default="none")
    _check_axes(layer, config, len(query.shape))
    confs = {n: config.take(f"qkvo_{n}_conf") for n in ("iq", "kq", "bq", "oq")}
    biased, enabled = bool(config.peek("use_bias", True)), config.boolean("enable_iq", True)
    space = tuple(query.shape[:-1]), tuple(key.shape[:-1])
    if value.shape[:-1] != space[1]:
        raise ShapeError(f"values of shape {value.shape} for keys of shape {key.shape}", where=layer.place)
    rank = [len(s) for s in space]
    q, k, v = (
        project(
            layer, f"{name}/", x, _equation(n, 1, 2), confs,
            biased=biased and name != "key_dense", entered=enabled, left=True,
            input_of="key_dense/" if name in SHARED[fuse] else f"{name}/",
        )
        for name, x, n in zip(PARTS, (query, key, value), (rank[0], rank[1], rank[1]), strict=False)
    )  # fmt: skip
    t, s = string.ascii_lowercase[: rank[0]], string.ascii_uppercase[: rank[1]]
    scores = contract(layer, [Named(k, f"{s}yz"), Named(q, f"{t}yz")], f"y{t}{s}")
    scores = _weigh(layer, scores, space, config)
    mixed = contract(layer, [Named(scores, f"y{t}{s}"), Named(v, f"{s}yz")], f"{t}yz")
    kernel = layer.weights.get("output_dense/kernel")
    outs = max(1, 0 if kernel is None else kernel.ndim - 2)
    result = project(
        layer, "output_dense/", mixed, _equation(rank[0], 2, outs), confs, biased=biased, entered=True, left=False
    )
    _check_output(layer, config, result.shape[rank[0] :], query.shape[-1])
    return [result, scores] if layer.call.boolean("return_attention_scores", False) else [result]


def _check_output(layer: Layer, config: Attributes, sizes: tuple[int, ...], channels: int) -> None:
    value = config.take("output_shape", None)
    stated = [value] if isinstance(value, int) else value or [channels]
    if list(sizes) != stated:
        raise config.refusal("output_shape", value, f"the weights give {sizes}")


def _check_axes(layer: Layer, config: Attributes, rank: int) -> None:
    value = config.take("attention_axes", None)
    axes = [value] if isinstance(value, int) else value
    if axes is not None and axes != list(range(1, rank)):
        raise config.refusal("attention_axes", value, f"attention over all axes but the last: {list(range(1, rank))}")


def _equation(space: int, bound: int, new: int) -> tuple[Letters, Letters, Letters]:
    """Give letters for a projection of ``bound`` last axes to ``new`` ones, the others kept."""
    kept, old, out = string.ascii_lowercase[:space], string.ascii_uppercase[:bound], string.ascii_uppercase[10:][:new]
    return kept + old, old + out, kept + out


def project(
    layer: Layer, prefix: str, x: Node, letters: tuple[Letters, Letters, Letters], confs: Mapping[str, Any], *,
    biased: bool, entered: bool, left: bool, input_of: str = "",
) -> Node:  # fmt: skip
    """Apply an einsum inside of the layer, whose variables stand under ``prefix``, between its quantizers."""
    quantizer = read_quantizer(layer, confs["iq"], f"{input_of or prefix}iq") if entered else None
    x = quantizer.tensor(layer, x) if quantizer else x
    kernel = _constant(layer, f"{prefix}kernel", read_quantizer(layer, confs["kq"], f"{prefix}kq"))
    if len(kernel.shape) != len(letters[1]):
        raise ShapeError(f"a kernel of shape {kernel.shape}", where=layer.place, hint="save the model again")
    y = contract(layer, [Named(x, letters[0]), Named(kernel, letters[1])], letters[2])
    if biased:
        bias = _constant(layer, f"{prefix}bias", read_quantizer(layer, confs["bq"], f"{prefix}bq"))
        y = layer.node(Add(), y, bias)
    out = read_quantizer(layer, confs["oq"], f"{prefix}oq") if left else None
    return out.tensor(layer, y) if out else y


def _constant(layer: Layer, name: str, quantizer: Quantizer | None) -> Node:
    if name not in layer.weights:
        raise ShapeError(f"the file has no weight {name!r}", where=layer.place, hint="save the weights again")
    return weight_rule(quantizer)(layer, name, layer.weights[name])


def _weigh(layer: Layer, scores: Node, space: tuple[tuple[int, ...], tuple[int, ...]], config: Attributes) -> Node:
    """Apply the softmax over the keys. The scale of the scores is in its exponent."""
    settings = _softmax_config({key: config.take(key, None) for key in _SOFTMAX if key in config})
    axes = list(range(len(space[0]) + 2, len(space[0]) + len(space[1]) + 2))
    settings.update(axes=axes, input_scaler=1.0 / sqrt(config.integer("key_dim", low=1)))
    inner = replace(layer, config=Attributes(settings, where=f"{layer.place}: softmax"))
    mask: NDArray | None = None
    if layer.call.boolean("use_causal_mask", False):
        if len(space[0]) != 1 or len(space[1]) != 1:
            raise layer.unsupported("a causal mask over several axes", "flatten the axes before")
        mask = np.arange(space[0][0])[:, None] >= np.arange(space[1][0])
    with inner.config:
        return softmax(inner, scores, mask, "_softmax/")


_SOFTMAX = ("enable_ebops", "stable_softmax", "softmax_oq_conf", *(f"softmax_{key}" for key in TABLES))


# Linformer


def _check_projection(layer: Layer, config: Attributes) -> None:
    stated, kernel = config.take("lin_kv_proj_dim"), layer.weights.get("_lin_k_proj/kernel")
    sizes = [stated] if isinstance(stated, int) else stated
    if kernel is not None and list(kernel.shape[kernel.ndim // 2 :]) != sizes:
        raise config.refusal("lin_kv_proj_dim", stated, f"the weights have {kernel.shape}")


def _linformer_stored(config: Config) -> tuple[Weight, ...]:
    names = ("_lin_k_proj",) if config.get("share_kv_proj") else ("_lin_k_proj", "_lin_v_proj")
    frame = {"iq_conf": config.get("qkvo_iq_conf"), "oq_conf": config.get("qkvo_oq_conf")}
    own = (
        w
        for n in names
        for w in (
            Weight(f"{n}/kernel", group=n),
            *ebops(config, f"{n}/"),
            *one_input(frame, f"{n}/"),
            *variables(config.get("qkvo_kq_conf"), f"{n}/kq"),
        )
    )
    return (*own, *_stored(config))


@layer(
    "hgq>QLinformerAttention", weights=_linformer_stored, arguments=("query", "value", "key"), masking=Masking.REFUSE
)
def linformer(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import attention whose keys and values are mixed along their axis first, to fewer."""
    query, value, key = _operands(layer, inputs)
    config = _read(layer)
    if layer.call.boolean("use_causal_mask", False):
        raise layer.unsupported("a causal mask in linformer attention", "HGQ2 refuses it too")
    config.choice("lin_kv_proj_mode", "dense", default="dense")
    _check_projection(layer, config)
    shared = config.boolean("share_kv_proj", False)
    confs = {n: config.peek(f"qkvo_{n}_conf") for n in ("iq", "kq", "bq", "oq")}
    rank = len(key.shape) - 1
    kept, new = string.ascii_lowercase[:rank], string.ascii_uppercase[:rank]
    letters = (f"{kept}z", kept + new, f"{new}z")
    names = "_lin_k_proj/", "_lin_k_proj/" if shared else "_lin_v_proj/"
    key, value = (
        project(layer, n, x, letters, confs, biased=False, entered=True, left=False)
        for n, x in zip(names, (key, value), strict=True)
    )
    return _attend(layer, query, value, key, config)
