"""Semihosting: how a bare program prints and ends (Arm, "Semihosting for AArch32 and AArch64", chapter 6)."""

from collections.abc import Callable
from dataclasses import dataclass, field

WRITEC, WRITE0, WRITE, EXIT, EXIT_EXTENDED = 0x03, 0x04, 0x05, 0x18, 0x20
APPLICATION_EXIT = 0x20026
LONGEST = 1 << 16
Read = Callable[[int, int], bytes]


class UnknownCallError(ValueError):
    """A program asked for what is not there: files, time, input."""


@dataclass
class Host:
    """What a program wrote, and the status with which it ended; None while it runs."""

    text: bytearray = field(default_factory=bytearray)
    status: int | None = None

    def call(self, operation: int, parameter: int, read: Read) -> int:
        """Serve a call; give what its register gets. Raises UnknownCallError."""
        match operation:
            case _ if operation == WRITEC:
                self.text += read(parameter, 1)
            case _ if operation == WRITE0:
                self.text += _string(parameter, read)
            case _ if operation == WRITE:
                _, address, length = (int.from_bytes(read(parameter + 4 * i, 4), "little") for i in range(3))
                self.text += read(address, min(length, LONGEST))
                return 0
            case _ if operation == EXIT:
                self.status = 0 if parameter == APPLICATION_EXIT else 1
            case _ if operation == EXIT_EXTENDED:
                reason, status = (int.from_bytes(read(parameter + 4 * i, 4), "little") for i in range(2))
                self.status = status if reason == APPLICATION_EXIT else 1
            case _:
                raise UnknownCallError(f"0x{operation:x}")
        return parameter


def _string(address: int, read: Read) -> bytes:
    found = bytearray()
    while len(found) < LONGEST and (byte := read(address + len(found), 1)) not in (b"\0", b""):
        found += byte
    return bytes(found)
