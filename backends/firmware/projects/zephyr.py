"""A Zephyr module with a sample (Zephyr documentation, "Modules (External projects)": zephyr/module.yml)."""

from .details import Details

SECTION = """
## Zephyr

This folder is a module. In an application: `list(APPEND ZEPHYR_EXTRA_MODULES <this folder>)` before
`find_package(Zephyr)`, and `CONFIG_@upper@=y` in `prj.conf`. The sample runs the self-test:

    west build -b <board> zephyr/samples/selftest
"""
MODULE = """\
name: @name@
build:
  cmake: zephyr
  kconfig: zephyr/Kconfig
samples:
  - zephyr/samples
"""
LISTS = """\
if(CONFIG_@upper@)
  zephyr_include_directories(../src)
  zephyr_library_named(@name@)
  zephyr_library_sources(../src/@name@.c)
  zephyr_library_sources_ifdef(CONFIG_@upper@_SELFTEST ../src/@name@_selftest.c)
  zephyr_library_compile_options(@optimize@)
endif()
"""
KCONFIG = """\
config @upper@
    bool "The network @name@"
    help
      A network without allocation: working memory of @arena_bytes@ bytes in a static array.

config @upper@_SELFTEST
    bool "Self-test of the network @name@"
    depends on @upper@
    help
      What an image can call to see whether weights, layers and outputs are what they were when it was compiled.
"""
SAMPLE_LISTS = """\
cmake_minimum_required(VERSION 3.20.0)
list(APPEND ZEPHYR_EXTRA_MODULES ${CMAKE_CURRENT_SOURCE_DIR}/../../..)
find_package(Zephyr REQUIRED HINTS $ENV{ZEPHYR_BASE})
project(@name@_selftest LANGUAGES C)
target_sources(app PRIVATE src/main.c)
"""
SAMPLE_YAML = """\
sample:
  name: Self-test of @name@
  description: Runs the self-test of a network
common:
  tags: gatewright
  harness: console
  harness_config:
    type: one_line
    regex:
      - "@name@: the self-test passed"
tests:
  sample.@name@.selftest: {}
"""
CONFIGURATION = """\
CONFIG_@upper@=y
CONFIG_@upper@_SELFTEST=y
CONFIG_PRINTK=y
"""
MAIN = """\
#include <zephyr/sys/printk.h>
#include "@name@.h"

int main(void)
{
    int wrong;

    @name@_init();
    wrong = @name@_selftest();
    if (wrong != 0) {
        printk("@name@: the self-test failed at %s\\n", @name@_layer_name(wrong - 1));
    } else {
        printk("@name@: the self-test passed\\n");
    }
    return 0;
}
"""


def files(details: Details) -> dict[str, bytes]:
    """Give the folder ``zephyr``: module, lists, Kconfig, sample."""
    sample = "zephyr/samples/selftest"
    texts = {
        "zephyr/module.yml": MODULE,
        "zephyr/CMakeLists.txt": LISTS,
        "zephyr/Kconfig": KCONFIG,
        f"{sample}/CMakeLists.txt": SAMPLE_LISTS,
        f"{sample}/sample.yaml": SAMPLE_YAML,
        f"{sample}/prj.conf": CONFIGURATION,
        f"{sample}/src/main.c": MAIN,
    }
    return {path: details.fill(text).encode() for path, text in texts.items()}
