"""Made-up boards, one of each kind that no shipped file has yet, and what the tests need to damage them."""

FPGA = """\
schema = 1
name = "my-board"
kind = "fpga"
title = "A board on my desk"
maker = "me"

[fpga]
vendor = "AMD"
family = "Artix-7"
part = "xc7a35tcpg236-1"
speed_grade = "-1"
hls = ["Vitis", "Vivado"]

[fpga.clock]
default_mhz = { value = 100, source = "me" }

[fpga.resources]
lut = { value = 20800, source = "me" }
ff = { value = 41600, source = "me" }
dsp = { value = 90, source = "me" }
bram36 = { value = 50, source = "me" }

[sources]
me = "counted by hand"
"""

MCU = """\
schema = 1
name = "tiny-core"
kind = "mcu"
title = "Tiny"
maker = "me"
price_usd = { value = 4.5, source = "me" }
power_w = { value = 0.05, source = "me", verified = false }

[[cores]]
name = "Cortex-M7"
isa = "armv7e-m"
extensions = ["dsp", "fpv5-d16"]
count = { value = 1, source = "me" }
clock_mhz = { value = 480, source = "me" }
mac_per_cycle = { value = 2, source = "me" }

[[caches]]
level = 1
kind = "data"
size_kib = { value = 16, source = "me" }
cores = "Cortex-M7"
line_bytes = { value = 32, source = "me" }

[[regions]]
name = "flash"
kind = "flash"
address = 0x0800_0000
size_kib = { value = 2048, source = "me" }
wait_states = { value = 4, source = "me" }

[[regions]]
name = "dtcm"
kind = "dtcm"
address = 0x2000_0000
size_kib = { value = 128, source = "me" }
bytes_per_cycle = { value = 8, source = "me" }

[[accelerators]]
name = "U55"
kind = "npu"
count = { value = 1, source = "me" }
mac_per_cycle = { value = 128, source = "me" }

[sources]
me = "made up"
"""

CPU = """\
schema = 1
name = "little-server"
kind = "cpu"
title = "Server"
maker = "me"
cores = [{ name = "A76", isa = "armv8.2-a", extensions = ["dotprod", "fp16"], count = { value = 4, source = "me" } }]
caches = [
  { level = 1, kind = "data", size_kib = { value = 64, source = "me" } },
  { level = 3, kind = "unified", size_kib = { value = 2048, source = "me" }, shared_by = { value = 4, source = "me" } },
]
memories = [{ name = "main", technology = "lpddr4x", bandwidth_gb_s = { value = 17.0, source = "me" } }]
peaks = [{ unit = "cores", format = "fp32", gops = { value = 153.6, source = "me" } }]

[compiler]
kind = "llvm"
triple = "aarch64-linux-gnu"
cpu = "cortex-a76"
features = ["+dotprod", "+fullfp16"]
vector_bits = 128

[sources]
me = "made up"
"""

GPU = """\
schema = 1
name = "green-card"
kind = "gpu"
title = "Card"
maker = "me"

[gpu]
name = "G1"
architecture = "ampere"
compute_units = { value = 8, source = "me" }
lanes = { value = 1024, source = "me" }
clock_mhz = { value = 1020, source = "me" }

[compiler]
kind = "cuda"
triple = "aarch64-linux-gnu"
cpu = "cortex-a78"
arch = "sm_87"
vector_bits = 0

[[peaks]]
unit = "tensor cores"
format = "int8"
sparse = true
gops = { value = 67000, source = "me" }

[sources]
me = "made up"
"""

PHONE = """\
schema = 1
name = "some-phone"
kind = "phone"
title = "Phone"
maker = "me"

[[cores]]
name = "X3"
isa = "armv9-a"
count = { value = 1, source = "me" }
clock_mhz = { value = 3200, source = "me" }

[[cores]]
name = "A715"
isa = "armv9-a"
count = { value = 4, source = "me" }

[compiler]
kind = "llvm"
triple = "aarch64-linux-android"
cpu = "cortex-x3"
features = ["+i8mm", "-sve"]
vector_bits = 128

[gpu]
name = "Adreno"
architecture = "a7xx"

[[accelerators]]
name = "Hexagon"
kind = "npu"

[sources]
me = "made up"
"""

ALL = {"fpga": FPGA, "mcu": MCU, "cpu": CPU, "gpu": GPU, "phone": PHONE}
