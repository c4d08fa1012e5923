"""Explore: the command around the search; reads the model and the samples, writes what was found."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .frontend import load
from .graph import Graph, NDArray, OptionError, evaluate
from .graph.evaluate import feed
from .graph.file import to_bytes
from .options import Choices
from .output import sha256
from .project import Progress
from .samples import read_samples
from .targets import find_board

if TYPE_CHECKING:
    from .explore.space import Space

NEEDED = ("optuna", "distributed")
MOST_TRIALS = 100_000


def explore(
    model: str,
    boards: Sequence[str],
    *,
    weights: str | None,
    samples: Path,
    labels: Path | None,
    objective: str,
    trials: int,
    workers: str,
    out: Path,
    storage: Path | None,
    seed: int,
    choices: Choices,
    progress: Progress = lambda text: None,
) -> tuple[dict[str, Any], Callable[[], None]]:
    """Search designs of a model; give a document, and what prints it. Files go to ``out``; the study is kept there too.

    Raises OptionError and FileError for what cannot be searched; a search that is interrupted gives what it has.
    """
    from .explore import make_space, search
    from .explore.outcome import write
    from .explore.trial import Task, accuracy, first_output, read_labels, run_trial

    objectives = _checked(objective, trials, boards, labels)
    targets = [find_board(name) for name in dict.fromkeys(boards)]
    progress("reading the model")
    graph = load(model, weights=weights)
    x = _by_name(graph, read_samples(samples, graph))
    count = len(next(iter(x.values())))
    given = read_labels(labels, count) if labels is not None else None
    reference = first_output(evaluate(graph, x))
    bar = accuracy(reference, given) if given is not None else None
    progress("looking at what can be searched")
    space = make_space(graph, targets, x, choices)
    files = to_bytes(graph)
    key = sha256(b"".join([*files.values(), *(v.tobytes() for v in x.values())]))
    task = Task(key, files, x, given, reference, choices)
    _make(out)
    _make((storage or out / "study.db").parent)
    default = run_trial(task, {"io": space.ios[0]}, targets[0].name, None, objectives)
    result = search(
        task, space, board=targets[0].name, objectives=objectives, trials=trials, storage=storage or out / "study.db",
        options=_options(space, choices, given), workers=workers, bar=bar, seed=seed, say=progress,
    )  # fmt: skip
    sources = [*(["--weights", weights] if weights else []), "--samples", str(samples)]
    points = write(out, result, space, model=model, board=targets[0].name, default=default.values, sources=sources)
    kinds = [t.kind for t in result.trials]
    document = {
        "model": model, "board": targets[0].name, "objectives": list(objectives), "float_accuracy": bar,
        "default": default.values, "points": points, "out": str(out), "interrupted": result.interrupted,
        "trials": {kind: kinds.count(kind) for kind in ("complete", "pruned", "infeasible", "failed")},
        "notes": list(result.told),
    }  # fmt: skip

    def people() -> None:
        from .explore.outcome import table
        from .report import show

        show(table(result, default.values))
        show(_closing(document))

    return document, people


def _options(space: "Space", choices: Choices, labels: NDArray | None) -> str:
    """Spell what all trials of a study share beside the model, the samples, the objectives."""
    given = {"io": "|".join(space.ios), "boards": "|".join(space.boards), **space.fixed, "types": choices.types}
    if labels is not None:
        given["labels"] = sha256(labels.tobytes())[:12]
    return ", ".join(f"{name} {value}" for name, value in given.items())


def _checked(objective: str, trials: int, boards: Sequence[str], labels: Path | None) -> tuple[str, ...]:
    from .explore import check_objectives

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise OptionError(f"the search needs the package {missing[0]}", hint="pip install 'gatewright[explore]'")
    if not boards:
        raise OptionError("a design is searched for a board", hint="--board NAME")
    if not 1 <= trials <= MOST_TRIALS:
        raise OptionError(f"trials = {trials}", hint=f"1 to {MOST_TRIALS:,}")
    names = check_objectives(objective)
    if "accuracy" in names and labels is None:
        hint = "--labels FILE, or the objective error: the distance to the float model's outputs"
        raise OptionError("accuracy needs labels", hint=hint)
    return names


def _by_name(graph: Graph, x: Any) -> dict[str, Any]:
    """Samples by input name, in the source's layout."""
    if isinstance(x, dict):
        return {name: np.asarray(v) for name, v in x.items()}
    arrays = x if isinstance(x, (tuple, list)) else (x,)
    feed(graph, x)  # says what does not fit
    return {op.name: np.asarray(v) for op, v in zip(graph.input_ops, arrays, strict=True)}


def _make(out: Path) -> None:
    from .graph import FileError

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot be made: {error.strerror or error}", where=str(out)) from None


def _closing(document: dict[str, Any]) -> Any:
    from rich.text import Text

    counts = document["trials"]
    lines = [
        "",
        f"{counts['complete']} complete, {counts['pruned']} given up early, {counts['infeasible']} not possible here"
        + (f", {counts['failed']} failed" if counts["failed"] else ""),
        *([] if document["float_accuracy"] is None else [f"the float model: {100 * document['float_accuracy']:.2f} %"]),
        *(f"note: {note}" for note in document["notes"][:5]),
        *([] if not document["interrupted"] else ["interrupted: the same command goes on from here"]),
        f"written to {document['out']}: pareto.html, pareto.json, point-N.toml",
    ]
    if document["points"]:
        lines.append(document["points"][0]["command"])
    return Text("\n".join(lines))
