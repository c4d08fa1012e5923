"""What fixed point costs in accuracy: the float CNN on digits, lowered with several precisions, no hardware needed."""

from pathlib import Path

import numpy as np

import gatewright as gw

here = Path(__file__).parent
images = np.load(here / "digits_test_x.npy")
labels = np.load(here / "digits_test_y.npy")

graph = gw.load(here / "digits_cnn.keras")
print(f"float: {(gw.evaluate(graph, images).argmax(1) == labels).mean():.3f}")
for precision in ("fixed<16,6>", "fixed<12,6>", "fixed<10,6>", "fixed<8,6>"):
    integer = gw.lower(graph, board="host", precision=precision, samples=images)
    print(f"{precision}: {(gw.evaluate(integer, images).argmax(1) == labels).mean():.3f}")
