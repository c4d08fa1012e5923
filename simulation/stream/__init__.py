"""Cycle-level simulation of streaming designs."""
