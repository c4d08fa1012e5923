"""A fuzzer that fails on request, to test the harness with; it draws only what is right."""

import os
import sys
import time

import numpy as np

from ..core import Fuzzer, Outcome, Recipe, Right


class SelfTest(Fuzzer):
    """Does what the recipe says."""

    name = "self-test"
    live = False
    limit_s = 3.0

    def draw(self, rng: np.random.Generator) -> Recipe:
        return {"do": "right", "salt": int(rng.integers(1 << 30))}

    def run(self, recipe: Recipe) -> Outcome:
        match recipe["do"]:
            case "raise":
                raise ZeroDivisionError("as asked")
            case "abort":
                os.abort()
            case "hang":
                time.sleep(1000)
            case "print":
                print("not an answer", flush=True)  # noqa: T201
                sys.stdout.write("nor this\n")
        return Right()


FUZZERS = (SelfTest(),)
