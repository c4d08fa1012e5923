"""Compile the digits network for a PYNQ-Z2, prove it, and run the compiled C simulation on held-out images."""

from pathlib import Path

import numpy as np

import gatewright as gw

here = Path(__file__).parent
images = np.load(here / "digits_test_x.npy")
labels = np.load(here / "digits_test_y.npy")

project = gw.compile(here / "digits_qkeras.h5", board="pynq-z2", samples=images)
print(project.graph)
print(project.manifest["verification"])

y = project.predict(images)
print(f"accuracy of the hardware's integers on {len(images)} held-out images: {(y.argmax(1) == labels).mean():.3f}")
