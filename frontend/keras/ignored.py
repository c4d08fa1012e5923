"""Attributes that say nothing about inference, each with the reason why ignoring it is right."""

from ..attributes import Attributes

EVERY_LAYER = {
    "name": "read when the configuration is parsed",
    "trainable": "whether training changes the weights; it orders them in files, and is read there",
    "batch_input_shape": "the shape of the model's input, read there",
    "batch_shape": "the shape of the model's input, read there",
    "input_shape": "the shape of the model's input, read there",
    "input_dtype": "the type of the model's input; all inputs are real numbers",
    "input_dim": "the weights have that size",
    "input_length": "the input has that size",
    "batch_size": "the graph has no batch",
    "autocast": "only matters for mixed precision, which is refused",
    "implementation": "a speed option with the same results",
    "build_config": "shapes are computed from the inputs",
}

TRAINING_SUFFIXES = {
    "_initializer": "where the weights started; the trained ones are in the file",
    "_regularizer": "a term of the loss",
    "_constraint": "applied to weights by the optimizer; the stored weights meet it",
}

TRAINING = {
    "momentum": "how the moving averages were computed",
    "synchronized": "how the moving averages were computed",
    "renorm_clipping": "only used with renorm, which is refused",
    "renorm_momentum": "only used with renorm, which is refused",
    "fused": "a speed option with the same results",
    "rate": "noise of training, absent at inference",
    "stddev": "noise of training, absent at inference",
    "num_bins": "for how many bins the boundaries were computed",
    "dropout": "noise of training, absent at inference",
    "recurrent_dropout": "noise of training, absent at inference",
    "seed": "noise of training, absent at inference",
    "noise_shape": "noise of training, absent at inference",
    "l1": "a term of the loss",
    "l2": "a term of the loss",
}
"""Ignored by the layers that have them, by name: ``ignore_training(config, "momentum")``."""


def ignore_common(config: Attributes) -> None:
    """Ignore what every layer may have."""
    config.ignore_all(EVERY_LAYER)
    for key in config.unread:
        for suffix, why in TRAINING_SUFFIXES.items():
            if key.endswith(suffix):
                config.ignore(key, why=why)


def ignore_training(config: Attributes, *keys: str) -> None:
    """Ignore attributes of the table ``TRAINING``."""
    for key in keys:
        config.ignore(key, why=TRAINING[key])
