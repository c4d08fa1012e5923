"""A plan on a device, called with arrays."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .device import Device, open_device
from .plan import PLAN, Plan, PlanError, read_plan


class Network:
    """Memory for one call at a time: ``inputs`` and ``outputs`` are arrays (one sample, the network's own numbers, in
    the layout of the source model). Write the ones, call ``run``, read the others.
    """

    def __init__(self, plan: Plan, device: Device) -> None:
        self.plan, self.device = plan, device
        self.inputs = [np.zeros(p.shape, p.type) for p in plan.inputs]
        self.outputs = [np.zeros(p.shape, p.type) for p in plan.outputs]
        self._stored = [np.zeros(p.shape, p.stored) for p in plan.outputs]
        self._status = np.zeros(1, np.int32)

    def run(self) -> int:
        """Run once; gives 0, 1 where an index lay outside of what it picks from, 2 where a divisor was zero."""
        for i, (port, array) in enumerate(zip(self.plan.inputs, self.inputs, strict=True)):
            self.device.write(f"in{i}", array.astype(port.stored, copy=False))
        self.device.launch()
        self.device.read("status", self._status)
        for i, (held, array) in enumerate(zip(self._stored, self.outputs, strict=True)):
            self.device.read(f"out{i}", held)
            array[...] = held
        return int(self._status[0])

    def times(self, repeats: int = 20) -> list[float]:
        """Give the shortest time of each launch, in seconds, on what stands in ``inputs``."""
        self.run()
        return self.device.times(repeats)


def check_constants(plan: Plan, constants: bytes) -> bytes:
    """Give the constants. Raises PlanError where they are not those of the plan."""
    if len(constants) != plan.sizes["constants"]:
        wanted = plan.sizes["constants"]
        raise PlanError(f"{plan.constants} has {len(constants)} bytes, the plan {wanted}")
    return constants


def open_folder(folder: Path, *, processors: bool = True) -> Network:
    """Open the plan of a folder (plan.json, the constants, the kernels) on this machine's device.

    Raises OSError, PlanError, DeviceError.
    """
    plan = read_plan((folder / PLAN).read_bytes())
    sources: Mapping[str, str] = {name: (folder / name).read_text(encoding="utf-8") for name in plan.sources}
    constants = check_constants(plan, (folder / plan.constants).read_bytes())
    return Network(plan, open_device(plan, sources, constants, processors=processors))
