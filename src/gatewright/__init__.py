"""Gatewright."""
