"""One case of each operator on whole numbers, truth values, choices and computed places."""

from onnx import TensorProto

from .cases import Case, In

TRUTH = In((6,), 0, 1, "bool")
BYTE, SHORT, SMALL = In((6,), -128, 127, "int8"), In((6,), -(2**15), 2**15 - 1, "int16"), In((6,), 0, 255, "uint8")
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
}
"""By operator."""

MORE: list[Case] = [
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
