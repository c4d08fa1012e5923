"""Damaged files of every format: a typed error, or a model that runs. Never another exception, a hang, much memory."""

import io
import resource
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np

from gatewright.frontend import load
from gatewright.graph import GatewrightError, Graph, evaluate
from gatewright.graph.evaluate.run import source_shape
from gatewright.graph.file import load as load_graph
from gatewright.output import MANIFEST
from gatewright.project import open_module

from ...damage.corpus import FORMATS, Good, corpus
from ...damage.mutate import damaged, draw
from ..core import Fuzzer, Outcome, Recipe, Refused, Right, Wrong, reason_of

MEMORY = 2 << 30
RUN_MACS, RUN_ELEMENTS = 50_000_000, 2_000_000
"""A model that a damaged file describes is run only if it is small: the time is the model's own then."""


class DamageFuzzer(Fuzzer):
    """Files of one format."""

    live = False
    limit_s = 5.0

    def __init__(self, suffix: str) -> None:
        self.suffix, self.name = suffix, f"damage-{suffix[1:]}"

    @property
    def missing(self) -> list[str]:
        return [] if self.suffix in corpus() else [f"a good {self.suffix} file"]

    def start(self) -> None:
        """Import what loading imports, then limit what may come on top."""
        for good in corpus().get(self.suffix, ())[:2]:
            self.run({"file": good.name, "steps": []})

    def limit(self) -> None:
        """Allow this process no more than MEMORY beyond what it has; called by the worker, not in tests' process."""
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)

    def draw(self, rng: np.random.Generator) -> Recipe:
        files = corpus()[self.suffix]
        return {"file": files[int(rng.integers(len(files)))].name, "steps": draw(rng, self.suffix)}

    def run(self, recipe: Recipe) -> Outcome:
        files = {g.name: g for g in corpus()[self.suffix]}
        good = files[recipe["file"]]
        data = damaged(good.data, recipe["steps"], [g.data for g in corpus()[self.suffix]])
        with tempfile.TemporaryDirectory(prefix="gatewright-damage-") as name:
            folder = Path(name)
            try:
                graph = _loaded(folder, good, data)
            except GatewrightError as error:
                if not error.where and not getattr(error, "errors", ()):
                    raise Wrong(f"an error that names no file: {error}") from None
                return Refused(reason_of(error))
            finally:
                if left := [
                    p.name for p in folder.iterdir() if p.name not in ("model" + good.suffix, *dict(good.beside))
                ]:
                    raise Wrong(f"loading left files behind: {left}")
        return _ran(graph)

    def tell(self, recipe: Recipe) -> str:
        return f"{recipe['file']}: {recipe['steps']}"


def _loaded(folder: Path, good: Good, data: bytes) -> Graph:
    path = folder / f"model{good.suffix}"
    if good.suffix == ".directory":
        return _opened(path, data, good.data)
    path.write_bytes(data)
    for name, content in good.beside:
        (folder / name).write_bytes(content)
    weights = {"weights": folder / good.beside[0][0]} if good.beside else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load(path, **weights)


def _opened(path: Path, data: bytes, good: bytes) -> Graph:
    """Unpack an output directory and open it, as after a change by hand; without force it must say what was changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as z, zipfile.ZipFile(io.BytesIO(good)) as before:
        z.extractall(path)
        changed = any(z.read(n) != before.read(n) for n in before.namelist() if n != MANIFEST)
    try:
        open_module(path)
    except GatewrightError:
        return open_module(path, force=True).graph
    if changed:
        raise Wrong("a directory that was changed opens without a word")
    return open_module(path).graph


def _ran(graph: Graph) -> Outcome:
    """Run a small model on zeros and on random numbers; save it and read it back."""
    if graph.macs > RUN_MACS or sum(n.type.size for n in graph.nodes) > RUN_ELEMENTS:
        return Right("loaded, not run: large")
    rng = np.random.default_rng(0)
    shapes = {op.name: source_shape(op.shape, op.axes) for op in graph.input_ops}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for scale in (0.0, 1.0):
            try:
                evaluate(graph, {k: scale * rng.normal(size=(2, *s)) for k, s in shapes.items()})
            except GatewrightError as error:
                return Right(f"loaded; run: {reason_of(error)}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "again.gw"
        graph.save(path)
        if str(load_graph(path)) != str(graph):
            raise Wrong("the graph does not survive its own file")
    return Right("loaded and run")


FUZZERS = tuple(DamageFuzzer(suffix) for suffix in FORMATS)
