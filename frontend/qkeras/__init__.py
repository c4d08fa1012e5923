"""QKeras 0.9, exactly: its quantizers and its layers. The reference is qkeras running in float32 on tf-keras."""

from . import activations, layers, normalization, pooling, recurrent  # noqa: F401 - they fill the tables
from .identify import QUANTIZERS, from_config, quantizer_of
from .live import completed
from .quantizer import Quantizer

__all__ = ["QUANTIZERS", "Quantizer", "completed", "from_config", "quantizer_of"]
