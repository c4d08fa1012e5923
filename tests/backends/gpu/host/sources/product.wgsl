//----------------------------------------
// Function: product_kernel
//----------------------------------------
@group(0) @binding(0) var<storage, read> A_ptr : array<i32>;
@group(0) @binding(1) var<storage, read> B_ptr : array<i32>;
@group(0) @binding(2) var<storage, read_write> C_ptr : array<i32>;

var<workgroup> sa : array<i32, 256>;
var<workgroup> sb : array<i32, 256>;
@compute @workgroup_size(16, 16, 1)
fn product_kernel(
  @builtin(workgroup_id) blockIdx : vec3<u32>,
  @builtin(num_workgroups) gridDim : vec3<u32>,
  @builtin(local_invocation_id) threadIdx : vec3<u32>
) {
  var acc : array<i32, 1>;
  let v__1 : i32 = i32(blockIdx.z * gridDim.x + blockIdx.x);
  acc[0i] = 0i;
  for (var ko : i32 = 0i; ko < 4i; ko++) {
    sa[((i32(threadIdx.y) * 16i) + i32(threadIdx.x))] = A_ptr[((((i32(blockIdx.y) * 1024i) + (i32(threadIdx.y) * 64i)) + (ko * 16i)) + i32(threadIdx.x))];
    sb[((i32(threadIdx.y) * 16i) + i32(threadIdx.x))] = B_ptr[((((v__1 * 1024i) + (i32(threadIdx.y) * 64i)) + (ko * 16i)) + i32(threadIdx.x))];
    workgroupBarrier();
    for (var k : i32 = 0i; k < 16i; k++) {
      acc[0i] = (acc[0i] + (sa[((i32(threadIdx.y) * 16i) + k)] * sb[((i32(threadIdx.x) * 16i) + k)]));
    }
    workgroupBarrier();
  }
  C_ptr[((((i32(blockIdx.y) * 1024i) + (i32(threadIdx.y) * 64i)) + (v__1 * 16i)) + i32(threadIdx.x))] = acc[0i];
}
