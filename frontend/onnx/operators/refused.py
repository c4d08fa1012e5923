"""Operators that are known, and refused on purpose: what to try instead."""

from ..registry import REFUSED

_QUANTIZED = "use QuantizeLinear and DequantizeLinear around float operators (QDQ)"
_CHOICE = "only arithmetic on numbers is supported; leave decisions to the host"
_LOOP = "unroll loops and take one branch where the model is exported"

REFUSED.update(
    {"DynamicQuantizeLinear": _QUANTIZED}
    | dict.fromkeys(("If", "Loop", "Scan", "SequenceMap"), _LOOP)
    | dict.fromkeys(("RNN", "LSTM", "GRU"), "recurrent layers are not supported yet; import the Keras model")
    | dict.fromkeys(
        ("ArgMax", "ArgMin", "TopK", "Hardmax"), "end the model at the scores and pick the class on the host"
    )
    | dict.fromkeys(
        ("NonZero", "Compress"),
        _CHOICE,
    )
    | {
        "LpPool": "use AveragePool or MaxPool",
        "GlobalLpPool": "use GlobalAveragePool or GlobalMaxPool",
        "LRN": "train with BatchNormalization instead",
        "MaxUnpool": "use Resize or ConvTranspose",
        "MaxRoiPool": "use fixed windows",
        "Einsum": "write it as MatMul, Transpose and Reshape",
        "GatherElements": "use Gather with constant indices",
        "GatherND": "use Gather with constant indices",
        "Upsample": "use Resize",
        "Attention": "write it as MatMul and Softmax (export with an opset below 23)",
        "RotaryEmbedding": "export with an opset below 23",
        "CumSum": "use MatMul by a triangular matrix",
        "MeanVarianceNormalization": "use InstanceNormalization or LayerNormalization",
    }
)
