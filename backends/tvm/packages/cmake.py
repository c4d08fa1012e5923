"""A CMake package: ``find_package(NAME)`` gives the targets ``NAME::NAME`` (static) and ``NAME::shared``."""

from ....graph import Graph
from ...loops.program import Program
from ..build import LIBM, Built
from ..objects import archive_members, read

PROCESSORS = {
    "x86_64": "x86_64|AMD64|amd64",
    "aarch64": "aarch64|arm64",
    "armv7": "armv7.*|armv8l|arm",
    "riscv64": "riscv64",
}
"""What CMake calls the processors, as patterns."""

CONFIG = """\
# {name}, compiled by Gatewright for {machine}: find_package({name} REQUIRED PATHS <this folder>), then
# target_link_libraries(app PRIVATE {name}::{name})        the static library
# target_link_libraries(app PRIVATE {name}::shared)        the shared library
if(CMAKE_SYSTEM_PROCESSOR AND NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^({pattern})$")
  set({name}_FOUND FALSE)
  set({name}_NOT_FOUND_MESSAGE "it is compiled for {machine}, this build is for ${{CMAKE_SYSTEM_PROCESSOR}}")
  return()
endif()
if(TARGET {name}::{name})
  return()
endif()
get_filename_component(_{name}_root "${{CMAKE_CURRENT_LIST_DIR}}/.." ABSOLUTE)
add_library({name}::{name} STATIC IMPORTED GLOBAL)
set_target_properties({name}::{name} PROPERTIES
  IMPORTED_LOCATION "${{_{name}_root}}/lib/lib{name}.a"
  IMPORTED_LINK_INTERFACE_LANGUAGES C{math}
  INTERFACE_INCLUDE_DIRECTORIES "${{_{name}_root}}/include")
add_library({name}::shared SHARED IMPORTED GLOBAL)
set_target_properties({name}::shared PROPERTIES
  IMPORTED_LOCATION "${{_{name}_root}}/lib/lib{name}.so"
  IMPORTED_SONAME "lib{name}.so"{math}
  INTERFACE_INCLUDE_DIRECTORIES "${{_{name}_root}}/include")
unset(_{name}_root)
"""
LISTS = """\
# For add_subdirectory(<this folder>), and to install the network: cmake -S . -B build && cmake --install build
cmake_minimum_required(VERSION 3.15)
project({name} LANGUAGES C)
include(GNUInstallDirs)
include("${{CMAKE_CURRENT_LIST_DIR}}/{name}-config.cmake")
if(DEFINED {name}_FOUND AND NOT {name}_FOUND)
  message(FATAL_ERROR "{name}: ${{{name}_NOT_FOUND_MESSAGE}}")
endif()
install(FILES ../lib/lib{name}.a ../lib/lib{name}.so DESTINATION lib)
install(FILES ../include/{name}.h DESTINATION include)
install(FILES {name}-config.cmake DESTINATION cmake)
"""


def package(name: str, built: Built, program: Program, graph: Graph) -> dict[str, bytes]:
    """Give CMakeLists.txt and the configuration that ``find_package`` reads."""
    undefined = {n for data in archive_members(built.static).values() for n in read(data).undefined}
    words = {
        "name": name, "machine": program.machine.triple, "pattern": PROCESSORS[built.platform.machine],
        "math": "\n  INTERFACE_LINK_LIBRARIES m" if undefined & LIBM else "",
    }  # fmt: skip
    texts = {f"{name}-config.cmake": CONFIG.format(**words), "CMakeLists.txt": LISTS.format(**words)}
    return {path: text.encode() for path, text in texts.items()}
