"""The search for a design: strategies, reuse factors and formats against accuracy, time and resources."""

from .search import OBJECTIVES, Found, Result, check_objectives, search
from .space import Space, make_space
from .trial import Outcome, Task, run_trial

__all__ = [
    "OBJECTIVES", "Found", "Outcome", "Result", "Space", "Task", "check_objectives", "make_space", "run_trial",
    "search",
]  # fmt: skip
