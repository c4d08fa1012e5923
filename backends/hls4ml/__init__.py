"""The hls4ml back end: integer graphs become HLS projects that hls4ml writes, with kernels of ours where it has none that is exact."""
