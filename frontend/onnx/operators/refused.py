"""Operators that are known, and refused on purpose: what to try instead."""

from ..registry import REFUSED

_QUANTIZED = "its scale follows the data of the whole batch; quantize statically (quantize_static of onnxruntime)"
_CHOICE = "the size of its result depends on values; leave it to the host"
_LOOP = "unroll loops and take one branch where the model is exported"

REFUSED.update(
    {"DynamicQuantizeLinear": _QUANTIZED, "Det": "compute it on the host"}
    | {"SequenceMap": _LOOP}
    | dict.fromkeys(("NonZero", "Unique", "NonMaxSuppression"), _CHOICE)
    | {
        "MaxUnpool": "use Resize or ConvTranspose",
        "MaxRoiPool": "use fixed windows",
        "Upsample": "use Resize",
    }
)
