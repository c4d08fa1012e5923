"""Functions that kernels in WGSL call: integers of 64 bits as pairs of words, and what floats need."""

HELPERS = {
    "from_bits": """\
fn from_bits(bits : u32) -> f32 { return bitcast<f32>(bits); }""",
    "remainder": "fn remainder(a : f32, b : f32) -> f32 { return a - b * trunc(a / b); }",
    "greater": "fn greater(a : f32, b : f32) -> f32 { return select(b, a, a > b); }",
    "lesser": "fn lesser(a : f32, b : f32) -> f32 { return select(b, a, a < b); }",
    "float32_of_bfloat16": """\
fn float32_of_bfloat16(x : u32) -> f32 { return bitcast<f32>(x << 16u); }""",
    "bfloat16_of_float32": """\
fn bfloat16_of_float32(x : f32) -> u32 {
  let bits : u32 = bitcast<u32>(x);
  let kept : u32 = (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
  return select(kept, 0x7fc0u, (bits & 0x7fffffffu) > 0x7f800000u);
}""",
    "float32_of_float16": """\
fn float32_of_float16(x : u32) -> f32 {
  let size : u32 = x & 0x7fffu;
  let normal : u32 = (size << 13u) + select(0x38000000u, 0x70000000u, size >= 0x7c00u);
  let small : u32 = bitcast<u32>(f32(size) * 5.9604644775390625e-08f);
  return bitcast<f32>(select(normal, small, size < 0x400u) | ((x & 0x8000u) << 16u));
}""",
    "float16_of_float32": """\
fn float16_of_float32(x : f32) -> u32 {
  let bits : u32 = bitcast<u32>(x);
  let size : u32 = bits & 0x7fffffffu;
  let normal : u32 = (size + 0xc8000fffu + ((size >> 13u) & 1u)) >> 13u;
  let small : u32 = bitcast<u32>(bitcast<f32>(size) + 0.5f) - 0x3f000000u;
  let special : u32 = select(0x7c00u, 0x7e00u, size > 0x7f800000u);
  let found : u32 = select(select(normal, small, size < 0x38800000u), special, size >= 0x477ff000u);
  return found | ((bits >> 16u) & 0x8000u);
}""",
    "widened": """\
fn widened(x : i32) -> vec2<u32> { return vec2<u32>(u32(x), u32(x >> 31u)); }""",
    "add64": """\
fn add64(a : vec2<u32>, b : vec2<u32>) -> vec2<u32> {
  let low : u32 = a.x + b.x;
  return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}""",
    "sub64": """\
fn sub64(a : vec2<u32>, b : vec2<u32>) -> vec2<u32> {
  return vec2<u32>(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}""",
    "mul32": """\
fn mul32(a : u32, b : u32) -> vec2<u32> {
  let a0 : u32 = a & 65535u;
  let a1 : u32 = a >> 16u;
  let b0 : u32 = b & 65535u;
  let b1 : u32 = b >> 16u;
  let middle : u32 = a1 * b0 + ((a0 * b0) >> 16u);
  let other : u32 = a0 * b1 + (middle & 65535u);
  return vec2<u32>(a * b, a1 * b1 + (middle >> 16u) + (other >> 16u));
}""",
    "mul64": """\
fn mul64(a : vec2<u32>, b : vec2<u32>) -> vec2<u32> {
  let low : vec2<u32> = mul32(a.x, b.x);
  return vec2<u32>(low.x, low.y + a.x * b.y + a.y * b.x);
}""",
    "shl64": """\
fn shl64(a : vec2<u32>, n : u32) -> vec2<u32> {
  if (n >= 32u) { return vec2<u32>(0u, a.x << (n & 31u)); }
  if (n == 0u) { return a; }
  return vec2<u32>(a.x << n, (a.y << n) | (a.x >> (32u - n)));
}""",
    "shr64": """\
fn shr64(a : vec2<u32>, n : u32) -> vec2<u32> {
  let high : i32 = i32(a.y);
  if (n >= 32u) { return vec2<u32>(u32(high >> (n & 31u)), u32(high >> 31u)); }
  if (n == 0u) { return a; }
  return vec2<u32>((a.x >> n) | (a.y << (32u - n)), u32(high >> n));
}""",
    "same64": "fn same64(a : vec2<u32>, b : vec2<u32>) -> bool { return a.x == b.x && a.y == b.y; }",
    "less64": """\
fn less64(a : vec2<u32>, b : vec2<u32>) -> bool {
  return i32(a.y) < i32(b.y) || (a.y == b.y && a.x < b.x);
}""",
    "min64": "fn min64(a : vec2<u32>, b : vec2<u32>) -> vec2<u32> { return select(b, a, less64(a, b)); }",
    "max64": "fn max64(a : vec2<u32>, b : vec2<u32>) -> vec2<u32> { return select(a, b, less64(a, b)); }",
    "to_float": """\
fn to_float(x : vec2<u32>) -> f32 { return f32(i32(x.y)) * 4294967296.0f + f32(x.x); }""",
    "absolute64": """\
fn absolute64(x : vec2<u32>) -> vec2<u32> { return select(x, sub64(vec2<u32>(0u, 0u), x), i32(x.y) < 0); }""",
    "div64": """\
fn div64(a : vec2<u32>, b : vec2<u32>) -> vec2<u32> {
  var rest : vec2<u32> = absolute64(a);
  let by : vec2<u32> = absolute64(b);
  var left : vec2<u32> = vec2<u32>(0u, 0u);
  var result : vec2<u32> = vec2<u32>(0u, 0u);
  for (var i : i32 = 0; i < 64; i = i + 1) {
    left = vec2<u32>((left.x << 1u) | (rest.y >> 31u), (left.y << 1u) | (left.x >> 31u));
    rest = vec2<u32>(rest.x << 1u, (rest.y << 1u) | (rest.x >> 31u));
    result = vec2<u32>(result.x << 1u, (result.y << 1u) | (result.x >> 31u));
    if (left.y > by.y || (left.y == by.y && left.x >= by.x)) {
      left = sub64(left, by);
      result.x = result.x | 1u;
    }
  }
  return select(result, sub64(vec2<u32>(0u, 0u), result), (a.y ^ b.y) >= 0x80000000u);
}""",
}
"""Each by its name, in an order in which all are there before they are called."""
NEEDED = {
    "mul64": ("mul32",), "min64": ("less64",), "max64": ("less64",), "absolute64": ("sub64",),
    "div64": ("absolute64", "sub64"),
}  # fmt: skip
"""Which of them call others."""
