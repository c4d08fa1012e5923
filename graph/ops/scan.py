"""Recurrence: one body graph, run once for each step, its states handed on."""

from dataclasses import dataclass

from ..errors import ShapeError
from ..formats import Float
from ..node import Graph, Op, infer
from ..tensor import Tensor, check_size


@dataclass(frozen=True)
class Scan(Op):
    """Run ``body`` for each of ``steps`` steps, handing its states on from one to the next.

    Inputs: ``sequences`` tensors [steps, ...], ``states`` initial states, then whatever else every step reads. The
    body's inputs are one step of each sequence [...], the states, the rest; its outputs are the next states, then one
    emission. Gives the emissions [steps, ...], or the last of them with ``last``. With ``reverse`` the steps run from
    the end of the sequences to their start, and the emission of a step stands where its operands do.

    An input of the body in floating point takes operands of any format; one of integers takes its own format only.
    """

    body: Graph
    steps: int
    sequences: int
    states: int
    reverse: bool = False
    last: bool = False


@infer.register
def _(op: Scan, *operands: Tensor) -> Tensor:
    _check_counts(op, len(operands))
    for i, (operand, entry) in enumerate(zip(operands, op.body.inputs, strict=True)):
        lead = (op.steps,) if i < op.sequences else ()
        _check_operand(op, f"operand {i}", operand, Tensor((*lead, *entry.shape), entry.type.format))
    entries = op.body.inputs[op.sequences : op.sequences + op.states]
    for i, (entry, output) in enumerate(zip(entries, op.body.outputs, strict=False)):
        _check_operand(op, f"the next state {i}", output.type, entry.type)
    emitted = op.body.outputs[-1].type
    shape = emitted.shape if op.last else (op.steps, *emitted.shape)
    check_size(shape)
    return Tensor(shape, emitted.format, emitted.low, emitted.high)


def _check_counts(op: Scan, operands: int) -> None:
    if op.steps < 1 or op.sequences < 0 or op.states < 0 or op.sequences + op.states > operands:
        what = f"a scan of {op.steps} steps over {op.sequences} sequences with {op.states} states"
        raise ShapeError(f"{what} reads {operands} operands")
    if op.body.states:
        raise ShapeError("the body of a scan has states of its own")
    if len(op.body.inputs) != operands or len(op.body.outputs) != op.states + 1:
        found = f"{len(op.body.inputs)} inputs and {len(op.body.outputs)} outputs"
        raise ShapeError(f"the body of a scan has {found}, not {operands} and {op.states + 1}")


def _check_operand(op: Scan, name: str, given: Tensor, entry: Tensor) -> None:
    fits = isinstance(entry.format, Float) or given.format == entry.format
    if given.shape != entry.shape or not fits:
        raise ShapeError(f"{name} of a scan is {given}, its body reads {entry}")
