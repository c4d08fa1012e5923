"""A PlatformIO library (PlatformIO documentation, "library.json")."""

import json

from .details import Details

SECTION = """
## PlatformIO

Put this folder under `lib/` of a project, or name it in `lib_deps` (`symlink://<this folder>`). The example is a
project that runs the self-test:

    pio run -d examples/platformio -e <environment>
"""
MAIN = """\
// Runs the self-test of the network and prints what it finds.
#include <Arduino.h>
#include <@name@.h>

void setup() {
  Serial.begin(115200);
  @name@_init();
  int wrong = @name@_selftest();
  if (wrong != 0) {
    Serial.print("@name@: the self-test failed at ");
    Serial.println(@name@_layer_name(wrong - 1));
  } else {
    Serial.println("@name@: the self-test passed");
  }
}

void loop() {
}
"""
INI = """\
; Add an environment of your board: platform = ..., board = ...
[env]
framework = arduino
lib_deps = symlink://../..
"""


def files(details: Details) -> dict[str, bytes]:
    """Give the library's manifest and an example project."""
    name = details.name
    manifest = {
        "name": name,
        "version": "1.0.0",
        "description": f"The neural network {name} in C, without allocation; made for {details.described['board']}.",
        "keywords": ["neural network", "tinyml"],
        "frameworks": "*",
        "platforms": "*",
        "headers": f"{name}.h",
        "build": {"srcDir": "src", "includeDir": "src", "flags": [details.optimize]},
        "export": {"include": ["library.json", "README.md", "src", "examples"]},
        "examples": [{"name": "selftest", "base": "examples/platformio", "files": ["platformio.ini", "src/main.cpp"]}],
    }
    return {
        "library.json": json.dumps(manifest, indent=2).encode() + b"\n",
        "examples/platformio/platformio.ini": details.fill(INI).encode(),
        "examples/platformio/src/main.cpp": details.fill(MAIN).encode(),
    }
