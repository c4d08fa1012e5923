"""Graphs become files here. A back end takes an integer graph and gives a ``Project``: files in memory."""

from .project import Project

__all__ = ["Project"]
