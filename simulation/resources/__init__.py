"""Estimates of resources: exact counts where a template determines them, fits with bands for the rest."""

from .estimate import Fits, class_of, resources, shipped
from .model import Counts, Finding, Resources

__all__ = ["Counts", "Finding", "Fits", "Resources", "class_of", "resources", "shipped"]
