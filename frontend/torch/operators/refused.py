"""Operators that are known and refused, with what to use instead."""

from ..registry import REFUSED

CONTROL = "loops and branches with fixed counts unroll at export"
REFUSED.update(
    {
        "higher_order.cond": CONTROL,
        "higher_order.while_loop": CONTROL,
        "higher_order.scan": CONTROL,
        "higher_order.map_impl": CONTROL,
        "bernoulli": "a network that draws random numbers has no one answer",
        "rand": "a network that draws random numbers has no one answer",
        "randn": "a network that draws random numbers has no one answer",
        "rand_like": "a network that draws random numbers has no one answer",
        "randn_like": "a network that draws random numbers has no one answer",
        "nonzero": "its length depends on the values; use where() or a mask",
        "masked_select": "its length depends on the values; use where() or a mask",
        "unique2": "its length depends on the values",
        "item": "a number that is computed at run time cannot choose what is computed",
        "_local_scalar_dense": "a number that is computed at run time cannot choose what is computed",
        "quantized_decomposed.choose_qparams": "dynamic quantization: quantize statically (PT2E with observers)",
        "fft_fft": "complex numbers are not supported",
        "_fft_r2c": "complex numbers are not supported",
        "view_as_complex": "complex numbers are not supported",
        "view_as_real": "complex numbers are not supported",
        "grid_sampler": "resample before the network, or use interpolate",
        "grid_sampler_2d": "resample before the network, or use interpolate",
        "empty": "export the program as it is, or functional: program.run_decompositions({})",
        "as_strided": "use view, permute and slices",
        "index_put": "use where() with a constant mask",
        "_embedding_bag": "use an embedding and a mean",
    }
)
