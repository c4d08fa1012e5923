"""Tune: search how a compiled library is computed by measuring it, here or on a device."""

from typing import TYPE_CHECKING

from .graph import OptionError
from .project import Progress

if TYPE_CHECKING:
    from .backends.tvm.rpc import Remote


def device_of(rpc: str | None, tracker: str | None, key: str | None, progress: Progress) -> "Remote | None":
    """Connect to the device that the options name; None where they name none.

    Raises OptionError for options that contradict each other, DeviceError where nothing answers.
    """
    if rpc is None and tracker is None and key is None:
        return None
    from .backends.tvm.emit import available, check_tvm

    if not available():
        raise OptionError("TVM, which talks to devices, is not installed", hint="pip install 'gatewright[tvm]'")
    check_tvm()
    from .backends.tvm.rpc import find_device

    progress("connecting to the device")
    return find_device(rpc, tracker, key)
