"""The memory of firmware: what lives when, what may lie over what, and where everything stands in the arena."""

from .choose import choose
from .limits import Wish, parse
from .plan import Need, Plan, plan

__all__ = ["Need", "Plan", "Wish", "choose", "parse", "plan"]
