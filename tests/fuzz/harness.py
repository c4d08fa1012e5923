"""Run fuzzers: count what they find, shrink what fails, write reproducers."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from .core import Fuzzer, Recipe, generator
from .shrink import shrink
from .worker import Answer
from .worker import answer as answer_here

ROOT = Path(__file__).parents[2]
START_S = 900.0
"""A framework's import may take minutes on a cold disk."""
SHRINK_S, SHRUNK = 120.0, 2
"""How long one failure is made smaller, and how many of each kind are."""
FAILURES = ("wrong", "crashed", "hung")


@dataclass
class Failure:
    """What went wrong: ``recipe`` is as small as it got, ``file`` where it stands."""

    status: str
    kind: str
    text: str
    recipe: Recipe
    file: Path | None = None


@dataclass
class Report:
    """What one fuzzer did."""

    name: str
    seconds: float = 0.0
    recipes: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    skipped: str = ""

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        self.recipes += 1
        if answer["status"] == "ok":
            self.counts["right"] += len(answer["right"])
            self.counts["refused"] += len(answer["refused"])
            self.refused.update(answer["refused"])
            self.notes.update(note for note in answer["right"] if note)
        else:
            self.counts[answer["status"]] += 1

    @property
    def failed(self) -> int:
        """How many recipes were wrong, crashed or hung."""
        return sum(self.counts[status] for status in FAILURES)

    def __str__(self) -> str:
        if self.skipped:
            return f"{self.name}: skipped: {self.skipped}"
        counts = ", ".join(f"{self.counts[k]} {k}" for k in ("right", "refused", *FAILURES, "unusable"))
        lines = [f"{self.name}: {self.recipes} recipes in {self.seconds:.0f} s: {counts}"]
        lines += [f"  refused {n:6d}  {reason}" for reason, n in self.refused.most_common(40)]
        lines += [f"  noted   {n:6d}  {note}" for note, n in self.notes.most_common(20)]
        for failure in self.failures:
            lines.append(f"  {failure.status.upper()} {failure.kind}" + (f" -> {failure.file}" if failure.file else ""))
            lines += [f"      {line}" for line in failure.text.strip().splitlines()[-12:]]
        return "\n".join(lines)


class Worker:
    """A process that answers recipes; a new one after each crash or hang."""

    def __init__(self, fuzzer: Fuzzer) -> None:
        self.fuzzer = fuzzer
        self.process: subprocess.Popen[str] | None = None
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker

    def ask(self, recipe: Recipe) -> Answer:
        """Run one recipe in the process."""
        if self.process is None and (died := self._start()) is not None:
            return died
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(recipe) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return self._died()
        return self._heard(self.fuzzer.limit_s)

    def _start(self) -> Answer | None:
        places = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1", **os.environ, "PYTHONPATH": places}
        self.log.seek(0)
        self.log.truncate()
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.worker", self.fuzzer.name], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, start_new_session=True,
        )  # fmt: skip
        said = self._heard(START_S)
        if said["status"] == "ready":
            return None
        raise RuntimeError(f"{self.fuzzer.name} does not start: {said.get('text')}")

    def _heard(self, seconds: float) -> Answer:
        """Wait for one line of the process."""
        assert self.process is not None
        out = self.process.stdout
        assert out is not None
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            if not selector.select(seconds):
                self.stop()
                return {"status": "hung", "kind": "hung", "text": f"over {seconds:.0f} s"}
        line = out.readline()
        found: Answer = json.loads(line) if line.endswith("\n") else self._died()
        return found

    def _died(self) -> Answer:
        assert self.process is not None
        status = self.process.wait()
        self._forget()
        self.log.seek(0)
        said = self.log.read().decode(errors="replace")[-1500:]
        return {"status": "crashed", "kind": f"the process ended with status {status}", "text": said}

    def stop(self) -> None:
        """End the process and what it started."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self._forget()

    def close(self) -> None:
        """End the process for good."""
        self.stop()
        self.log.close()

    def _forget(self) -> None:
        assert self.process is not None
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]
        self.process = None


class Here:
    """Answers recipes in this process, for short runs in tests."""

    def __init__(self, fuzzer: Fuzzer) -> None:
        self.fuzzer = fuzzer
        fuzzer.start()

    def ask(self, recipe: Recipe) -> Answer:
        """Run one recipe."""
        return answer_here(self.fuzzer, recipe)

    def close(self) -> None:
        """Nothing to end."""


@dataclass(frozen=True)
class Run:
    """How long, from which seed, where reproducers go (None: nowhere)."""

    seed: int = 0
    seconds: float | None = None
    cases: int | None = None
    folder: Path | None = None
    shrink_s: float = SHRINK_S
    say: Callable[[str], None] = lambda text: None


def fuzz(fuzzer: Fuzzer, run: Run, *, here: bool = False) -> Report:
    """Draw and run recipes until the time or the number of cases is used up."""
    report = Report(fuzzer.name)
    if fuzzer.missing:
        report.skipped = f"needs {', '.join(fuzzer.missing)}"
        return report
    worker: Worker | Here = Here(fuzzer) if here else Worker(fuzzer)
    started = time.monotonic()
    kinds: Counter[str] = Counter()
    try:
        while not _over(run, report.recipes, time.monotonic() - started):
            recipe = fuzzer.draw(generator(fuzzer, run.seed, report.recipes))
            answer = worker.ask(recipe)
            report.add(answer)
            if answer["status"] in FAILURES:
                kinds[answer["kind"]] += 1
                if kinds[answer["kind"]] <= SHRUNK:
                    report.failures.append(_failure(fuzzer, worker, recipe, answer, run))
                    run.say(str(report).partition("\n")[0])
    finally:
        worker.close()
    report.seconds = time.monotonic() - started
    return report


def _over(run: Run, recipes: int, seconds: float) -> bool:
    return (run.cases is not None and recipes >= run.cases) or (run.seconds is not None and seconds >= run.seconds)


def _failure(fuzzer: Fuzzer, worker: Worker | Here, recipe: Recipe, answer: Answer, run: Run) -> Failure:
    """Shrink a failing recipe and write it."""
    last = {"answer": answer}

    def fails(candidate: Recipe) -> bool:
        found = worker.ask(candidate)
        same = found["status"] == answer["status"] and found["kind"] == answer["kind"]
        if same:
            last["answer"] = found
        return same

    small = shrink(recipe, fuzzer.smaller, fails, 0.0 if answer["status"] == "hung" else run.shrink_s)
    failure = Failure(answer["status"], answer["kind"], last["answer"]["text"], small)
    if run.folder is not None:
        failure.file = write(fuzzer, failure, run.folder)
    return failure


def write(fuzzer: Fuzzer, failure: Failure, folder: Path) -> Path:
    """Write a reproducer for ``--replay``."""
    folder.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "fuzzer": fuzzer.name,
        "status": failure.status,
        "kind": failure.kind,
        "text": failure.text,
        "told": fuzzer.tell(failure.recipe).splitlines(),
        "recipe": failure.recipe,
    }
    digest = sha256(json.dumps(failure.recipe, sort_keys=True).encode()).hexdigest()[:10]
    file = folder / f"{fuzzer.name}-{failure.status}-{digest}.json"
    file.write_text(json.dumps(document, indent=1) + "\n")
    return file
