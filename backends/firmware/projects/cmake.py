"""A CMake project: the network as a library, its self-test as a program, on this machine and on the board's core."""

from .bare import board
from .details import Details

SECTION = """
## CMake

In a project of your own: `add_subdirectory(<this folder>)`, `target_link_libraries(app PRIVATE @name@)`.

On this machine, and for the board with @gcc@ or with zig (pip install ziglang):

    cmake -S . -B build/host && cmake --build build/host && ctest --test-dir build/host
    cmake -S . -B build/board --toolchain cmake/@gcc@.cmake && cmake --build build/board
    cmake -S . -B build/zig --toolchain cmake/zig.cmake && cmake --build build/zig

`@name@_selftest` is the self-test: a program here, an image for the board (`board/` holds its start-up and linker
script, `board/main.c` tells by semihosting what it finds).
"""
LISTS = """\
# The network @name@, made for @board@.
cmake_minimum_required(VERSION 3.16)
project(@name@ LANGUAGES C)

if(NOT CMAKE_BUILD_TYPE AND CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  set(CMAKE_BUILD_TYPE Release)
endif()

add_library(@name@ STATIC src/@name@.c src/@name@_selftest.c)
target_include_directories(@name@ PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/src)
set_target_properties(@name@ PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(@name@ PRIVATE @optimize@ @warnings@ -ffunction-sections -fdata-sections)
endif()

# The self-test as a program
if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  if(CMAKE_SYSTEM_NAME STREQUAL "Generic")
    add_executable(@name@_selftest board/startup.c board/memory.c board/main.c)
    set_target_properties(@name@_selftest PROPERTIES SUFFIX .elf C_STANDARD 99 C_EXTENSIONS OFF
      LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/board/link.ld)
    target_compile_options(@name@_selftest PRIVATE @optimize@ @warnings@ -ffreestanding)
    target_link_options(@name@_selftest PRIVATE
      -T${CMAKE_CURRENT_SOURCE_DIR}/board/link.ld -Wl,-e,gw_reset -Wl,--gc-sections)
    target_link_libraries(@name@_selftest PRIVATE @name@)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
      target_link_options(@name@_selftest PRIVATE -nostdlib)
      target_link_libraries(@name@_selftest PRIVATE gcc)
    endif()
  else()
    enable_testing()
    add_executable(@name@_selftest host/main.c)
    target_link_libraries(@name@_selftest PRIVATE @name@)
    add_test(NAME @name@_selftest COMMAND @name@_selftest)
  endif()
endif()
"""
GCC = """\
# The board's core (@cpu@), compiled by @gcc@.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR @cpu@)
set(CMAKE_C_COMPILER @gcc@)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_FLAGS_INIT "@gcc_flags@")
"""
ZIG = """\
# The board's core (@cpu@), compiled by zig: the command zig, else Python's package ziglang.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR @cpu@)
find_program(GW_ZIG zig)
find_program(GW_PYTHON NAMES python3 python)
if(GW_ZIG)
  set(GW_ZIG_COMMAND ${GW_ZIG})
else()
  set(GW_ZIG_COMMAND ${GW_PYTHON} -m ziglang)
endif()
set(CMAKE_C_COMPILER ${GW_ZIG_COMMAND} cc)
list(JOIN GW_ZIG_COMMAND " " GW_ZIG_WORDS)
set(CMAKE_C_ARCHIVE_CREATE "${GW_ZIG_WORDS} ar qcD <TARGET> <OBJECTS>")
set(CMAKE_C_ARCHIVE_APPEND "${GW_ZIG_WORDS} ar qD <TARGET> <OBJECTS>")
set(CMAKE_C_ARCHIVE_FINISH "")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES GW_ZIG GW_PYTHON)
set(CMAKE_C_FLAGS_INIT "@zig_flags@ -fno-sanitize=all")
"""
HOST = """\
/* Runs the self-test of the network on this machine. */
#include <stdio.h>
#include "@name@.h"

int main(void)
{
    int wrong;
    @name@_init();
    wrong = @name@_selftest();
    if (wrong != 0) {
        printf("@name@: the self-test failed at %s\\n", @name@_layer_name(wrong - 1));
        return 1;
    }
    printf("@name@: the self-test passed\\n");
    return 0;
}
"""


def files(details: Details) -> dict[str, bytes]:
    """Give the lists of CMake, toolchain files, and what runs the self-test here and on the board."""
    texts = {
        "CMakeLists.txt": LISTS, f"cmake/{details.tools.gcc_name}.cmake": GCC, "cmake/zig.cmake": ZIG,
        "host/main.c": HOST,
    }  # fmt: skip
    return {**board(details), **{path: details.fill(text).encode() for path, text in texts.items()}}
