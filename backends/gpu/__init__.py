"""The back end for graphics processors: kernels in CUDA, OpenCL, Metal or WGSL, and the plan of their launches.

``emit`` gives the project, ``missing`` what cannot be compiled. No compiler is needed: the driver of a device compiles
the sources.
"""

from .emit import emit, missing
from .machine import machine_of, not_here

__all__ = ["emit", "machine_of", "missing", "not_here"]
