"""What a network is handed over as: for CMake, Zephyr, Arduino, PlatformIO, or a bare core with a script of its own.

All share ``src/``: the project's folder is the CMake project, the Zephyr module, the Arduino or PlatformIO library.
"""

from collections.abc import Callable, Mapping

from ....graph import OptionError, unknown
from . import arduino, bare, cmake, platformio, zephyr
from .details import Details

KINDS: Mapping[str, Callable[[Details], dict[str, bytes]]] = {
    "cmake": cmake.files, "zephyr": zephyr.files, "arduino": arduino.files, "platformio": platformio.files,
    "bare": bare.files,
}  # fmt: skip
"""What writes the files of a kind of project: path in the project -> content."""
DEFAULT = "cmake"


def kinds_of(text: str) -> tuple[str, ...]:
    """Read what a user asks for: one kind or several with commas between. Raises OptionError for what there is not."""
    found = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not found:
        raise OptionError("no kind of project is asked for", hint=f"--project {DEFAULT}")
    for word in found:
        if word not in KINDS:
            raise unknown("kind of project", word, KINDS)
    return found


def project_files(details: Details, kinds: tuple[str, ...]) -> dict[str, bytes]:
    """Give the files of some kinds of project, and the page that says how each is built."""
    found: dict[str, bytes] = {}
    for kind in kinds:
        found |= KINDS[kind](details)
    sections = "".join(details.fill(SECTIONS[kind]) for kind in kinds)
    return {**found, "README.md": (details.fill(README) + sections).encode()}


SECTIONS: Mapping[str, str] = {
    "cmake": cmake.SECTION, "zephyr": zephyr.SECTION, "arduino": arduino.SECTION, "platformio": platformio.SECTION,
    "bare": bare.SECTION,
}  # fmt: skip
README = """\
# @name@ for @board@

`src/@name@.h` is the interface: fill `@name@_in0`, call `@name@_run()`, read `@name@_out0`. There is no allocation;
the working memory is one array of @arena@ bytes. `@name@_selftest()` says whether weights, layers and outputs are
what they were when the network was compiled; it is not linked where it is not called.

| file | |
|---|---|
| `src/@name@.c`, `.h`, `_weights.h`, `gw*.h` | the network |
| `src/@name@_selftest.c` | the self-test |
| `image/@name@.elf` | the self-test for the board, ready to run: tells by semihosting what it finds |
| `image/lib@name@.a` | the network and its self-test as a static library for the board's core |
"""

__all__ = ["DEFAULT", "KINDS", "Details", "kinds_of", "project_files"]
