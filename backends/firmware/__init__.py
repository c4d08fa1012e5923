"""The firmware back end: a graph becomes C for microcontrollers, proved on an emulated core."""
