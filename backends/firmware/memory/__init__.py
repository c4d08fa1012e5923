"""The memory of firmware: what lives when, what may lie over what, and where everything stands in the arena."""

from .plan import Need, Plan, plan

__all__ = ["Need", "Plan", "plan"]
