"""Operators that change a tensor in place (``relu_``): who else would see the change.

An exported program that is not functional yet may change a tensor in place. What reads that tensor afterwards reads the
result. Where a view of it is read afterwards, or it is a view of something that is, the program has to be made
functional first.
"""

from collections.abc import Sequence
from typing import Any

from ...graph import UnsupportedError
from .program import Ref, Step

VIEWS = {
    "view", "reshape", "permute", "transpose", "t", "numpy_T", "squeeze", "unsqueeze", "expand", "expand_as", "flatten",
    "unflatten", "split", "split_with_sizes", "chunk", "tensor_split", "slice", "select", "narrow", "unbind", "unfold",
    "alias", "detach", "contiguous", "to", "type_as", "movedim", "moveaxis", "swapaxes", "swapdims", "diagonal",
    "view_as",
    "reshape_as", "broadcast_to", "dropout", "feature_dropout", "alpha_dropout", "_to_copy", "float", "lift_fresh",
    "as_strided", "squeeze_", "unsqueeze_", "t_", "detach_", "transpose_", "hsplit", "vsplit", "dsplit", "ravel",
    "adjoint", "mT", "mH", "real", "matrix_H", "pad", "feature_alpha_dropout", "rrelu",
}  # fmt: skip
"""Operators whose result may be the same memory as their first argument (some only at times)."""
RESHAPING = {"squeeze_", "unsqueeze_", "t_", "transpose_"}
"""In-place forms that give the tensor itself another shape; refused by having no entry in the table of operators."""


def in_place(step: Step) -> str | None:
    """Give the name of the tensor that an operator changes, None where it changes none."""
    library, op, _ = step.parts
    if library not in ("aten", "quantized_decomposed") or not op.endswith("_") or op.endswith("__"):
        return None
    target = next(iter(step.arguments.values()), None)
    return target.name if isinstance(target, Ref) else None


class Aliases:
    """Which names share memory, and when each is read for the last time.

    ``weights``: the names of parameters, buffers and constants, which may not change; ``outputs``: what is read last.
    """

    def __init__(self, steps: Sequence[Step], weights: frozenset[str], outputs: Sequence[Any]) -> None:
        self.weights = weights
        self.root: dict[str, str] = {}
        self.equal: dict[str, set[str]] = {}
        self.last: dict[str, int] = {}
        if not any(in_place(s) is not None for s in steps):
            return
        for i, step in enumerate(steps):
            self.last.update(dict.fromkeys(names_in(list(step.arguments.values())), i))
            self._follow(step)
        self.last.update(dict.fromkeys(names_in(list(outputs)), len(steps)))

    def _follow(self, step: Step) -> None:
        first, target = next(iter(step.arguments.values()), None), in_place(step)
        if not isinstance(first, Ref) or (step.parts[1] not in VIEWS and target is None):
            return
        for result in step.results:
            if result:
                self.root[result] = self.root.get(first.name, first.name)
                if target is not None and step.parts[1] not in RESHAPING:
                    together = self.equal.setdefault(target, {target})
                    together.add(result)
                    self.equal[result] = together

    def check(self, i: int, step: Step, place: str) -> None:
        """Refuse a change that other names than the tensor's own would see."""
        target = in_place(step)
        if target is None or step.parts[1] in (*RESHAPING, "detach_"):
            return
        root = self.root.get(target, target)
        sharing = {n for n in {*self.root, root} if self.root.get(n, n) == root} - self.equal.get(target, {target})
        seen = sorted(n for n in sharing if self.last.get(n, -1) > i)
        if seen or root in self.weights:
            what = f"it changes {target!r} in place, which {seen[0] if seen else root!r} shares memory with"
            hint = "make the program functional first: program.run_decompositions({}), then save it"
            raise UnsupportedError(what, where=place, hint=hint)

    def changed(self, step: Step) -> set[str]:
        """Give the names that mean the result from now on."""
        target = in_place(step)
        if target is None or step.parts[1] in (*RESHAPING, "detach_"):
            return set()
        return self.equal.get(target, {target})


def names_in(value: Any) -> list[str]:
    """Give the names that an argument, or a list of arguments, refers to."""
    if isinstance(value, Ref):
        return [value.name]
    return [n for v in value for n in names_in(v)] if isinstance(value, list) else []
