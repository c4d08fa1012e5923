"""The recurrent layers of qkeras: those of Keras, with quantized weights, and states quantized before each step.

Source: ``qrecurrent.py`` of qkeras 0.9.0. A step reads the quantized states and hands on what it computes unquantized;
a QGRU mixes its result with the quantized state.
"""

from dataclasses import dataclass, replace
from functools import partial

from ...graph import Node
from ..attributes import Attributes
from ..keras.layers.cells import Bend, Cell, Gates, Shape, dense_cell
from ..keras.layers.recurrent import CALL, READERS, both_directions, both_weights, recurrent, recurrent_weights
from ..keras.registry import Layer, Masking, layer
from .activations import activate
from .identify import quantizer_of
from .layers import BIAS, KERNEL, Slot, ignore_ranges, parameter, read_quantizer
from .quantizer import Quantizer

RECURRENT = Slot("recurrent_kernel", "recurrent_quantizer")
LAYERS = ("QSimpleRNN", "QLSTM", "QGRU")


@dataclass(frozen=True)
class QuantizedGates(Gates):
    """Gates whose functions are those of qkeras, and which read quantized states."""

    states: Quantizer | None = None

    def functions(self) -> tuple[Bend, Bend]:
        """Read the functions of the results and of the gates."""
        keys = ("activation",) if self.kind == "SimpleRNN" else ("activation", "recurrent_activation")
        read = [partial(_apply, self.layer, key, self.layer.config.take(key)) for key in keys]
        return read[0], read[-1]

    def resets_after(self) -> bool:
        """Read whether a GRU multiplies the state before it resets it: not, where nothing is said."""
        return self.layer.config.boolean("reset_after", False)

    def held(self, state: Node) -> Node:
        """Quantize a state."""
        return self.states.nodes(state, self.layer.name) if self.states else state


def _apply(layer: Layer, key: str, value: object, x: Node) -> Node:
    return activate(replace(layer, config=Attributes({key: value}, where=layer.config.where)), x, key)


def quantized_cell(layer: Layer, x: Shape, prefix: str) -> Cell:
    """Read the cell of a recurrent layer of qkeras; ``x`` is the shape of one step."""
    ignore_ranges(layer)
    config, kind = layer.config, layer.class_name.removeprefix("Q")
    if kind == "GRU" and config.peek("recurrent_quantizer", None) is None:
        hint = "give it a recurrent_quantizer, quantized_bits(24, 7, alpha=1) for instance"
        what = "without one, qkeras 0.9 multiplies the state by the kernel of the inputs"
        raise layer.unsupported(f"a QGRU without recurrent_quantizer: {what}", hint)
    rules = {f"{prefix}{slot.weight}": parameter(read_quantizer(layer, slot)) for slot in (KERNEL, RECURRENT, BIAS)}
    where = f"{layer.place}: state_quantizer"
    states = quantizer_of(config.take("state_quantizer", None), where=where)
    plain = replace(layer, class_name=kind).with_parameters(rules)
    return dense_cell(plain, x, prefix, partial(QuantizedGates, states=states))


READERS.update(dict.fromkeys(LAYERS, quantized_cell))


def _build(layer: Layer, inputs: list[Node]) -> list[Node]:
    return recurrent(layer, inputs)


for _name in LAYERS:
    layer(_name, weights=recurrent_weights(_name), arguments=CALL, masking=Masking.OWN)(_build)


@layer("QBidirectional", weights=both_weights, arguments=CALL, masking=Masking.OWN)
def q_bidirectional(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import two recurrent layers of qkeras over one sequence."""
    return both_directions(layer, inputs)
