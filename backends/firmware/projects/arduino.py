"""An Arduino library (Arduino library specification, format 1.5 rev. 2.2): library.properties, src, examples."""

from .details import Details

SECTION = """
## Arduino

Copy this folder into `libraries` of the sketchbook under the name `@name@`; the sketch "SelfTest" stands among its
examples then.
"""
PROPERTIES = """\
name=@name@
version=1.0.0
author=Gatewright
maintainer=Gatewright
sentence=The neural network @name@ in C, without allocation.
paragraph=Fill @name@_in0, call @name@_run(), read @name@_out0. Working memory: @arena_bytes@ bytes.
category=Data Processing
url=https://example.com/
architectures=*
includes=@name@.h
"""
SKETCH = """\
// Runs the self-test of the network and prints what it finds.
#include <@name@.h>

void setup() {
  Serial.begin(115200);
  while (!Serial) {
  }
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


def files(details: Details) -> dict[str, bytes]:
    """Give the library's properties and its example."""
    texts = {"library.properties": PROPERTIES, "examples/SelfTest/SelfTest.ino": SKETCH}
    return {path: details.fill(text).encode() for path, text in texts.items()}
