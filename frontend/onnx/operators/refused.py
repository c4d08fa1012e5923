"""Operators that are known, and refused on purpose: what to try instead."""

from ..registry import REFUSED

_QUANTIZED = "use QuantizeLinear and DequantizeLinear around float operators (QDQ)"
_CHOICE = "the size of its result depends on values; leave it to the host"
_LOOP = "unroll loops and take one branch where the model is exported"

REFUSED.update(
    {"DynamicQuantizeLinear": _QUANTIZED}
    | {"SequenceMap": _LOOP}
    | dict.fromkeys(("NonZero", "Unique", "NonMaxSuppression"), _CHOICE)
    | {
        "LpPool": "use AveragePool or MaxPool",
        "GlobalLpPool": "use GlobalAveragePool or GlobalMaxPool",
        "LRN": "train with BatchNormalization instead",
        "MaxUnpool": "use Resize or ConvTranspose",
        "MaxRoiPool": "use fixed windows",
        "Einsum": "write it as MatMul, Transpose and Reshape",
        "Upsample": "use Resize",
        "Attention": "write it as MatMul and Softmax (export with an opset below 23)",
        "RotaryEmbedding": "export with an opset below 23",
        "MeanVarianceNormalization": "use InstanceNormalization or LayerNormalization",
    }
)
