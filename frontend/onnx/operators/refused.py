"""Operators that are known, and refused on purpose: what to try instead."""

from ..registry import REFUSED

_QUANTIZED = "quantize dense layers only, or statically; or use the float model with LSTM"
_CHOICE = "the size of its result depends on values; leave it to the host"
_LOOP = "unroll loops and take one branch where the model is exported"

REFUSED.update(
    {
        "DynamicQuantizeLSTM": _QUANTIZED,
        "QAttention": "quantize the model before its attention is fused",
        "Det": "compute it on the host",
    }
    | {"SequenceMap": _LOOP}
    | dict.fromkeys(("NonZero", "Unique", "NonMaxSuppression"), _CHOICE)
    | {
        "MaxUnpool": "use Resize or ConvTranspose",
        "MaxRoiPool": "use fixed windows",
        "Upsample": "use Resize",
    }
)
