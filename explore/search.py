"""The search: Optuna asks and is told, workers run the trials, everything is on disk as it happens."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..graph import FileError, GatewrightError, OptionError, unknown
from .space import Space
from .trial import Outcome, Task, run_trial
from .workers import Pool, make_pool

OBJECTIVES: Mapping[str, str] = {
    "latency": "minimize", "interval": "minimize", "lut": "minimize", "ff": "minimize", "dsp": "minimize",
    "bram": "minimize", "uram": "minimize", "error": "minimize", "accuracy": "maximize",
}  # fmt: skip
"""What can be asked for, and which way is better. latency, interval: seconds; error: root of the mean square difference
to the float model's outputs."""

BUSY_S = 30.0
"""Seconds in which another process must let go of the study's file."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """A trial that was told: its point, figures, and why it was given up ("" where it was not)."""

    number: int
    point: dict[str, Any]
    values: dict[str, float]
    reason: str
    kind: str


@dataclass(frozen=True)
class Result:
    """All trials of a study, also those of earlier runs; ``told``: what the user should know."""

    trials: tuple[Found, ...]
    objectives: tuple[str, ...]
    told: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def pareto(self) -> tuple[Found, ...]:
        """The complete trials that none is better than in all objectives, the first objective ascending."""
        complete = [t for t in self.trials if t.kind == "complete"]
        kept = [t for t in complete if not any(dominates(o, t, self.objectives) for o in complete)]
        unique = {tuple(t.values[n] for n in self.objectives): t for t in reversed(kept)}
        return tuple(sorted(unique.values(), key=lambda t: [_cost(t, n) for n in self.objectives]))


def _cost(trial: Found, name: str) -> float:
    return trial.values[name] if OBJECTIVES[name] == "minimize" else -trial.values[name]


def dominates(a: Found, b: Found, objectives: Sequence[str]) -> bool:
    """Whether ``a`` is as good as ``b`` in all objectives and better in one."""
    ours, theirs = ([_cost(t, n) for n in objectives] for t in (a, b))
    return all(x <= y for x, y in zip(ours, theirs, strict=True)) and ours != theirs


def check_objectives(asked: str) -> tuple[str, ...]:
    """Read ``latency,lut,accuracy``. Raises OptionError for what is none."""
    names = tuple(name.strip() for name in asked.split(",") if name.strip())
    for name in names:
        if name not in OBJECTIVES:
            raise unknown("objective", name, OBJECTIVES)
    if not names:
        raise OptionError("no objective", hint=f"--objective {','.join(list(OBJECTIVES)[:3])}")
    return tuple(dict.fromkeys(names))


def search(
    task: Task,
    space: Space,
    *,
    board: str,
    objectives: tuple[str, ...],
    trials: int,
    storage: Path,
    options: str = "",
    workers: str | int = 1,
    bar: float | None = None,
    seed: int = 0,
    say: Say = lambda text: None,
) -> Result:
    """Run ``trials`` more trials, or as many as there is time for until it is interrupted, and give all there are.

    ``storage``: a file that keeps the study: a search that was stopped, in whatever way, goes on from it. ``bar``: the
    float model's accuracy. ``options``: all else that a study's trials have in common, as a text. Raises OptionError,
    FileError.
    """
    told: list[str] = []
    with _quiet():
        wanted = {"model": task.key, "board": board, "objectives": ",".join(objectives), "options": options}
        study = _study(storage, wanted, objectives, seed, told)
        _resume(study, space)
        pool = make_pool(workers)
        try:
            interrupted = _run(study, task, space, board, objectives, trials, pool, bar, say, told)
        finally:
            pool.close()
        return Result(_found(study), objectives, tuple(told), interrupted)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's log and its notes on experimental parts to itself."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _study(storage: Path, wanted: Mapping[str, str], objectives: tuple[str, ...], seed: int, told: list[str]) -> Any:
    """Open the study of a file, or begin one; a damaged file is kept aside. ``wanted``: what its trials share.

    Raises OptionError for another search's, FileError for one that is in use or cannot be opened.
    """
    try:
        study = _open(storage, objectives, seed)
        known = study.user_attrs
    except GatewrightError:
        raise
    except Exception as error:
        if reason := _closed(error):
            hint = "wait for the other search, or another --out or --storage"
            raise FileError(f"the study cannot be opened: {reason}", where=str(storage), hint=hint) from None
        aside = _aside(storage)
        told.append(
            f"{storage} is damaged ({type(error).__name__}); it is kept as {aside.name}, the search begins anew"
        )
        study = _open(storage, objectives, seed)
        known = study.user_attrs
    for name, value in wanted.items():
        if known.get(name, value) != value:
            what = f"the storage is of another search: {name} {known[name][:80]}, now {value[:80]}"
            raise OptionError(what, where=str(storage), hint="another --out or --storage")
        if name not in known:
            study.set_user_attr(name, value)
    return study


def _closed(error: Exception) -> str:
    """Say why SQLite cannot open a file that is whole: locked, not readable; "" for a damaged one."""
    from sqlalchemy.exc import OperationalError

    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OperationalError):
            reason = str(found.orig)
            return "" if reason.startswith(("no such", "table", "duplicate")) else reason
        found = found.__cause__ or found.__context__
    return ""


def _open(storage: Path, objectives: tuple[str, ...], seed: int) -> Any:
    import optuna

    backend = optuna.storages.RDBStorage(f"sqlite:///{storage}", engine_kwargs={"connect_args": {"timeout": BUSY_S}})
    count = len(backend.get_all_studies())
    stored = optuna.load_study(study_name="gatewright", storage=backend).trials if count else []
    sampler = optuna.samplers.TPESampler(
        seed=seed + len(stored), multivariate=True, n_startup_trials=12, constant_liar=True
    )
    if count:
        names = optuna.load_study(study_name="gatewright", storage=backend).directions
        if len(names) != len(objectives):
            what = f"the storage is of another search, with {len(names)} objectives"
            raise OptionError(what, where=str(storage), hint="another --out or --storage")
    return optuna.create_study(
        study_name="gatewright", storage=backend, sampler=sampler, load_if_exists=True,
        directions=[OBJECTIVES[n] for n in objectives],
    )  # fmt: skip


def _aside(storage: Path) -> Path:
    number = 1
    while (aside := storage.with_name(f"{storage.name}.damaged-{number}")).exists():
        number += 1
    try:
        storage.rename(aside)
    except OSError as error:
        raise FileError(f"cannot be moved: {error.strerror or error}", where=str(storage)) from None
    return aside


def _resume(study: Any, space: Space) -> None:
    """Put the trials that were running when a search was killed back into the queue; begin with the known starts."""
    import optuna

    states = optuna.trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        study.tell(trial.number, state=states.FAIL)
        study.enqueue_trial(trial.params)
    if not study.get_trials(deepcopy=False):
        for point in space.start():
            study.enqueue_trial(point)


def _run(
    study: Any,
    task: Task,
    space: Space,
    board: str,
    objectives: tuple[str, ...],
    trials: int,
    pool: Pool,
    bar: float | None,
    say: Say,
    told: list[str],
) -> bool:
    """Keep the pool busy until so many trials are told; say whether the user stopped it."""
    asked = done = 0
    pending: dict[Any, Any] = {}
    begin = time.monotonic()
    try:
        while done < trials:
            while asked < trials and len(pending) < pool.width:
                trial = study.ask()
                point = space.suggest(trial)
                config = space.config(point)
                job = pool.submit(run_trial, task, config, point.get("board", board), bar, objectives)
                pending[job] = trial
                trial.set_user_attr("point", point)
                asked += 1
            for job in pool.wait(list(pending)):
                trial = pending.pop(job)
                _tell(study, trial, pool.result(job), objectives, told)
                done += 1
                say(_progress(study, done, trials, begin))
    except KeyboardInterrupt:
        return True
    return False


def _tell(study: Any, trial: Any, outcome: Outcome, objectives: tuple[str, ...], told: list[str]) -> None:
    import optuna

    trial.set_user_attr("outcome", asdict(outcome))
    if outcome.kind == "complete":
        missing = [n for n in objectives if n not in outcome.values]
        if missing:
            raise OptionError(f"nothing is known of {missing[0]} on this board", hint="another --objective")
        study.tell(trial, [outcome.values[n] for n in objectives])
    elif outcome.kind == "failed":
        told.append(f"trial {trial.number}: {outcome.reason}")
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)


def _progress(study: Any, done: int, trials: int, begin: float) -> str:
    spent = time.monotonic() - begin
    best = len(study.best_trials)
    return f"trial {done} of {trials}: {best} on the front, {spent / done:.1f} s each"


def _found(study: Any) -> tuple[Found, ...]:
    found = []
    for trial in study.get_trials(deepcopy=False):
        outcome = trial.user_attrs.get("outcome")
        if outcome is not None:
            found.append(
                Found(trial.number, trial.user_attrs["point"], outcome["values"], outcome["reason"], outcome["kind"])
            )
    return tuple(found)


__all__ = ["OBJECTIVES", "Found", "Result", "check_objectives", "dominates", "search"]
