"""The padding ``same`` of windows, which Keras and ONNX share."""


def same_total(length: int, reach: int, stride: int) -> int:
    """Count the cells with which ``ceil(length / stride)`` windows of ``reach`` cells fit; below 0 some are left over.

    Source: TensorFlow API documentation, tf.nn, "Notes on padding"; ONNX, the definition of Conv (opset 11).
    """
    return (-(-length // stride) - 1) * stride + reach - length


def same_padding(length: int, reach: int, stride: int, *, lower: bool = False) -> tuple[int, int]:
    """Give that padding before and after; the odd cell goes after, before for ``lower``."""
    total = max(same_total(length, reach, stride), 0)
    small, large = total // 2, total - total // 2
    return (large, small) if lower else (small, large)
