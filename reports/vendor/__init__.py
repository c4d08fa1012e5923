"""Reports of the vendors' tools, read: what they counted and timed of a run that the user made."""

from .model import VendorReport
from .read import find_reports, read_report

__all__ = ["VendorReport", "find_reports", "read_report"]
