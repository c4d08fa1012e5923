"""The back end for graphics processors: kernels in CUDA, OpenCL, Metal or WGSL, and the plan of their launches.

``emit`` gives the project, ``missing`` what cannot be compiled. No compiler is needed: the driver of a device compiles
the sources. ``Simulation`` runs them, on a device or emulated, ``verify`` compares that with the graph, ``costs`` is
what is known of a project without running it.
"""

from .emit import emit, missing
from .host import Simulation, verify
from .host.roofline import costs
from .machine import machine_of, not_here

__all__ = ["Simulation", "costs", "emit", "machine_of", "missing", "not_here", "verify"]
