"""QKeras 0.9, exactly: its quantizers and its layers. The reference is qkeras running in float32 on tf-keras."""

from .identify import QUANTIZERS, from_config, quantizer_of
from .quantizer import Quantizer

__all__ = ["QUANTIZERS", "Quantizer", "from_config", "quantizer_of"]
