"""What tells the user of a project how to synthesise it: its README and the script that starts the vendor's tool."""

from .description import Description
from .options import Options

VITIS = """#!/bin/sh
# Run build_prj.tcl in Vitis: C simulation, synthesis, cosimulation, as build_opt.tcl says.
set -e
cd "$(dirname "$0")"
if command -v vitis-run > /dev/null; then # from 2023.2 on
    exec vitis-run --mode hls --tcl build_prj.tcl
elif command -v vitis_hls > /dev/null; then
    exec vitis_hls -f build_prj.tcl
fi
echo "neither vitis-run nor vitis_hls is on the path: source settings64.sh of the Vitis installation" >&2
exit 1
"""

VIVADO = """#!/bin/sh
# Run build_prj.tcl in Vivado HLS. Arguments choose the steps: csim=1 synth=1 cosim=1 validation=1 export=0 vsynth=0
set -e
cd "$(dirname "$0")"
if command -v vivado_hls > /dev/null; then
    exec vivado_hls -f build_prj.tcl "$*"
fi
echo "vivado_hls is not on the path: source settings64.sh of the Vivado installation (2019.2 or 2020.1)" >&2
exit 1
"""

README = """# {name}

An HLS project for {tool}: part `{part}`, clock period {clock} ns, {io}. Gatewright wrote it, with layers of hls4ml and
kernels of its own.

    ./build.sh

runs `build_prj.tcl` {runner}. {steps}

| file | what it is |
|---|---|
| `firmware/{name}.cpp` | the top function `{name}`, what is synthesised |
| `firmware/parameters.h`, `defines.h`, `weights/` | the layers' configurations, types and constants |
| `firmware/gatewright/`, `firmware/nnet_utils/` | the layers' code |
| `{name}_test.cpp` | the test bench, for C simulation and cosimulation |
| `tb_data/` | {vectors} |
| `project.tcl` | part, clock, names |
| `hls4ml_config.yml` | types, strategies and reuse factors of all layers |

Numbers in `tb_data` are integers: what the ports store, value * 2^(fraction bits). The test bench compares every output
of every vector and returns 1 where a bit differs, which stops the tool with an error. Ports, inputs before outputs, in
the order of the numbers:

{ports}

`build_lib.sh` compiles the top function with g++ instead, as hls4ml does for its Python interface.
"""

STEPS = {
    "vitis": "Which steps run (`csim`, `synth`, `cosim`, `validation`, `export`, `vsynth`) stands in `build_opt.tcl`.",
    "vivado": "Which steps run is chosen by arguments: `./build.sh csim=1 synth=1 cosim=0 validation=0 export=1`.",
}
RUNNERS = {
    "vitis": "in Vitis (`vitis-run --mode hls --tcl build_prj.tcl`; before 2023.2 `vitis_hls -f build_prj.tcl`)",
    "vivado": "in Vivado HLS (`vivado_hls -f build_prj.tcl`)",
}


def script(options: Options) -> bytes:
    """Give the shell script that runs the project's Tcl script in the tool (vitis or vivado)."""
    return (VITIS if options.tool == "vitis" else VIVADO).encode()


def readme(project: Description, options: Options, vectors: int) -> bytes:
    """Give the text of the project's README; ``vectors`` of them are in ``tb_data``."""
    data = f"{vectors} test vectors and the outputs that the integer graph gives for them" if vectors else "no vectors"
    listed = [f"- `{variable}`" for variable in project.variables]
    fields = {
        "name": project.name, "tool": options.backend, "part": options.part, "clock": f"{options.clock_ns:g}",
        "io": f"io_{options.io}", "runner": RUNNERS[options.tool], "steps": STEPS[options.tool], "vectors": data,
        "ports": "\n".join(listed),
    }  # fmt: skip
    return README.format(**fields).encode()
