"""Running projects for graphics processors: an emulator, loaders for the devices, programs and packages around them."""

from .simulation import Simulation, Unavailable, open_network, read_project

__all__ = ["Simulation", "Unavailable", "open_network", "read_project"]
