"""Runs a launch plan on a device. What stands here needs numpy only and is copied into projects as it is."""
