__kernel void product_kernel(__global char* restrict A_ptr, __global char* restrict B_ptr, __global int* restrict C_ptr);
__kernel void product_kernel(__global char* restrict A_ptr, __global char* restrict B_ptr, __global int* restrict C_ptr) {
  int acc_ptr[1];
  __local char sa_ptr[256];
  __local char sb_ptr[256];
  acc_ptr[0] = 0;
  for (int ko = 0; ko < 4; ++ko) {
    sa_ptr[(((convert_int(get_local_id(1))) * 16) + (convert_int(get_local_id(0))))] = A_ptr[(((((convert_int(get_group_id(1))) * 1024) + ((convert_int(get_local_id(1))) * 64)) + (ko * 16)) + (convert_int(get_local_id(0))))];
    sb_ptr[(((convert_int(get_local_id(1))) * 16) + (convert_int(get_local_id(0))))] = B_ptr[(((((convert_int(get_group_id(0))) * 1024) + ((convert_int(get_local_id(1))) * 64)) + (ko * 16)) + (convert_int(get_local_id(0))))];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k = 0; k < 4; ++k) {
      int4 products = convert_int4(vload4(0, sa_ptr + (((convert_int(get_local_id(1))) * 16) + (k * 4)))) * convert_int4(vload4(0, sb_ptr + (((convert_int(get_local_id(0))) * 16) + (k * 4))));
      acc_ptr[0] = (acc_ptr[0] + (((products.x + products.y) + products.z) + products.w));
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  C_ptr[(((((convert_int(get_group_id(1))) * 1024) + ((convert_int(get_local_id(1))) * 64)) + ((convert_int(get_group_id(0))) * 16)) + (convert_int(get_local_id(0))))] = acc_ptr[0];
}

__kernel void narrow_kernel(__global int* restrict C_ptr, __global int* restrict bias_ptr, __global char* restrict D_ptr) {
  int at = (((convert_int(get_group_id(0))) * 64) + (convert_int(get_local_id(0))));
  if (at < 4096) {
    D_ptr[at] = (convert_char(max((int)min((int)((C_ptr[at] + bias_ptr[(at % 64)]) >> 8), (int)127), (int)-128)));
  }
}
