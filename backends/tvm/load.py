"""TVM, imported without what it does not need: its foreign-function interface imports PyTorch where that is installed,
which takes seconds and is of use for tensors of PyTorch's only.
"""

import sys

_apart = "torch" not in sys.modules
if _apart:
    sys.modules["torch"] = None  # type: ignore[assignment]
try:
    import tvm
    from tvm import tirx
finally:
    if _apart:
        del sys.modules["torch"]

__all__ = ["tirx", "tvm"]
