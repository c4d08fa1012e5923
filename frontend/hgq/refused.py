"""Layers of HGQ2 and HGQ that are refused, and what to try."""

from ..keras.refused import REFUSED

TRACE = "load it with HGQ, run trace_minmax, and give that model, or the file of to_proxy_model(model)"
UNTRACED = (
    "HQuantize", "HActivation", "HAdd", "HDense", "HDenseBatchNorm", "HConv1D", "HConv2D", "HConv1DBatchNorm",
    "HConv2DBatchNorm", "HBatchNormalization", "Signature", "PReshape", "PFlatten", "PConcatenate", "PMaxPooling1D",
    "PMaxPooling2D", "PAveragePooling1D", "PAveragePooling2D", "PPool1D", "PPool2D", "PDropout", "PPermute",
    "PLayerBase",
)  # fmt: skip
"""The first HGQ's own: none of its files has the ranges that integer bits follow from."""
TABLES = "its tables are those of float networks, which only HGQ2's own conversion makes; use QDense or QEinsumDense"
SPIKES = "spiking layers keep a state that HGQ2 resets by itself; use QSimpleRNN's formula in plain layers"

REFUSED.update(
    {f"HGQ>{name}": f"the file of an HGQ model has no ranges, so no integer bits: {TRACE}" for name in UNTRACED}
)
REFUSED.update(dict.fromkeys(("hgq>QDenseT", "hgq>QEinsumDenseT", "hgq>QConvT1D", "hgq>QConvT2D"), TABLES))
REFUSED.update(dict.fromkeys(("hgq>QMultiHeadAttentionT", "hgq>QLinformerAttentionT"), TABLES))
REFUSED.update(dict.fromkeys(("hgq>QSimpleSNN", "hgq>QLIF", "hgq>QSimpleSNNCell", "hgq>QLIFCell"), SPIKES))
REFUSED["hgq>QSALTAttention"] = "use QMultiHeadAttention or QLinformerAttention"
