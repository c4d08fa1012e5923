"""One case of each operator on whole numbers, truth values, choices and computed places."""

import numpy as np
from onnx import TensorProto

from .cases import Case, In, floats, ints

TRUTH = In((6,), 0, 1, "bool")
BYTE, SHORT, SMALL = In((6,), -128, 127, "int8"), In((6,), -(2**15), 2**15 - 1, "int16"), In((6,), 0, 255, "uint8")
IMAGE, EACH = In((4, 5, 6)), In((4, 5, 6), -5, 4, "int64")
NEAR = In((6,), -2, 2, "int32")

CASES: dict[str, Case] = {
    **{op: Case(op, (TRUTH, TRUTH)) for op in ("And", "Or", "Xor")},
    **{op: Case(op, (NEAR, NEAR)) for op in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")},
    **{op: Case(op, (BYTE, BYTE)) for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")},
    "Not": Case("Not", (TRUTH,)),
    "BitwiseNot": Case("BitwiseNot", (SMALL,)),
    "BitShift": Case("BitShift", (SMALL, In((6,), 0, 7, "uint8")), {"direction": "LEFT"}),
    "IsNaN": Case("IsNaN", (In((6,)),)),
    "IsInf": Case("IsInf", (In((6,)),), {"detect_negative": 0}),
    "Mod": Case("Mod", (SHORT, In((6,), 1, 9, "int16"))),
    "SwiGLU": Case("SwiGLU", (In((6,)), In((6,))), {"alpha": 1.5}),
    "GatherElements": Case("GatherElements", (IMAGE, In((2, 5, 6), -4, 3, "int64")), {"axis": 1}),
    "GatherND": Case("GatherND", (IMAGE, In((7, 2), -4, 3, "int64")), {"batch_dims": 1}),
    "ScatterElements": Case("ScatterElements", (IMAGE, EACH, IMAGE), {"axis": 2, "reduction": "add"}),
    "Scatter": Case("Scatter", (In((4,)), ints(1, 3)[None], floats(1, 2)), {"axis": 1}, opset=9, batch=1),
    "ScatterND": Case("ScatterND", (IMAGE, In((2,), 0, 2, "int64"), In((5, 6))), {"reduction": "max"}, batch=3),
    "TensorScatter": Case("TensorScatter", (In((5, 4)), In((2, 4)), In((), 0, 9, "int64")), {"mode": "circular"}),
    "OneHot": Case("OneHot", (In((3,), -6, 6, "int64"), np.int64(5), floats(2)), {"axis": 1}),
    "ReverseSequence": Case("ReverseSequence", (IMAGE, In((), 1, 4, "int64")), {"batch_axis": 0, "time_axis": 1}),
    "TopK": Case("TopK", (In((5, 6), -2, 2, "int32"), ints(3)), {"axis": 1}, outputs=2),
    "ArgMax": Case("ArgMax", (In((5, 6), -2, 2, "int32"),), {"axis": 1, "select_last_index": 1}),
    "ArgMin": Case("ArgMin", (In((5, 6), -2, 2, "int32"),), {"axis": -1, "keepdims": 0}),
    "Hardmax": Case("Hardmax", (In((5, 6)),), {"axis": 1}),
    "CumSum": Case("CumSum", (IMAGE, np.int64(2)), {"exclusive": 1, "reverse": 1}),
    "CumProd": Case("CumProd", (IMAGE, np.int64(-1)), {"exclusive": 1, "reverse": 1}),
    "Compress": Case("Compress", (IMAGE, np.array([True, False, True])), {"axis": 2}),
    "EyeLike": Case("EyeLike", (In((5,)),), {"k": 1}, batch=3),
}
"""By operator."""

MORE: list[Case] = [
    *(Case("ScatterElements", (IMAGE, EACH, IMAGE), {"axis": 2, "reduction": r}) for r in ("max", "min", "mul")),
    Case("ScatterElements", (In((9,)), ints(3, -1, 0)[None], floats(1, 3)), {"axis": 1}, batch=1),
    Case("Gather", (floats(4, 5), In((2, 3), -4, 3, "int64"))),
    Case("Gather", (In((4, 5)), In((2,), -3, 2, "int64")), {"axis": 0}, batch=3),
    Case("Gather", (In((4, 5)), In((2,), -4, 3, "int32")), {"axis": 1}, batch=3),
    Case("GatherND", (floats(4, 5), In((2, 2), -4, 3, "int64"))),
    Case("OneHot", (In((3,), -6, 6, "int64"), np.int64(5), ints(3, 7))),
    *(Case("TopK", (In((5, 6)), ints(4)), {"axis": 1, "largest": n}, outputs=2) for n in (0, 1)),
    Case("TopK", (In((5,)),), {"k": 2}, opset=9, outputs=2),
    *(Case(op, (In((5, 6), -1, 1, "int8"),), {"axis": 2}) for op in ("ArgMax", "ArgMin")),
    *(Case("CumSum", (IMAGE, np.int32(1)), {"exclusive": e, "reverse": r}) for e in (0, 1) for r in (0, 1)),
    *(Case("CumProd", (IMAGE, np.int32(1)), {"exclusive": e, "reverse": r}) for e in (0, 1) for r in (0, 1)),
    Case("CumSum", (In((5,), -9, 9, "int32"), np.int32(1))),
    Case("Compress", (In((5,)), np.array([0, 1, 1, 0, 1], bool)), batch=1),
    Case("Not", (TRUTH,), opset=7),
    Case("BitShift", (SMALL, In((6,), 0, 7, "uint8")), {"direction": "RIGHT"}),
    Case("BitShift", (In((6,), 0, 2**16 - 1, "uint16"), In((6,), 0, 15, "uint16")), {"direction": "LEFT"}),
    Case("Mod", (SHORT, In((6,), -9, -1, "int16"))),
    Case("Mod", (SHORT, In((6,), 1, 9, "int16")), {"fmod": 1}),
    Case("Mod", (In((6,), -9, 9), In((6,), 0.5, 3)), {"fmod": 1}),
    Case("Add", (BYTE, BYTE)),
    Case("Sub", (SMALL, SMALL)),
    Case("Mul", (SHORT, SHORT)),
    Case("Mul", (In((6,), -(2**31), 2**31 - 1, "int32"), In((6,), -(2**31), 2**31 - 1, "int32"))),
    Case("Neg", (In((6,), -128, -126, "int8"),)),
    Case("Abs", (In((6,), -128, -126, "int8"),)),
    Case("Sign", (NEAR,)),
    Case("Relu", (BYTE,)),
    Case("Max", (BYTE, BYTE, BYTE)),
    Case("Min", (BYTE, BYTE)),
    Case("Where", (TRUTH, In((6,)), In((6,)))),
    Case("Where", (TRUTH, BYTE, BYTE)),
    Case("ReduceSum", (In((3, 4), -128, 127, "int32"),), {"keepdims": 0, "noop_with_empty_axes": 1}),
    Case("Greater", (In((6,)), In((6,)))),
    Case("Cast", (In((40,), -300, 300),), {"to": TensorProto.INT32}),
    Case("Cast", (In((40,), -2, 2),), {"to": TensorProto.BOOL}),
    Case("Cast", (In((40,), -300, 300, "int32"),), {"to": TensorProto.UINT8}),
    Case("Cast", (In((40,), -300, 300, "int32"),), {"to": TensorProto.BOOL}),
    Case("Cast", (In((40,), -300, 300),), {"to": TensorProto.FLOAT16}),
    Case("Cast", (In((40,), -1e-6, 1e-6),), {"to": TensorProto.FLOAT16}),
    Case("Cast", (In((40,), -3e38, 3e38),), {"to": TensorProto.FLOAT16}),
    Case("Cast", (TRUTH,), {"to": TensorProto.FLOAT}),
]
"""Other types and attributes."""
