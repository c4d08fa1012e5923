"""One case of each operator, at the oldest and the newest opset that it has."""

import numpy as np
from onnx import TensorProto
from onnx.numpy_helper import from_array

from .cases import Case, In, floats, ints

VECTOR, IMAGE = In((6,)), In((4, 5, 6))
AWAY, POSITIVE, UNIT = In((6,), 0.5, 3.0), In((6,), 0.2, 4.0), In((6,), -0.9, 0.9)

UNARY = {
    **dict.fromkeys(
        ("Abs", "Exp", "Sin", "Cos", "Tanh", "Sigmoid", "Relu", "Neg", "Floor", "Ceil", "Softsign", "Softplus"), VECTOR
    ),
    **dict.fromkeys(("Atan", "Sinh", "Cosh", "Asinh", "Erf", "Sign", "Round", "Mish", "HardSwish", "Identity"), VECTOR),
    **dict.fromkeys(("Sqrt", "Log"), POSITIVE),
    **dict.fromkeys(("Asin", "Acos", "Atanh", "Tan"), UNIT),
    "Acosh": In((6,), 1.5, 3.0),
    "Reciprocal": AWAY,
}

WITH_ATTRIBUTES = {
    "LeakyRelu": {"alpha": 0.3},
    "Elu": {"alpha": 0.7},
    "Selu": {"alpha": 1.5, "gamma": 1.1},
    "Celu": {"alpha": 0.6},
    "ThresholdedRelu": {"alpha": 0.4},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "Shrink": {"lambd": 0.6, "bias": 0.2},
    "Gelu": {"approximate": "tanh"},
    "Swish": {"alpha": 1.5},
}

BINARY = ("Add", "Sub", "Mul")
REDUCTIONS = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp")

