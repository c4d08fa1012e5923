"""For a core without anything: start-up, linker script, a main that runs the self-test, a script that builds it."""

from ..board_files import board_files
from .details import Details

SECTION = """
## Bare core

    sh build.sh             # build/@name@.elf, by @gcc@, else by zig (pip install ziglang)
    CC=zig sh build.sh      # by zig (PYTHON=... names the Python that has it)

`board/main.c` runs the self-test and tells a debugger or an emulator by semihosting what it finds: replace it.
`board/startup.c` sets nothing up but the stack, the floating-point unit and the data: clocks, and what a boot loader
wants to see before the vectors, are the application's.
"""
BUILD = """\
#!/bin/sh
# Build build/@name@.elf for @board@: with @gcc@ if it is there, else with zig. CC=gcc or CC=zig chooses,
# PYTHON=... the Python whose package ziglang is taken where the command zig is not there.
set -eu
python=$(command -v "${PYTHON:-python3}" || true)
case $python in */*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;; esac
cd "$(dirname "$0")"
out=build
mkdir -p "$out"

if [ "${CC:-}" = zig ] || { [ "${CC:-}" != gcc ] && ! command -v @gcc@ > /dev/null; }; then
    if command -v zig > /dev/null; then compiler="zig cc"; else compiler="$python -m ziglang cc"; fi
    core="@zig_flags@ -fno-sanitize=all"
    libraries=""
else
    compiler="@gcc@"
    core="@gcc_flags@ -nostdlib"
    libraries="-lgcc"
fi

$compiler $core @optimize@ -g @common@ @warnings@ -fno-unwind-tables -fno-asynchronous-unwind-tables \\
    -Isrc src/@name@.c src/@name@_selftest.c board/startup.c board/memory.c board/main.c \\
    -T board/link.ld -Wl,-e,gw_reset -Wl,--gc-sections $libraries -o "$out/@name@.elf"
echo "$(pwd)/$out/@name@.elf"
"""


def files(details: Details) -> dict[str, bytes]:
    """Give ``board/`` and ``build.sh``."""
    return {**board(details), "build.sh": details.fill(BUILD).encode()}


def board(details: Details) -> dict[str, bytes]:
    """Give what a bare core needs."""
    made = board_files(details.name, details.described["board"], details.tools, details.places)
    return {f"board/{file}": data for file, data in made.items()}
