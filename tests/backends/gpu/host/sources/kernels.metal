#include <metal_stdlib>
using namespace metal;

kernel void product_kernel(  device char* A_ptr [[ buffer(0) ]],
  device char* B_ptr [[ buffer(1) ]],
  device int* C_ptr [[ buffer(2) ]],
  uint2 blockIdx [[threadgroup_position_in_grid]],
  uint2 threadIdx [[thread_position_in_threadgroup]]
) {
  thread int acc[1];
  threadgroup char sa[256];
  threadgroup char sb[256];
  acc[0] = 0;
  for (int ko = 0; ko < 4; ++ko) {
    sa[((((int)threadIdx.y) * 16) + ((int)threadIdx.x))] = A_ptr[((((((int)blockIdx.y) * 1024) + (((int)threadIdx.y) * 64)) + (ko * 16)) + ((int)threadIdx.x))];
    sb[((((int)threadIdx.y) * 16) + ((int)threadIdx.x))] = B_ptr[((((((int)blockIdx.x) * 1024) + (((int)threadIdx.y) * 64)) + (ko * 16)) + ((int)threadIdx.x))];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (int k = 0; k < 4; ++k) {
      char4 left = (*(threadgroup char4*)(sa + ((((int)threadIdx.y) * 16) + (k * 4))));
      char4 right = (*(threadgroup char4*)(sb + ((((int)threadIdx.x) * 16) + (k * 4))));
      acc[0] = (acc[0] + (((((int)left.x) * ((int)right.x)) + (((int)left.y) * ((int)right.y))) + ((((int)left.z) * ((int)right.z)) + (((int)left.w) * ((int)right.w)))));
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  C_ptr[((((((int)blockIdx.y) * 1024) + (((int)threadIdx.y) * 64)) + (((int)blockIdx.x) * 16)) + ((int)threadIdx.x))] = acc[0];
}

kernel void narrow_kernel(  device int* C_ptr [[ buffer(0) ]],
  device int* bias_ptr [[ buffer(1) ]],
  device char* D_ptr [[ buffer(2) ]],
  uint blockIdx [[threadgroup_position_in_grid]],
  uint threadIdx [[thread_position_in_threadgroup]]
) {
  int at = ((((int)blockIdx) * 64) + ((int)threadIdx));
  if (at < 4096) {
    D_ptr[at] = ((char)max(min(((C_ptr[at] + bias_ptr[(at % 64)]) >> 8), 127), -128));
  }
}
