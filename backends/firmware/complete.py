"""From the C of a network to what a user takes away: self-test, image, library, the files of a build system."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ...boards import Board
from ...graph import Graph, UnsupportedError
from ..project import Project
from .build import build, machine_in, sizes
from .emit import FILE, emit, read_description
from .memory_map import MemoryMap
from .projects import Details, project_files
from .selftest import Range, selftest
from .toolchain import toolchain


def compiled(
    graph: Graph, board: Board, ranges: Sequence[Range], kinds: tuple[str, ...], *, code: str | None = None,
    **wishes: str | int | None,
) -> Project:  # fmt: skip
    """Write a network for a board, and complete it; ``code`` and ``wishes``: see ``emit``.

    Raises as ``emit`` and ``complete`` do; where an image does not fit, and would with the smallest code, it says so.
    """
    write = partial(emit, graph, board, **wishes)  # type: ignore[arg-type]
    project = write(code=code)
    try:
        return complete(project, graph, ranges, kinds)
    except UnsupportedError as error:
        small = None if code == "smallest" else _flash(write(code="smallest"), graph, ranges)
        if small is None:
            raise
        hint = f"--code smallest, which takes {small:,} bytes; {error.hint}"
        raise UnsupportedError(error.what, where=error.where, hint=hint) from None


def _flash(project: Project, graph: Graph, ranges: Sequence[Range]) -> int | None:
    """Give the bytes of flash that a project takes with its self-test; None where it does not fit."""
    try:
        done = complete(project, graph, ranges, ())
    except UnsupportedError:
        return None
    found = sizes(done.files[f"image/{read_description(done.files)['name']}.elf"])
    return None if found is None else found.flash


def complete(project: Project, graph: Graph, ranges: Sequence[Range], kinds: tuple[str, ...]) -> Project:
    """Add to what ``emit`` gave: the self-test, its image and a library for the board, the files of some kinds of
    project (see ``projects``).

    ``ranges``: for each input, what its elements may be. Raises UnsupportedError where the image does not fit.
    """
    described = read_description(project.files)
    name, files = described["name"], dict(project.files)
    files[f"src/{name}_selftest.c"] = selftest(graph, files, described, ranges)
    built = build(files, described)
    files[f"image/lib{name}.a"] = built.library
    notes = project.notes
    if built.missing:
        called = ", ".join(built.missing)
        notes = (*notes, f"no image is linked: the network calls {called} of the C library (--integer-only: tables)")
    else:
        files[f"image/{name}.elf"] = built.image
    if built.image and (found := sizes(built.application)) is not None:
        described["flash_bytes"] = found.flash
        files[FILE] = json.dumps(described, indent=1, sort_keys=True).encode() + b"\n"
        notes = (*notes, *_only_packed(described))
    tools, places = toolchain(machine_in(described)), MemoryMap.from_dict(described["memory"])
    files |= project_files(Details(described, places, tools), kinds)
    return Project(files, notes)


def _only_packed(described: Mapping[str, Any]) -> tuple[str, ...]:
    """Say where an image fits the flash only because narrow weights are packed."""
    saved = described["constants_unpacked_bytes"] - described["constants_bytes"]
    flash, used = MemoryMap.from_dict(described["memory"]).flash, described["flash_bytes"]
    if used + saved <= flash.bytes:
        return ()
    return (f"{flash.name} has {flash.bytes:,} bytes: the {used:,} of the image fit because narrow weights are packed,"
            f" as bytes they would take {used + saved:,}",)  # fmt: skip
