"""HGQ2 (on Keras 3) and HGQ (on Keras 2): quantizers whose bits are trained, and their layers, read as data."""

from . import attention, joining, linear, proxy, recurrent, refused, softmax, tables  # noqa: F401 - they fill the table of layers
from .live import differences
from .proxy import exact_weights, proxy_of

__all__ = ["differences", "exact_weights", "proxy_of"]
