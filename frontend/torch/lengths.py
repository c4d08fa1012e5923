"""Arithmetic on the lengths of axes, which Python's own operators do; importing this module adds them to the table."""

import operator as python
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...graph import NDArray, UnsupportedError
from .fold import FOLDERS, Folder
from .registry import Call
from .values import Known

PYTHON: dict[str, Callable[..., Any]] = {
    "add": python.add, "sub": python.sub, "mul": python.mul, "floordiv": python.floordiv, "mod": python.mod,
    "truediv": python.truediv, "neg": python.neg, "eq": python.eq, "ne": python.ne, "lt": python.lt, "le": python.le,
    "gt": python.gt, "ge": python.ge, "and_": python.and_, "or_": python.or_, "not_": python.not_,
}  # fmt: skip
"""Arithmetic on lengths; the arguments have no names that matter."""


def _small(number: Any) -> NDArray:
    if isinstance(number, int) and abs(number) >= 2**62:
        raise OverflowError(f"{float(number):g} is no length")
    return np.asarray(number)


def _python(function: Callable[..., Any]) -> Folder:
    def fold(call: Call) -> Sequence[Known]:
        values = [call.value(key) for key in call.arguments.unread]
        try:
            arrays = [
                _small(function(*(v.at(i).item() for v in values if isinstance(v, Known))))
                for i in range(len(call.batch.lengths))
            ]
        except (ValueError, ZeroDivisionError, OverflowError, TypeError) as error:
            raise UnsupportedError(f"cannot be computed: {error}", where=call.place, hint="export it again") from None
        return [Known.of(arrays, arrays[0].dtype.name)]

    return fold


for _name, _function in PYTHON.items():
    FOLDERS[f"_operator.{_name}"] = _python(_function)
FOLDERS["torch.sym_float"] = _python(float)
FOLDERS["torch.sym_int"] = _python(int)
FOLDERS["torch.sym_max"] = _python(max)
FOLDERS["torch.sym_min"] = _python(min)
FOLDERS["torch.sym_not"] = _python(python.not_)
