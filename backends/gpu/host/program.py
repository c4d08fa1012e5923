"""A program in C++ that runs a project: the plan as tables in a header, the language's calls, and how to build it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from .runtime.plan import PLAN, Plan, read_plan
from .runtime.webgpu import accesses

TEMPLATES = Path(__file__).with_name("templates")
HOSTS = {"cuda": "host.cpp", "opencl": "host.cpp", "metal": "host.mm", "webgpu": "host.cpp"}
"""The program's file, by language; its template is called after the language."""
PAGES = {"webgpu": ("network.mjs", "index.html")}
"""What runs it in browsers."""
HEADER = """\
/* The launch plan of {name} as tables. Written by Gatewright. */
#pragma once
#include <cstddef>

namespace plan {{

struct Buffer {{ const char *name; size_t bytes; }};
/** `width`: bytes of an element in the file; `stored`: on the device. */
struct Port {{ const char *name; int buffer; size_t count; int width, stored; bool is_signed; }};
struct Argument {{ int buffer; size_t offset, bytes; }};
/** `bound`: for each argument r (read) or w (written), as the source declares it. */
struct Kernel {{ const char *source, *entry; unsigned threads[3]; const char *bound; }};
struct Launch {{ int kernel; unsigned blocks[3]; int first, count; const char *layer; }};

static const char *const name = {title};
static const size_t inputs = {inputs}, outputs = {outputs};
static const int constants = {constants}, status = {status};
static const Buffer buffers[] = {{
{buffers}
}};
static const Port ports[] = {{
{ports}
}};
static const Argument arguments[] = {{
{arguments}
}};
static const Kernel kernels[] = {{
{kernels}
}};
static const Launch launches[] = {{
{launches}
}};

}}  // namespace plan
"""
LISTS = """\
# {does} Written by Gatewright.
#   cmake -S . -B build && cmake --build build && build/host {files}
cmake_minimum_required(VERSION 3.18)
project({name} LANGUAGES {languages})
set(CMAKE_CXX_STANDARD 17)
add_executable(host {host})
{rest}"""
RESTS = {
    "cuda": """\
find_package(CUDAToolkit REQUIRED)
if(NOT TARGET CUDA::cuda_driver)
  message(FATAL_ERROR "neither NVIDIA's driver nor the toolkit's stub of it (libcuda) is installed")
endif()
target_link_libraries(host PRIVATE CUDA::cuda_driver)
set(ARCH {arch} CACHE STRING "The processor that the kernels are compiled for")
add_custom_command(OUTPUT ${{CMAKE_CURRENT_SOURCE_DIR}}/kernels.cubin
  COMMAND ${{CUDAToolkit_NVCC_EXECUTABLE}} -cubin -std=c++17 -arch=${{ARCH}} -o kernels.cubin kernels.cu
  DEPENDS kernels.cu WORKING_DIRECTORY ${{CMAKE_CURRENT_SOURCE_DIR}} VERBATIM)
add_custom_target(kernels ALL DEPENDS ${{CMAKE_CURRENT_SOURCE_DIR}}/kernels.cubin)
""",
    "opencl": """\
find_package(OpenCL REQUIRED)
target_link_libraries(host PRIVATE OpenCL::OpenCL)
""",
    "metal": """\
set_source_files_properties(host.mm PROPERTIES COMPILE_OPTIONS -fobjc-arc)
target_link_libraries(host PRIVATE "-framework Metal" "-framework Foundation")
""",
    "webgpu": """\
find_path(WEBGPU_HEADERS webgpu.h PATH_SUFFIXES webgpu REQUIRED)
find_library(WEBGPU_LIBRARY NAMES wgpu_native webgpu_dawn REQUIRED)
target_include_directories(host PRIVATE ${{WEBGPU_HEADERS}})
target_link_libraries(host PRIVATE ${{WEBGPU_LIBRARY}})
""",
}
DOES = {
    "cuda": "Runs the network on an NVIDIA processor.",
    "opencl": "Runs the network on a device of OpenCL.",
    "metal": "Runs the network on a graphics processor of Apple's; for a Mac, where it was not built yet.",
    "webgpu": "Runs the network on a device of WebGPU, by wgpu-native or Dawn.",
}


