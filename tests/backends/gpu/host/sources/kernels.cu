static __device__ __forceinline__ int tile_dot(int a, int b, int c) { return __dp4a(a, b, c); }
extern "C" __global__ void __launch_bounds__(256) product_kernel(signed char* __restrict__ A_ptr, signed char* __restrict__ B_ptr, int* __restrict__ C_ptr);
extern "C" __global__ void __launch_bounds__(256) product_kernel(signed char* __restrict__ A_ptr, signed char* __restrict__ B_ptr, int* __restrict__ C_ptr) {
  alignas(64) int acc_ptr[1];
  __shared__ alignas(64) int sa_ptr[64];
  __shared__ alignas(64) int sb_ptr[64];
  acc_ptr[0] = 0;
  int lane = (((int)threadIdx.y) * 16) + ((int)threadIdx.x);
  for (int ko = 0; ko < 4; ++ko) {
    if (lane < 64) {
      sa_ptr[lane] = (*(int*)(A_ptr + (((((((int)blockIdx.y) * 16) + (lane / 4)) * 64) + (ko * 16)) + ((lane % 4) * 4))));
      sb_ptr[lane] = (*(int*)(B_ptr + (((((((int)blockIdx.x) * 16) + (lane / 4)) * 64) + (ko * 16)) + ((lane % 4) * 4))));
    }
    __syncthreads();
    for (int k = 0; k < 4; ++k) {
      acc_ptr[0] = tile_dot(sa_ptr[((((int)threadIdx.y) * 4) + k)], sb_ptr[((((int)threadIdx.x) * 4) + k)], acc_ptr[0]);
    }
    __syncthreads();
  }
  C_ptr[((((((int)blockIdx.y) * 1024) + (((int)threadIdx.y) * 64)) + (((int)blockIdx.x) * 16)) + ((int)threadIdx.x))] = acc_ptr[0];
}

extern "C" __global__ void __launch_bounds__(64) narrow_kernel(int* __restrict__ C_ptr, int* __restrict__ bias_ptr, signed char* __restrict__ D_ptr) {
  int at = ((((int)blockIdx.x) * 64) + ((int)threadIdx.x));
  if (at < 4096) {
    D_ptr[at] = ((signed char)max(min(((C_ptr[at] + __ldg(bias_ptr + (at % 64))) >> 8), 127), -128));
  }
}
