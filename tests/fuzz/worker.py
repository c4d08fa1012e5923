"""The process in which recipes run: ``python -m tests.fuzz.worker NAME``. Recipes come in, answers go out, as lines.

A crash or a hang costs this process only. Whatever frameworks print goes to standard error.
"""

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, TextIO

from .core import Fuzzer, Refused, Unusable, Wrong, fuzzers, general, outcome_of

Answer = dict[str, Any]


def answer(fuzzer: Fuzzer, recipe: dict[str, Any]) -> Answer:
    """Run one recipe; never raises."""
    try:
        found = outcome_of(fuzzer, recipe)
    except Wrong as error:
        return {"status": "wrong", "text": str(error), "kind": "wrong"}
    except Unusable as error:
        return {"status": "unusable", "text": str(error)}
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f"{f.filename.rpartition('/')[2]}:{f.name}" for f in frames]
        kind = f"{type(error).__name__} in {ours[-1]}: {general(str(error))}"
        return {"status": "crashed", "text": traceback.format_exc(), "kind": kind}
    return {
        "status": "ok",
        "refused": [o.reason for o in found if isinstance(o, Refused)],
        "right": [o.note for o in found if not isinstance(o, Refused)],
    }


def serve(fuzzer: Fuzzer, lines: TextIO, say: Callable[[Answer], None]) -> None:
    """Answer each line."""
    fuzzer.start()
    fuzzer.limit()
    say({"status": "ready"})
    for line in lines:
        say(answer(fuzzer, json.loads(line)))


def main(name: str) -> None:
    """Serve on standard input and what standard output was."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")

    def say(answer: Answer) -> None:
        out.write(json.dumps(answer) + "\n")
        out.flush()

    serve(fuzzers()[name], sys.stdin, say)


if __name__ == "__main__":
    main(sys.argv[1])
