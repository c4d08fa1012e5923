"""Layers of Keras that are refused on purpose: why, and what to try."""

CODE = "its code is never run; write it with layers (Rescaling, Reshape, ...), or export to ONNX"
TEXT = "it reads text; look the words up before the model, and feed the numbers to an Embedding"
RANDOM = "it changes images at random, or draws at inference; take it out of the model for inference"
FOREIGN = "what it wraps is code of another framework; export that to ONNX"
BASE = "a base class; use a layer that computes something"
APPLICATION = "that of keras.applications is read from .keras files, which say whose it is; write your own with layers"
AWARE = "convert the model to TFLite int8 (TFLiteConverter with Optimize.DEFAULT), and give the .tflite file"
SPECTRUM = "spectra are computed before the model"

REFUSED = {
    "Lambda": CODE,
    "TFOpLambda": "write the function as a layer (Add, Multiply, Rescaling, ...), or export to ONNX",
    "SlicingOpLambda": "write the slice as a Cropping layer, or export to ONNX",
    "Layer": BASE,
    "Wrapper": BASE,
    "AbstractRNNCell": BASE,
    "InputSpec": BASE,
    "QuantizeWrapper": AWARE,
    "QuantizeWrapperV2": AWARE,
    "QuantizeLayer": AWARE,
    "QuantizeAnnotate": "quantize_apply first; " + AWARE,
    "PruneLowMagnitude": "strip_pruning before saving",
    "ClusterWeights": "strip_clustering before saving",
    "LayerScale": APPLICATION,
    "CustomScaleLayer": APPLICATION,
    "LSTMCell": "put the cell into RNN",
    "GRUCell": "put the cell into RNN",
    "SimpleRNNCell": "put the cell into RNN",
    "StackedRNNCells": "put the cells into RNN",
    "StringLookup": TEXT,
    "TextVectorization": TEXT,
    "IntegerLookup": "look the numbers up before the model, and feed their places to an Embedding",
    "Hashing": "hash before the model, and feed the numbers to an Embedding",
    "HashedCrossing": "hash before the model, and feed the numbers to an Embedding",
    "DenseFeatures": "its columns are code; feed numbers to Dense layers",
    "JaxLayer": FOREIGN,
    "FlaxLayer": FOREIGN,
    "TorchModuleWrapper": FOREIGN,
    "TFSMLayer": FOREIGN,
    "STFTSpectrogram": SPECTRUM,
    "MelSpectrogram": SPECTRUM,
    "Pipeline": "apply its layers one after the other",
    "ReversibleEmbedding": "use an Embedding, and a Dense layer for the way back",
    "Equalization": "equalize images before the model",
    "AutoContrast": "stretch images before the model",
    "Solarization": RANDOM,
    "MaxNumBoundingBoxes": "boxes are counted before the model",
    "AugMix": RANDOM,
    "CutMix": RANDOM,
    "MixUp": RANDOM,
    "RandAugment": RANDOM,
    "ContrastLimitedAdaptiveHistogramEqualization": "equalize images before the model",
    "RandomCrop": "use CenterCrop, which does at inference what RandomCrop does not say",
    "RandomHeight": RANDOM,
    "RandomWidth": RANDOM,
    **dict.fromkeys(
        (
            "RandomColorDegeneration", "RandomColorJitter", "RandomElasticTransform", "RandomErasing",
            "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective",
            "RandomPosterization", "RandomSaturation", "RandomSharpness", "RandomShear",
        ),
        RANDOM,
    ),
}  # fmt: skip
"""By class name."""
