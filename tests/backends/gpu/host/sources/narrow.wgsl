@group(0) @binding(0) var<storage, read> C_ptr : array<i32>;
@group(0) @binding(1) var<storage, read> bias_ptr : array<i32>;
@group(0) @binding(2) var<storage, read_write> D_ptr : array<i32>;

@compute @workgroup_size(64, 1, 1)
fn narrow_kernel(
  @builtin(workgroup_id) blockIdx : vec3<u32>,
  @builtin(local_invocation_id) threadIdx : vec3<u32>
) {
  let at : i32 = ((i32(blockIdx.x) * 64i) + i32(threadIdx.x));
  if (at < 4096i) {
    D_ptr[at] = max(min(((C_ptr[at] + bias_ptr[(at % 64i)])>>8u), 127i), -128i);
  }
}