CASES: dict[str, Case] = {
    **{op: Case(op, (x,)) for op, x in UNARY.items()},
    **{op: Case(op, (VECTOR,), attributes) for op, attributes in WITH_ATTRIBUTES.items()},
    **{op: Case(op, (IMAGE, floats(4, 1, 1))) for op in BINARY},
    **{op: Case(op, (IMAGE, In((4, 1, 1)), floats(6))) for op in ("Sum", "Mean", "Max", "Min")},
    **{f"Reduce{r}": Case(f"Reduce{r}", (In((4, 5, 6), 0.1, 2.0), ints(1, -1)), {"keepdims": 0}) for r in REDUCTIONS},
    "Div": Case("Div", (VECTOR, AWAY)),
    "Pow": Case("Pow", (POSITIVE, floats(6))),
    "Where": Case("Where", (np.array([True, False, True, False, False, True]), VECTOR, VECTOR)),
    "PRelu": Case("PRelu", (IMAGE, floats(4, 1, 1))),
    "Clip": Case("Clip", (VECTOR, np.float32(-0.5), np.float32(1.1))),
    "Gemm": Case("Gemm", (VECTOR, floats(3, 6), floats(3)), {"transB": 1, "alpha": 0.5, "beta": 1.5}),
    "MatMul": Case("MatMul", (In((5, 6)), floats(6, 3))),
    "Conv": Case("Conv", (IMAGE, floats(6, 2, 3, 2), floats(6)), {"group": 2, "strides": [2, 1], "pads": [1, 0, 0, 1]}),
    "ConvTranspose": Case(
        "ConvTranspose", (IMAGE, floats(4, 3, 3, 2), floats(3)), {"strides": [2, 1], "pads": [1, 0, 0, 1]}
    ),
    "MaxPool": Case("MaxPool", (IMAGE,), {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}),
    "AveragePool": Case(
        "AveragePool", (IMAGE,), {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "count_include_pad": 1}
    ),
    "GlobalAveragePool": Case("GlobalAveragePool", (IMAGE,)),
    "GlobalMaxPool": Case("GlobalMaxPool", (IMAGE,)),
    "BatchNormalization": Case(
        "BatchNormalization", (IMAGE, floats(4), floats(4, seed=2), floats(4, seed=3), np.abs(floats(4, seed=4)))
    ),
    "InstanceNormalization": Case("InstanceNormalization", (IMAGE, floats(4), floats(4, seed=2)), {"epsilon": 1e-3}),
    "GroupNormalization": Case("GroupNormalization", (IMAGE, floats(4), floats(4, seed=2)), {"num_groups": 2}),
    "LayerNormalization": Case("LayerNormalization", (IMAGE, floats(5, 6), floats(6, seed=2)), {"axis": -2}),
    "RMSNormalization": Case("RMSNormalization", (IMAGE, floats(5, 6)), {"axis": 2}),
    "LpNormalization": Case("LpNormalization", (IMAGE,), {"axis": 1, "p": 2}),
    "LpPool": Case("LpPool", (IMAGE,), {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1], "p": 3}),
    "GlobalLpPool": Case("GlobalLpPool", (IMAGE,), {"p": 3}),
    "LRN": Case("LRN", (In((3, 5, 6)),), {"size": 4, "alpha": 0.3, "beta": 0.6, "bias": 1.2}),
    "Einsum": Case("Einsum", (In((5, 6)), floats(6, 3)), {"equation": "bij,jk->bki"}),
    "GridSample": Case("GridSample", (In((3, 5, 6)), In((4, 3, 2), -1.3, 1.3)), {"padding_mode": "reflection"}),
    "Softmax": Case("Softmax", (IMAGE,), {"axis": 1}),
    "LogSoftmax": Case("LogSoftmax", (IMAGE,), {"axis": 2}),
    "Concat": Case("Concat", (IMAGE, In((2, 5, 6))), {"axis": 1}),
    "Split": Case("Split", (IMAGE, ints(1, 3)), {"axis": 1}, outputs=2),
    "Slice": Case("Slice", (IMAGE, ints(1, -1), ints(4, -100), ints(2, -1), ints(2, -2))),
    "Gather": Case("Gather", (IMAGE, ints(2, -1, 0)), {"axis": 1}),
    "Pad": Case("Pad", (IMAGE, ints(0, 1, 0, 3, 0, 0, 2, 1), np.float32(0.5))),
    "Reshape": Case("Reshape", (IMAGE, ints(0, 2, -1))),
    "Flatten": Case("Flatten", (IMAGE,)),
    "Transpose": Case("Transpose", (IMAGE,), {"perm": [0, 3, 1, 2]}),
    "Squeeze": Case("Squeeze", (In((1, 5, 1)), ints(1, -1))),
    "Unsqueeze": Case("Unsqueeze", (IMAGE, ints(2, -1))),
    "Expand": Case("Expand", (In((4, 1, 6)), ints(5, 1))),
    "Tile": Case("Tile", (IMAGE, ints(1, 2, 1, 3))),
    "DepthToSpace": Case("DepthToSpace", (In((8, 2, 3)),), {"blocksize": 2, "mode": "CRD"}),
    "SpaceToDepth": Case("SpaceToDepth", (In((3, 4, 6)),), {"blocksize": 2}),
    "Trilu": Case("Trilu", (In((4, 5)), np.array(1, np.int64)), {"upper": 0}),
    "Resize": Case("Resize", (IMAGE, None, None, ints(3, 4, 7, 9)), {"mode": "linear"}, batch=3),
    "Upsample": Case("Upsample", (IMAGE, np.array([1, 1, 2, 3], np.float32)), opset=9),
    "Dropout": Case("Dropout", (VECTOR, np.float32(0.3))),
    "Cast": Case("Cast", (VECTOR,), {"to": TensorProto.FLOAT}),
    "CastLike": Case("CastLike", (VECTOR, floats(1))),
    "Constant": Case("Constant", (), {"value": from_array(floats(1, 3))}),
    "Shape": Case("Shape", (IMAGE,)),
    "Size": Case("Size", (IMAGE,)),
}
