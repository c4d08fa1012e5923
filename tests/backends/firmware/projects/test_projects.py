"""Projects build in an empty home, and have the layout that Zephyr, Arduino and PlatformIO ask for."""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import gatewright as gw
from gatewright.backends.firmware.emit import machine_of
from gatewright.backends.firmware.projects import KINDS, kinds_of, project_files
from gatewright.backends.firmware.toolchain import toolchain
from gatewright.backends.zig import zig
from gatewright.boards import load
from gatewright.options import FirmwareChoices

from .cores import Machine
from .made import completed, details, empty_home, made, needs_cmake, needs_gcc, run, small_cnn

ZIG = toolchain(machine_of(load("cortex-m4"))).zig


@pytest.fixture
def files() -> Mapping[str, bytes]:
    return completed("small_cnn", "cortex-m4").files


@pytest.fixture
def written(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder"  # with a blank
    completed("small_cnn", "cortex-m4").write(folder)
    return folder


def _passes(image: Path) -> None:
    machine = Machine(image.read_bytes(), "cortex-m4")
    assert machine.run() == 0
    assert machine.said == "small_cnn: the self-test passed\n"


@pytest.mark.parametrize("compiler", ["zig", pytest.param("gcc", marks=needs_gcc)])
def test_the_script_builds_the_bare_project(written: Path, tmp_path: Path, compiler: str) -> None:
    environment = {**empty_home(tmp_path), "CC": compiler, "PYTHON": os.path.relpath(sys.executable, tmp_path)}
    run(["sh", f"{written.name}/build.sh"], tmp_path, environment)
    _passes(written / "build" / "small_cnn.elf")


@needs_cmake
def test_cmake_builds_for_this_machine(written: Path, tmp_path: Path) -> None:
    environment = empty_home(tmp_path)
    run(["cmake", "-S", ".", "-B", "build"], written, environment)
    run(["cmake", "--build", "build"], written, environment)
    assert "100% tests passed" in run(["ctest", "--test-dir", "build"], written, environment)


@needs_cmake
@pytest.mark.parametrize("compiler", ["zig", pytest.param("arm-none-eabi-gcc", marks=needs_gcc)])
def test_cmake_builds_for_the_board(written: Path, tmp_path: Path, compiler: str) -> None:
    environment = empty_home(tmp_path)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    toolchain_file = f"--toolchain=cmake/{compiler}.cmake"
    run(["cmake", "-S", ".", "-B", "build", toolchain_file, f"-DGW_PYTHON={sys.executable}"], written, environment)
    run(["cmake", "--build", "build"], written, environment)
    _passes(written / "build" / "small_cnn_selftest.elf")


def _yaml(text: str) -> dict[str, Any]:
    """Read the little of YAML that the files use: maps by two blanks, lists of texts, texts."""
    lines = [line for line in text.splitlines() if line.strip()]

    def block(depth: int) -> Any:
        if lines[0].strip().startswith("- "):
            items = []
            while lines and lines[0].strip().startswith("- "):
                items.append(lines.pop(0).strip()[2:].strip('"'))
            return items
        found: dict[str, Any] = {}
        while lines and len(lines[0]) - len(lines[0].lstrip()) == depth:
            key, _, value = lines.pop(0).strip().partition(":")
            deeper = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
            found[key] = value.strip() if value.strip() else block(deeper)
        return found

    result: dict[str, Any] = block(0)
    return result


def test_the_zephyr_module_is_one(files: Mapping[str, bytes]) -> None:
    module = _yaml(files["zephyr/module.yml"].decode())
    assert set(module) == {"name", "build", "samples"}
    assert re.fullmatch(r"[A-Za-z]\w*", module["name"])
    assert set(module["build"]) <= {"cmake", "kconfig", "depends", "settings"}
    assert f"{module['build']['cmake']}/CMakeLists.txt" in files
    assert module["build"]["kconfig"] in files
    assert all(any(path.startswith(f"{folder}/") for path in files) for folder in module["samples"])
    options = set(re.findall(r"^config (\w+)$", files["zephyr/Kconfig"].decode(), re.MULTILINE))
    lists = files["zephyr/CMakeLists.txt"].decode()
    assert set(re.findall(r"CONFIG_(\w+)", lists)) == options == {"SMALL_CNN", "SMALL_CNN_SELFTEST"}
    for source in re.findall(r"\.\./(src/\w+\.c)", lists):
        assert source in files
    sample = "zephyr/samples/selftest"
    assert set(re.findall(r"CONFIG_(SMALL\w+)=y", files[f"{sample}/prj.conf"].decode())) == options
    assert "ZEPHYR_EXTRA_MODULES ${CMAKE_CURRENT_SOURCE_DIR}/../../.." in files[f"{sample}/CMakeLists.txt"].decode()
    assert _yaml(files[f"{sample}/sample.yaml"].decode())["tests"] == {"sample.small_cnn.selftest": "{}"}


def test_the_arduino_library_is_one(files: Mapping[str, bytes]) -> None:
    lines = files["library.properties"].decode().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    needed = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert needed <= set(found) <= needed | {"includes", "depends", "dot_a_linkage", "precompiled", "ldflags"}
    assert all(found.values())
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", found["name"])
    assert not found["name"].lower().startswith("arduino")
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    assert found["category"] in {
        "Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage",
        "Data Processing", "Other",
    }  # fmt: skip
    assert found["architectures"] == "*"
    assert f"src/{found['includes']}" in files
    assert "examples/SelfTest/SelfTest.ino" in files, "a sketch stands in a folder of its own name"


def test_the_platformio_library_is_one(files: Mapping[str, bytes]) -> None:
    found = json.loads(files["library.json"])
    assert {"name", "version"} <= set(found)
    assert re.fullmatch(r"[^:;/,@<>]{1,100}", found["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    assert 1 <= len(found["description"]) <= 1000
    assert all(re.fullmatch(r"[a-z\d\-+. ]{1,50}", word) for word in found["keywords"])
    assert found["frameworks"] == found["platforms"] == "*"
    assert set(found["build"]) <= {"flags", "unflags", "includeDir", "srcDir", "srcFilter", "libArchive"}
    assert f"{found['build']['includeDir']}/{found['headers']}" in files
    for entry in found["export"]["include"]:
        assert any(path == entry or path.startswith(f"{entry}/") for path in files), entry
    for example in found["examples"]:
        assert re.fullmatch(r"[a-zA-Z\d\-_/]{1,100}", example["name"])
        assert all(f"{example['base']}/{file}" in files for file in example["files"])


ARDUINO = """\
#pragma once
struct Port { void begin(long); explicit operator bool(); void print(const char *); void println(const char *); };
extern Port Serial;
"""


def test_examples_of_other_build_systems_compile(written: Path) -> None:
    shims = written / "shims"
    (shims / "zephyr" / "sys").mkdir(parents=True)
    (shims / "Arduino.h").write_text(ARDUINO)
    (shims / "zephyr" / "sys" / "printk.h").write_text("void printk(const char *, ...);\n")
    strict = ("-Wall", "-Wextra", "-Werror", "-Isrc", "-Ishims", "-c", "-o", "example.o")
    sketch = (written / "examples" / "SelfTest" / "SelfTest.ino").read_text()
    (written / "sketch.cpp").write_text(f"#include <Arduino.h>\n{sketch}")
    zig(("c++", *ZIG, "-std=c++11", *strict, "sketch.cpp"), written)
    zig(("c++", *ZIG, "-std=c++11", *strict, "examples/platformio/src/main.cpp"), written)
    zig(("cc", *ZIG, "-std=c99", *strict, "zephyr/samples/selftest/src/main.c"), written)
    for unit in written.glob("src/*.c"):
        zig(("cc", *ZIG, "-std=c99", "-O2", *strict, f"src/{unit.name}"), written)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_stands_for_itself(kind: str) -> None:
    made = project_files(details(completed("small_cnn", "cortex-m4")), (kind,))
    marks = {
        "cmake": "CMakeLists.txt", "zephyr": "zephyr/module.yml", "arduino": "library.properties",
        "platformio": "library.json", "bare": "build.sh",
    }  # fmt: skip
    assert [k for k, path in marks.items() if path in made] == [kind]
    titles = {
        "cmake": "CMake",
        "zephyr": "Zephyr",
        "arduino": "Arduino",
        "platformio": "PlatformIO",
        "bare": "Bare core",
    }
    assert re.findall(r"^## (.*)$", made["README.md"].decode(), re.MULTILINE) == [titles[kind]]


def test_compile_asks_for_kinds_and_tells_the_flash() -> None:
    project = gw.compile(small_cnn(), board="cortex-m4", project="bare", verify=False)
    assert project.options["project"] == "bare"
    assert "build.sh" in project.artefact
    assert "CMakeLists.txt" not in project.artefact
    assert project.manifest["cost"]["memory"]["flash_bytes"]["kind"] == "exact"


def test_a_board_without_firmware_says_that_the_kind_has_no_effect() -> None:
    choices = FirmwareChoices(memory="smallest", project="bare")
    assert choices.without_effect(load("cortex-m4")) == []
    assert choices.without_effect(load("pynq-z2")) == [
        "memory: no effect on pynq-z2, which takes no firmware",
        "project: no effect on pynq-z2, which takes no firmware",
    ]


def test_two_runs_give_the_same_bytes() -> None:
    assert made(small_cnn(), "cortex-m4").digest == completed("small_cnn", "cortex-m4").digest


def test_kinds_that_there_are_not_are_told() -> None:
    assert kinds_of("bare, cmake,bare") == ("bare", "cmake")
    with pytest.raises(gw.OptionError, match=r"no kind of project called 'arduinoo'\n.*did you mean 'arduino'"):
        gw.compile(small_cnn(), board="cortex-m4", project="arduinoo")
    with pytest.raises(gw.OptionError, match=r"no kind of project is asked for"):
        gw.compile(small_cnn(), board="cortex-m4", project=" ,")


def test_no_word_is_left_open(files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        if not path.startswith("image/"):
            assert not re.search(rb"@\w+@|\{name\}", data), path
