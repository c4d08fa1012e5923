"""What every layer of HGQ2 has: quantizers of its inputs, its weights and its output, and attributes of training.

Source: hgq/layers/core/base.py of HGQ2 0.2.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...graph import Node, ShapeError, UnsupportedError
from ..attributes import Attributes
from ..keras.registry import LAYERS, Build, Layer, Parameter, Weight
from .config import read_quantizer, variables
from .quantizer import Quantizer

TRAINING = {
    "enable_ebops": "whether training counts bit operations",
    "ebops_factor": "a factor of a term of the loss",
    "beta0": "where the weight of a term of the loss started",
    "parallelization_factor": "a hint to HLS tools, and a factor of a term of the loss; reuse is chosen when compiling",
}
"""What says nothing about inference."""

Config = Mapping[str, Any]


def ebops(config: Config, prefix: str = "") -> tuple[Weight, ...]:
    """Give the variables of the count of bit operations, which every layer stores after its own."""
    if not config.get("enable_ebops", True):
        return ()
    return tuple(Weight(f"{prefix}{name}", trainable=False, group=prefix.rstrip("/")) for name in ("beta", "ebops"))


def one_input(config: Config, prefix: str = "") -> tuple[Weight, ...]:
    """Give the variables of the quantizers of the input and of the output."""
    return (
        *(variables(config.get("iq_conf"), f"{prefix}iq") if config.get("enable_iq", True) else ()),
        *(variables(config.get("oq_conf"), f"{prefix}oq") if config.get("enable_oq") else ()),
    )


def several_inputs(config: Config) -> tuple[Weight, ...]:
    """Give the variables of a quantizer for each input, and of that of the output."""
    given = config.get("iq_confs") if config.get("enable_iq", True) else None
    confs = given if isinstance(given, list) else []
    names = ["quantizer" if n == 0 else f"quantizer_{n}" for n in range(len(confs))]
    ins = [w for n, c in zip(names, confs, strict=True) for w in variables(c, f"iq/quantizers/{n}")]
    return (*ins, *(variables(config.get("oq_conf"), "oq") if config.get("enable_oq") else ()))


def weighted(*own: Weight, biased: Callable[[Config], bool] = lambda c: bool(c.get("use_bias", True))) -> Any:
    """Give the function that lists the variables of a layer with a kernel, a bias and their quantizers.

    ``own``: further variables after those. Files hold trainable ones before the others, in the order of creation.
    """

    def stored(config: Config) -> tuple[Weight, ...]:
        mine = (Weight("kernel"), *((Weight("bias"),) if biased(config) else ()), *ebops(config), *own)
        kept = sorted((w for w in mine if w.exists(config)), key=lambda w: not w.trainable)
        bias = variables(config.get("bq_conf"), "bq") if biased(config) else ()
        return (*kept, *one_input(config), *variables(config.get("kq_conf"), "kq"), *bias)

    return stored


@dataclass(frozen=True, eq=False)
class Frame:
    """The quantizers around a layer; ``inputs`` are in order, None where there is none."""

    layer: Layer
    inputs: tuple[Quantizer | None, ...]
    output: Quantizer | None
    repeated: bool = False

    def enter(self, nodes: Sequence[Node]) -> list[Node]:
        """Quantize the inputs."""
        quantizers = self.inputs * len(nodes) if self.repeated else self.inputs
        if len(quantizers) != len(nodes):
            what = f"the layer has quantizers for {len(quantizers)} inputs, it is called with {len(nodes)}"
            raise ShapeError(what, where=self.layer.place, hint="save the model again")
        return [q.tensor(self.layer, x) if q else x for q, x in zip(quantizers, nodes, strict=True)]

    def leave(self, node: Node) -> Node:
        """Quantize the result."""
        return self.output.tensor(self.layer, node) if self.output else node


def read_frame(layer: Layer, prefix: str = "") -> Frame:
    """Read the quantizers of inputs and output, and what only matters in training."""
    config = layer.config
    config.ignore_all(TRAINING)
    config.expect("quantization_config", None, hint="load the model before it was quantized by Keras")
    enabled = config.boolean("enable_iq", True)
    out = (
        read_quantizer(layer, config.take("oq_conf", None), f"{prefix}oq")
        if config.boolean("enable_oq", False)
        else None
    )
    config.ignore("oq_conf", why="without effect where enable_oq is false")
    if "iq_confs" in config:
        return Frame(layer, _input_quantizers(layer, config.take("iq_confs"), enabled), out, repeated=not enabled)
    conf = config.take("iq_conf", None)
    return Frame(layer, (read_quantizer(layer, conf, f"{prefix}iq") if enabled else None,), out)


def _input_quantizers(layer: Layer, confs: Any, enabled: bool) -> tuple[Quantizer | None, ...]:
    if not enabled:
        return (None,)
    if not isinstance(confs, list):
        raise layer.config.refusal("iq_confs", confs, "a list with one configuration for each input")
    names = ["quantizer" if n == 0 else f"quantizer_{n}" for n in range(len(confs))]
    return tuple(read_quantizer(layer, c, f"iq/quantizers/{n}") for n, c in zip(names, confs, strict=True))


def weight_rule(quantizer: Quantizer | None) -> Parameter:
    """Make the rule that quantizes a stored weight."""

    def rule(layer: Layer, name: str, values: Any) -> Node:
        return quantizer.constant(layer, name, values) if quantizer else layer.constant(values, name)

    return rule


def weight_rules(layer: Layer, biased: bool) -> dict[str, Parameter]:
    """Read the quantizers of kernel and bias."""
    kernel = read_quantizer(layer, layer.config.take("kq_conf", None), "kq")
    conf = layer.config.take("bq_conf", None)
    return {
        "kernel": weight_rule(kernel),
        "bias": weight_rule(read_quantizer(layer, conf, "bq") if biased else None),
    }


def rest(layer: Layer, **changes: Any) -> Layer:
    """Give the layer as one of Keras, with what is not read yet; its attributes need a ``done``."""
    values = {key: layer.config.take(key) for key in layer.config.unread}
    return replace(layer, config=Attributes({**values, **changes}, where=layer.config.where))


def like(base: str, weights: bool = False) -> Build:
    """Give the builder of a layer that is Keras's ``base`` between quantizers; with ``weights``, of quantized ones."""

    def build(layer: Layer, inputs: list[Node]) -> Node:
        frame = read_frame(layer)
        rules = weight_rules(layer, bool(layer.config.peek("use_bias", True))) if weights else {}
        if base not in LAYERS:
            raise UnsupportedError(f"{base} is not one of the layers that are known", where=layer.place)
        inner = rest(layer)
        with inner.config:
            result = LAYERS[base].build(inner.with_parameters(rules), frame.enter(inputs))
        assert isinstance(result, Node)
        return frame.leave(result)

    return build
