"""The digits that scikit-learn ships, split once and for all: two thirds to train on, one third held out.

1,797 images of 8x8 pixels with values 0 ... 16, here divided by 16: exact in fixed point with four fraction bits.

    pip install '.[examples]'
    python examples/digits.py       # writes digits_test_x.npy and digits_test_y.npy

With those two files nothing but training needs scikit-learn.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
HELD_OUT = 599
Digits = tuple[NDArray[np.float32], NDArray[np.uint8]]


def load() -> tuple[Digits, Digits]:
    """Give ((x, y) to train on, (x, y) held out): x float32 [images, 8, 8, 1] in 0 ... 1, y uint8 [images]."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x = (images.reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    y = labels.astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(x))
    test, train = order[:HELD_OUT], order[HELD_OUT:]
    return (x[train], y[train]), (x[test], y[test])


def with_shifts(x: NDArray[np.float32], y: NDArray[np.uint8]) -> Digits:
    """Give five times the images: each as it is, and moved by one pixel up, down, left and right."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    moves = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    moved = np.concatenate([padded[:, row : row + 8, column : column + 8] for row, column in moves])
    return moved, np.tile(y, len(moves))


if __name__ == "__main__":
    _, (x_test, y_test) = load()
    np.save(HERE / "digits_test_x.npy", x_test)
    np.save(HERE / "digits_test_y.npy", y_test)
    print(f"{len(x_test)} held-out digits written")
