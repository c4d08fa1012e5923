"""Cycle-level simulation of streaming designs: exact times, stalls, deadlocks, depths of FIFOs."""

from .deadlock import Deadlock, Wait
from .model import Fifo, Network, Process
from .run import Activity, Run, simulate
from .sizing import Loss, Sizing, deadlock_free, stall_free, unlimited

__all__ = [
    "Activity", "Deadlock", "Fifo", "Loss", "Network", "Process", "Run", "Sizing", "Wait", "deadlock_free", "simulate",
    "stall_free", "unlimited",
]  # fmt: skip
