"""Tables of functions against the reference kernels: every integer of 8 and 16 bits, many scales, recorded.

``tests/record/tflite_tables.py`` writes what the kernels give.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.frontend.attributes import Attributes
from gatewright.frontend.tflite import operators  # noqa: F401 - fills the table
from gatewright.frontend.tflite.gates import sigmoid16, tanh16
from gatewright.frontend.tflite.model import Tensor
from gatewright.frontend.tflite.registry import OPERATORS, Call, Flow
from gatewright.graph import Node
from gatewright.graph.ops import Input, Lookup
from tests.record.tflite_tables import KERNELS, cases, digest

PATH = Path(__file__).parents[2] / "data" / "tflite" / "tables.npz"


def table(model: Any) -> np.ndarray:
    """The entries that the importer makes for a model of one function."""
    x, y = (Tensor(i, f"t{i}", s.shape, s.type, tuple(s.scales), tuple(s.zeros)) for i, s in enumerate(model.tensors))
    flow = Flow(Node(Input("x", x.shape[1:], x.format)), x)  # type: ignore[arg-type]
    step = model.steps[0]
    call = Call(step.op, "f", "file", 1, [flow], [y], Attributes(step.options), 1)
    node = OPERATORS[step.op].build(call)
    call.done()
    assert isinstance(node, Node)
    assert isinstance(node.op, Lookup)
    assert node.op.offset == x.bounds[0]
    assert node.inputs[1].type.value is not None
    return node.inputs[1].type.value.data


@pytest.mark.parametrize(("op", "kind"), [(op, kind) for op, kinds in KERNELS.items() for kind in kinds])
def test_every_integer(op: str, kind: str) -> None:
    with np.load(PATH) as recorded:
        seen = 0
        for k, (model, _) in enumerate(cases(op, kind)):
            if f"{op} {kind} {k}" not in recorded:
                continue
            seen, wanted, made = seen + 1, recorded[f"{op} {kind} {k}"], table(model)
            if kind == "INT16":
                assert digest(made) == str(wanted), (k, model)
            else:
                np.testing.assert_array_equal(made, wanted.astype(np.int64), err_msg=f"{k} {model}")
        assert seen >= 5


def test_gates_are_near_the_functions() -> None:
    q = np.arange(-32768, 32768)
    np.testing.assert_allclose(sigmoid16() / 2**15, 1 / (1 + np.exp(-q / 2**12)), atol=3e-4)
    for bits in range(7):
        np.testing.assert_allclose(tanh16(bits) / 2**15, np.tanh(q / 2.0 ** (15 - bits)), atol=6e-4)


@pytest.mark.live
def test_the_record_is_what_the_kernels_give() -> None:
    pytest.importorskip("tensorflow")
    from tests.fuzz.tflite_build import Reference, to_bytes

    with np.load(PATH) as recorded:
        for op, kind in (("LOGISTIC", "INT8"), ("GELU", "UINT8"), ("TANH", "INT16"), ("HARD_SWISH", "INT8")):
            for k, (model, x) in enumerate(cases(op, kind)):
                if f"{op} {kind} {k}" in recorded:
                    (y,) = Reference(to_bytes(model))([x[None]])
                    got = digest(y) if kind == "INT16" else y.ravel().tolist()
                    assert got == recorded[f"{op} {kind} {k}"].tolist()
