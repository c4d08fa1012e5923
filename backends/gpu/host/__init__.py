"""Running projects for graphics processors: an emulator, loaders for the devices, programs and packages around them."""

from .simulation import Simulation, UnavailableError, open_network, read_project, verify

__all__ = ["Simulation", "UnavailableError", "open_network", "read_project", "verify"]
