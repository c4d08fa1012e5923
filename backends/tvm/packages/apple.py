"""What an Xcode project needs: a framework bundle of the static library with its module, and a Swift package of it."""

import plistlib

from ....graph import Graph
from ...loops.program import Program
from ..build import Built

MODULE_MAP = """\
module {name} {{
    header "{name}.h"
    export *
}}
"""
PACKAGE = """\
// swift-tools-version:5.7
import PackageDescription

let package = Package(
    name: "{name}",
    platforms: [{platform}],
    products: [.library(name: "{name}", targets: ["{name}"])],
    targets: [.binaryTarget(name: "{name}", path: "{name}.xcframework")]
)
"""
PLATFORMS = {"ios": ".iOS(.v15)", "macos": ".macOS(.v11)"}
README = """\
# {name} for {system} (arm64)

| file | state |
|---|---|
| `{name}.xcframework/{slice}/lib{name}.a` | finished: compiled for {triple} |
| `{name}.xcframework/{slice}/Headers/` | finished: header and module map |
| `{name}.xcframework/Info.plist`, `Package.swift` | written without Apple's tools: **Xcode has to read them** |
| the app | **Xcode has to link and sign it** |

1. Drag `{name}.xcframework` into the target's "Frameworks, Libraries, and Embedded Content"
   (do not embed: it is static), or add this folder as a local package.
2. In Swift:

       import {name}
       let bytes = Int({upper}_ARENA_BYTES), alignment = Int({upper}_ALIGNMENT)
       let arena = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: alignment)
{begin}       let status = {name}_run(input, &output, arena)

The library is for devices{simulator}. A bundle of more slices is made by
`xcodebuild -create-xcframework` from the static library of each.
"""


def package(name: str, built: Built, program: Program, graph: Graph) -> dict[str, bytes]:
    """Give an xcframework, a Swift package, and a README that says what Xcode must finish."""
    system = built.platform.system
    slice_name = f"{system}-arm64"
    words = {
        "name": name, "upper": name.upper(), "system": {"ios": "iOS", "macos": "macOS"}[system], "slice": slice_name,
        "triple": program.machine.triple, "platform": PLATFORMS[system],
        "begin": f"       {name}_init(arena) // once, and to begin anew\n" if program.residents else "",
        "simulator": ", not for the simulator" if system == "ios" else "",
    }  # fmt: skip
    inside = f"{name}.xcframework/{slice_name}"
    return {
        f"{inside}/lib{name}.a": built.static,
        f"{inside}/Headers/{name}.h": built.header,
        f"{inside}/Headers/module.modulemap": MODULE_MAP.format(**words).encode(),
        f"{name}.xcframework/Info.plist": _information(name, system, slice_name),
        "Package.swift": PACKAGE.format(**words).encode(),
        "README.md": README.format(**words).encode(),
    }


def _information(name: str, system: str, slice_name: str) -> bytes:
    library = {
        "BinaryPath": f"lib{name}.a", "HeadersPath": "Headers", "LibraryIdentifier": slice_name,
        "LibraryPath": f"lib{name}.a", "SupportedArchitectures": ["arm64"], "SupportedPlatform": system,
    }  # fmt: skip
    return plistlib.dumps(
        {"AvailableLibraries": [library], "CFBundlePackageType": "XFWK", "XCFrameworkFormatVersion": "1.0"}
    )


__all__ = ["package"]