def program(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give the program for the files of a project's ``src/``, by name."""
    plan = read_plan(sources[PLAN])
    language = plan.language
    languages = "OBJCXX CXX" if language == "metal" else "CXX"
    lists = LISTS.format(
        does=DOES[language], name=plan.name, host=HOSTS[language], languages=languages,
        files=" ".join(f"{p.name}.bin" for p in (*plan.inputs, *plan.outputs)),
        rest=RESTS[language].format(arch=plan.arch),
    )  # fmt: skip
    suffix = Path(HOSTS[language]).suffix
    pages = {name: (TEMPLATES / name).read_bytes() for name in PAGES.get(language, ())}
    return {
        "plan.h": _header(plan, sources).encode(), "host.h": (TEMPLATES / "host.h").read_bytes(),
        HOSTS[language]: (TEMPLATES / f"{language}{suffix}").read_bytes(), "CMakeLists.txt": lists.encode(), **pages,
    }  # fmt: skip


def _header(plan: Plan, sources: Mapping[str, bytes]) -> str:
    number = {name: i for i, name in enumerate(plan.sizes)}
    return HEADER.format(
        name=plan.name, title=_quoted(plan.name), inputs=len(plan.inputs), outputs=len(plan.outputs),
        constants=number["constants"], status=number["status"],
        buffers=_rows(f"{_quoted(name)}, {size}" for name, size in plan.sizes.items()),
        ports=_rows(_ports(plan, number)), arguments=_rows(_arguments(plan, number)),
        kernels=_rows(_kernels(plan, sources)), launches=_rows(_launches(plan)),
    )  # fmt: skip


def _rows(lines: Iterator[str]) -> str:
    return "\n".join(f"    {{{line}}}," for line in lines)


def _quoted(text: str) -> str:
    """Write a string of C in ASCII: octal digits have a fixed length, which hexadecimal ones have not."""
    shown = (chr(c) if 32 <= c < 127 and chr(c) not in '"\\?' else f"\\{c:03o}" for c in text.encode())
    return f'"{"".join(shown)}"'


def _ports(plan: Plan, number: Mapping[str, int]) -> Iterator[str]:
    for side, ports in (("in", plan.inputs), ("out", plan.outputs)):
        for i, p in enumerate(ports):
            width, stored = np.dtype(p.type), np.dtype(p.stored)
            count = p.bytes // stored.itemsize
            signed = str(width.kind == "i").lower()
            yield f"{_quoted(p.name)}, {number[f'{side}{i}']}, {count}, {width.itemsize}, {stored.itemsize}, {signed}"


def _arguments(plan: Plan, number: Mapping[str, int]) -> Iterator[str]:
    for launch in plan.launches:
        for span in launch.arguments:
            yield f"{number[span.buffer]}, {span.offset}, {span.bytes}"


def _kernels(plan: Plan, sources: Mapping[str, bytes]) -> Iterator[str]:
    for k in plan.kernels.values():
        written = k.writes
        if plan.language == "webgpu":
            written = tuple(accesses(sources[k.source].decode(), len(k.arguments)))
        bound = "".join("w" if w else "r" for w in written)
        threads = ", ".join(map(str, k.threads))
        yield f'{_quoted(k.source)}, {_quoted(k.entry)}, {{{threads}}}, "{bound}"'


def _launches(plan: Plan) -> Iterator[str]:
    numbers, first = {name: i for i, name in enumerate(plan.kernels)}, 0
    for launch in plan.launches:
        blocks, count = ", ".join(map(str, launch.blocks)), len(launch.arguments)
        yield f"{numbers[launch.kernel.name]}, {{{blocks}}}, {first}, {count}, {_quoted(launch.layer)}"
        first += count


__all__ = ["program"]
