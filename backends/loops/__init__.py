"""A graph as loops over arrays: what is computed together, where tensors stand, and a kernel for every step.

``make_program`` gives a ``Program``: kernels in a small language of loops, vectors and memory (``code``), the order in
which they are called, constants and an arena. Back ends turn it into TIR, C or kernels of a graphics processor.
"""
