"""From the C of a network to what a user takes away: self-test, image, library, the files of a build system."""

import json
from collections.abc import Sequence

from ...graph import Graph
from ..project import Project
from .build import build, machine_in, sizes
from .emit import FILE, read_description
from .memory_map import MemoryMap
from .projects import Details, project_files
from .selftest import Range, selftest
from .toolchain import toolchain


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
    tools, places = toolchain(machine_in(described)), MemoryMap.from_dict(described["memory"])
    files |= project_files(Details(described, places, tools), kinds)
    return Project(files, notes)
