"""Estimates of resources: exact counts where a template determines them, fits with bands for the rest."""

from .model import Counts, Finding, Resources

__all__ = ["Counts", "Finding", "Resources"]
