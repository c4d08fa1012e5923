"""How long compiling and proving take, with hls4ml's own conversion and C simulation beside them.

    python benchmarks/compile.py                 the jet tagger and ResNet-8's shape
    python benchmarks/compile.py --hls4ml        hls4ml's own way as well (needs the extra `tensorflow`)
    python benchmarks/compile.py --model M.h5 --io stream

Each row runs in a process of its own, with an empty cache of compiled simulations; wall seconds, and the peak memory of
the process and of the compiler.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
JET = str(ROOT / "examples/jet_tagger.h5")


def ours(model: str, io: str, strategy: str | None, vectors: int) -> dict[str, float | str]:
    """Compile with Gatewright: seconds to write the project, to prove it, and C simulation speed."""
    import gatewright as gw

    start = time.perf_counter()
    graph = resnet8() if model == "resnet8" else gw.load(model)
    project = gw.compile(graph, board="alveo-u250", io=io, strategy=strategy, vectors=vectors, verify=False)
    with tempfile.TemporaryDirectory() as folder:
        project.write(Path(folder) / "out")
    written = time.perf_counter() - start
    result = project.verify()
    proved = time.perf_counter() - start - written
    x = np.random.default_rng(0).uniform(0, 1, (vectors, *graph.inputs[0].shape)).astype(np.float32)
    start = time.perf_counter()
    project.predict(x)
    return {
        "status": result["status"], "written_s": written, "verified_s": proved,
        "inferences_per_s": vectors / (time.perf_counter() - start),
    }  # fmt: skip


def hls4ml_own(model: str, io: str, strategy: str | None, vectors: int) -> dict[str, float | str]:
    """Convert and compile a Keras model with hls4ml as its users do."""
    import hls4ml
    import keras

    start = time.perf_counter()
    network = keras.models.load_model(model, compile=False)
    config = hls4ml.utils.config_from_keras_model(network, granularity="name")
    with tempfile.TemporaryDirectory() as folder:
        converted = hls4ml.converters.convert_from_keras_model(
            network,
            hls_config=config,
            output_dir=folder,
            io_type=f"io_{io}",
            backend="Vitis",
            part="xcu250-figd2104-2L-e",
        )
        converted.write()
        written = time.perf_counter() - start
        converted.compile()
        compiled = time.perf_counter() - start - written
        x = np.random.default_rng(0).uniform(0, 1, (vectors, *network.input_shape[1:])).astype(np.float32)
        start = time.perf_counter()
        converted.predict(x)
        speed = vectors / (time.perf_counter() - start)
    return {"status": "not checked", "written_s": written, "verified_s": compiled, "inferences_per_s": speed}


def resnet8():  # type: ignore[no-untyped-def]
    """ResNet-8's shape (12.5 M MACs, 32x32x3) with drawn weights of 8 bits and activations of 8."""
    sys.path.insert(0, str(Path(__file__).parent))
    from networks import resnet8 as build

    return build()


def measure(name: str, way: str, model: str, io: str, strategy: str | None, vectors: int) -> None:
    """Run one row in a child process with an empty cache and print it."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache, "TF_CPP_MIN_LOG_LEVEL": "3"}
        arguments = json.dumps([way, model, io, strategy, vectors])
        done = subprocess.run(
            [sys.executable, __file__, "--row", arguments], capture_output=True, text=True, env=environment, check=False
        )
    if done.returncode:
        print(f"{name:<28} failed: {done.stderr.strip().splitlines()[-1] if done.stderr else done.returncode}")
        return
    row = json.loads(done.stdout.strip().splitlines()[-1])
    print(
        f"{name:<28} {row['status']:<12} written {row['written_s']:6.1f} s   "
        f"compiled and compared {row['verified_s']:6.1f} s   "
        f"{row['inferences_per_s']:10.1f} inferences/s   peak {row['peak_mb']:6.0f} MB"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hls4ml", action="store_true", help="hls4ml's own conversion and C simulation too")
    parser.add_argument("--model")
    parser.add_argument("--io", default="parallel")
    parser.add_argument("--strategy")
    parser.add_argument("--vectors", type=int, default=64)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.row:
        way, *rest = json.loads(chosen.row)
        result = (ours if way == "ours" else hls4ml_own)(*rest)
        peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        print(json.dumps({**result, "peak_mb": max(peaks) / 1024}))
        return
    if chosen.model:
        measure(Path(chosen.model).name, "ours", chosen.model, chosen.io, chosen.strategy, chosen.vectors)
        return
    measure("jet tagger, parallel", "ours", JET, "parallel", None, 512)
    measure("ResNet-8's shape, stream", "ours", "resnet8", "stream", "resource", 64)
    if chosen.hls4ml:
        measure("jet tagger, hls4ml's own", "hls4ml", JET, "parallel", None, 512)


if __name__ == "__main__":
    main()
