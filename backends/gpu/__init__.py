"""The back end for graphics processors: kernels in CUDA, OpenCL, Metal or WGSL, and the plan of their launches.

``emit`` gives the project, ``missing`` what cannot be compiled. No compiler is needed: the driver of a device compiles
the sources. ``Simulation`` runs them, on a device or emulated, and ``verify`` compares that with the graph.
"""

from .emit import emit, missing
from .host import Simulation, verify
from .machine import machine_of, not_here

__all__ = ["Simulation", "emit", "machine_of", "missing", "not_here", "verify"]
