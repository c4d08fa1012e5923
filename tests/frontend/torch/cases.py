"""Small PyTorch modules, every argument of every operator turned: what is recorded and what is run live."""

from collections.abc import Callable
from typing import Any

Case = tuple[Any, tuple[Any, ...]]
"""A module in evaluation mode and example inputs of a batch of 2."""

X2, X3, X4, X5 = (2, 6), (2, 4, 7), (2, 4, 7, 6), (2, 3, 5, 4, 6)


class Cases:
    """Collects cases by name: a function that makes the module and its inputs."""

    def __init__(self) -> None:
        self.found: dict[str, Callable[[], Case]] = {}

    def module(self, name: str, build: Callable[[], Any], *shapes: tuple[int, ...], scale: float = 1.0) -> None:
        import torch

        def make() -> Case:
            torch.manual_seed(sum(map(ord, name)))
            made = build()
            for buffer in made.buffers():
                if buffer.dtype == torch.float32:
                    buffer.data = torch.rand_like(buffer) + 0.5
            return made.eval(), tuple(torch.randn(s) * scale for s in shapes)

        assert name not in self.found, name
        self.found[name] = make

    def function(
        self, name: str, function: Callable[..., Any], *shapes: tuple[int, ...], scale: float = 1.0, **parameters: Any
    ) -> None:
        self.module(name, lambda: applied(function, parameters), *shapes, scale=scale)


def applied(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """Make a module of a function, whose first argument is the module where it has parameters."""
    from torch import nn

    class Apply(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.function = function
            for name, value in parameters.items():
                self.register_parameter(name, nn.Parameter(value))

        def forward(self, *x: Any) -> Any:
            return self.function(self, *x) if parameters else self.function(*x)

    return Apply()


def convolutions(cases: Cases) -> None:
    from torch import nn

    cases.module("conv1d", lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2), X3)
    cases.module("conv1d_same", lambda: nn.Conv1d(4, 6, 4, padding="same", dilation=2, bias=False), X3)
    cases.module("conv2d", lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(0, 1)), X4)
    cases.module("conv2d_same", lambda: nn.Conv2d(4, 5, (4, 2), padding="same"), X4)
    cases.module("conv2d_valid", lambda: nn.Conv2d(4, 5, 2, padding="valid"), X4)
    cases.module("conv2d_depthwise", lambda: nn.Conv2d(4, 8, 3, groups=4, dilation=(1, 2), padding=2, bias=False), X4)
    for mode in ("reflect", "replicate", "circular"):
        cases.module(f"conv2d_{mode}", lambda mode=mode: nn.Conv2d(4, 5, 3, padding=(2, 1), padding_mode=mode), X4)
    cases.module("conv1d_reflect_same", lambda: nn.Conv1d(4, 5, 4, padding="same", padding_mode="reflect"), X3)
    cases.module("conv3d", lambda: nn.Conv3d(3, 4, (2, 3, 1), stride=(1, 2, 2), padding=(1, 0, 0)), X5)
    cases.module(
        "conv_transpose1d", lambda: nn.ConvTranspose1d(4, 6, 3, 2, 1, output_padding=1, groups=2, dilation=2), X3
    )
    cases.module(
        "conv_transpose2d", lambda: nn.ConvTranspose2d(4, 5, (3, 2), (2, 3), (1, 0), (1, 2), dilation=(2, 1)), X4
    )
    cases.module("conv_transpose2d_extra", lambda: nn.ConvTranspose2d(4, 4, 2, 3, 0, 2, groups=4, bias=False), X4)
    cases.module("conv_transpose3d", lambda: nn.ConvTranspose3d(3, 2, 2, stride=2, padding=(0, 1, 0)), X5)


def products(cases: Cases) -> None:
    import torch
    from torch import nn

    cases.module("linear", lambda: nn.Linear(6, 5), X2)
    cases.module("linear_3d_no_bias", lambda: nn.Linear(7, 5, bias=False), X3)
    cases.function("matmul_weights", lambda m, x: x @ m.w, X3, w=torch.linspace(-1, 1, 35).view(7, 5))
    cases.function("matmul_vector", lambda m, x: x @ m.w, X3, w=torch.linspace(-1, 1, 7))
    cases.function("matmul_stack", lambda m, x: x @ m.w, X4, w=torch.linspace(-1, 1, 120).view(4, 6, 5))
    cases.function("weights_matmul", lambda m, x: m.w @ x, X3, w=torch.linspace(-1, 1, 12).view(3, 4))
    cases.function("vector_matmul", lambda m, x: m.w @ x, X3, w=torch.linspace(-1, 1, 4))
    cases.function("weights_matmul_columns", lambda m, x: (m.w @ x.t()).t(), X2, w=torch.linspace(-1, 1, 18).view(3, 6))
    cases.function("matmul_two", lambda x, y: x @ y.transpose(1, 2), X3, X3)
    cases.function("bmm", lambda x, y: torch.bmm(x, y), (2, 3, 4), (2, 4, 5))
    cases.function(
        "baddbmm", lambda c, x, y: torch.baddbmm(c, x, y, beta=0.5, alpha=2.0), (2, 3, 5), (2, 3, 4), (2, 4, 5)
    )
    cases.function(
        "addmm",
        lambda m, x: torch.addmm(m.b, x, m.w, beta=0.5, alpha=-2.0),
        X2,
        b=torch.linspace(0, 1, 5),
        w=torch.linspace(-1, 1, 30).view(6, 5),
    )
    cases.function("addmm_flow", lambda m, c, x: torch.addmm(c, x, m.w, beta=3.0), (2, 5), X2, w=torch.ones(6, 5) * 0.1)
    cases.function(
        "addmm_beta_zero", lambda m, x: torch.addmm(m.b, x, m.w, beta=0), X2, b=torch.ones(5), w=torch.ones(6, 5)
    )
    cases.function(
        "einsum_linear", lambda m, x: torch.einsum("bi,oi->bo", x, m.w), X2, w=torch.linspace(-1, 1, 24).view(4, 6)
    )
    einsums = {
        "einsum_dense": ("bti,oi->bto", X3, (5, 7)),
        "einsum_heads": ("bti,hid->bhtd", X3, (2, 7, 3)),
        "einsum_shared": ("bhi,hij->bhj", X3, (4, 7, 3)),
        "einsum_sum": ("bhi,hij->bj", X3, (4, 7, 3)),
        "einsum_dots": ("...i,io->...o", X3, (7, 3)),
        "einsum_transposed": ("bti,io->obt", X3, (7, 3)),
    }
    for name, (equation, shape, w) in einsums.items():
        values = torch.linspace(-1, 1, torch.Size(w).numel()).view(w)
        back = (lambda y: y.permute(1, 0, 2)) if name == "einsum_transposed" else (lambda y: y)
        cases.function(name, lambda m, x, e=equation, back=back: back(torch.einsum(e, x, m.w)), shape, w=values)
    cases.function("einsum_two", lambda x, y: torch.einsum("bhqd,bhkd->bhqk", x, y), X4, X4)
    cases.function("einsum_outer", lambda x, y: torch.einsum("bi,bj->bij", x, y), X2, (2, 3))
    cases.function("einsum_one", lambda x: torch.einsum("bij->bj", x), X3)
    cases.function(
        "einsum_implicit",
        lambda m, x: torch.einsum("bij,jk", x, m.w),
        (2, 3, 4),
        w=torch.linspace(-1, 1, 20).view(4, 5),
    )


def activations(cases: Cases) -> None:
    from torch import nn

    spread = 3.0
    for name, activation in {
        "relu": nn.ReLU(),
        "relu6": nn.ReLU6(),
        "hardtanh": nn.Hardtanh(-0.5, 2.0),
        "leaky_relu": nn.LeakyReLU(0.3),
        "elu": nn.ELU(0.7),
        "selu": nn.SELU(),
        "celu": nn.CELU(0.6),
        "gelu": nn.GELU(),
        "gelu_tanh": nn.GELU("tanh"),
        "silu": nn.SiLU(),
        "mish": nn.Mish(),
        "hardswish": nn.Hardswish(),
        "hardsigmoid": nn.Hardsigmoid(),
        "sigmoid": nn.Sigmoid(),
        "tanh": nn.Tanh(),
        "softplus": nn.Softplus(2.0, 25.0),
        "softsign": nn.Softsign(),
        "prelu": nn.PReLU(),
        "prelu_channels": nn.PReLU(4),
        "glu": nn.GLU(1),
        "logsigmoid": nn.LogSigmoid(),
        "hardshrink": nn.Hardshrink(0.7),
        "softshrink": nn.Softshrink(0.3),
        "tanhshrink": nn.Tanhshrink(),
        "threshold": nn.Threshold(0.2, -1.5),
        "threshold_zero": nn.Threshold(0.3, 0.0),
        "rrelu": nn.RReLU(0.1, 0.4),
        "softmax": nn.Softmax(1),
        "softmin": nn.Softmin(-1),
        "log_softmax": nn.LogSoftmax(2),
        "dropout": nn.Dropout(0.9),
        "softmax2d": nn.Softmax2d(),
        "dropout2d": nn.Dropout2d(),
        "alpha_dropout": nn.AlphaDropout(),
        "identity_relu_inplace": nn.Sequential(nn.Identity(), nn.ReLU(inplace=True)),
    }.items():
        cases.module(name, lambda activation=activation: activation, X4, scale=spread)


def pointwise(cases: Cases) -> None:
    import torch
    import torch.nn.functional as F  # noqa: N812

    for name, fn in {
        "add_alpha": lambda x, y: torch.add(x, y, alpha=0.3),
        "sub_alpha": lambda x, y: torch.sub(x, y, alpha=2),
        "mul": lambda x, y: x * y,
        "div": lambda x, y: x / (y.abs() + 1),
        "maximum": torch.maximum,
        "minimum": torch.minimum,
        "div_floor": lambda x, y: torch.div(x, y.abs() + 1, rounding_mode="floor"),
        "div_trunc": lambda x, y: torch.div(x * 5, y.abs() + 1, rounding_mode="trunc"),
        "remainder": lambda x, y: torch.remainder(x * 5, y.abs() + 1),
        "fmod": lambda x, y: torch.fmod(x * 5, y.abs() + 1),
        "addcmul": lambda x, y: torch.addcmul(x, x, y, value=0.5),
        "lerp": lambda x, y: torch.lerp(x, y, 0.3),
        "addcdiv": lambda x, y: torch.addcdiv(x, y, x.abs() + 1, value=-2),
        "max_other": torch.max,
        "min_other": torch.min,
        "pow_tensor": lambda x, y: (x.abs() + 0.1) ** y,
        "broadcast": lambda x, y: x[:, :1] + y[:, :, :1],
        "clamp_tensor": lambda x, y: torch.clamp(x, max=y),
        "square_diff": lambda x, y: (x - y).square(),
    }.items():
        cases.function(name, fn, X4, X4)
    for name, fn in {
        "add_scalar": lambda x: x + 2.5,
        "rsub": lambda x: 1 - x,
        "div_scalar": lambda x: x / 3,
        "rdiv": lambda x: 2 / (x.abs() + 1),
        "scalar_floor": lambda x: x // 0.7,
        "remainder_scalar": lambda x: x % 0.7,
        "neg": lambda x: -x,
        "abs": torch.abs,
        "pow2": lambda x: x**2,
        "pow3": lambda x: x**3,
        "pow_real": lambda x: (x.abs() + 0.1) ** 1.7,
        "pow_base": lambda x: 2.0**x,
        "sqrt": lambda x: x.abs().sqrt(),
        "rsqrt": lambda x: (x.abs() + 0.1).rsqrt(),
        "exp": torch.exp,
        "log": lambda x: (x.abs() + 0.1).log(),
        "log1p": lambda x: x.abs().log1p(),
        "expm1": torch.expm1,
        "log2": lambda x: (x.abs() + 0.1).log2(),
        "log10": lambda x: (x.abs() + 0.1).log10(),
        "exp2": torch.exp2,
        "erf": torch.erf,
        "sign": torch.sign,
        "floor": torch.floor,
        "ceil": torch.ceil,
        "round": torch.round,
        "trunc": torch.trunc,
        "frac": torch.frac,
        "sin": torch.sin,
        "cos": torch.cos,
        "tan": lambda x: torch.tan(x / 4),
        "asin": lambda x: (x.tanh() * 0.9).asin(),
        "acos": lambda x: (x.tanh() * 0.9).acos(),
        "atan": torch.atan,
        "sinh": torch.sinh,
        "cosh": torch.cosh,
        "asinh": torch.asinh,
        "acosh": lambda x: (x.abs() + 1.1).acosh(),
        "atanh": lambda x: (x.tanh() * 0.9).atanh(),
        "reciprocal": lambda x: (x.abs() + 0.5).reciprocal(),
        "clamp": lambda x: x.clamp(-0.4, 0.9),
        "clamp_min": lambda x: x.clamp_min(-0.2),
        "clamp_max": lambda x: x.clamp(max=0.3),
        "clamp_crossed": lambda x: x.clamp(1.0, -1.0),
        "softsign_functional": F.softsign,
        "where_constant": lambda x: torch.where(torch.arange(6) % 2 == 0, x, -x),
        "masked_fill_constant": lambda x: x.masked_fill(torch.arange(6) > 3, 0.25),
        "inplace_chain": lambda x: (x * 2).add_(1.0).relu_().mul_(3.0),
        "inplace_view": lambda x: (x + 1).flatten(1).mul_(2.0),
        "double_and_back": lambda x: (x.double() * 2).float(),
    }.items():
        cases.function(name, fn, X4)


def normalizations(cases: Cases) -> None:
    import torch.nn.functional as F  # noqa: N812
    from torch import nn

    cases.module("batch_norm1d", lambda: nn.BatchNorm1d(6, eps=1e-3), X2)
    cases.module("batch_norm1d_3d", lambda: nn.BatchNorm1d(4, affine=False), X3)
    cases.module("batch_norm2d", lambda: nn.BatchNorm2d(4), X4)
    cases.module("batch_norm3d", lambda: nn.BatchNorm3d(3), X5)
    cases.module("layer_norm", lambda: nn.LayerNorm(6, eps=1e-3), X4)
    cases.module("layer_norm_two", lambda: nn.LayerNorm([7, 6], bias=False), X4)
    cases.module("layer_norm_plain", lambda: nn.LayerNorm([4, 7, 6], elementwise_affine=False), X4)
    cases.module("group_norm", lambda: nn.GroupNorm(2, 4, eps=1e-2), X4)
    cases.module("group_norm_plain", lambda: nn.GroupNorm(4, 4, affine=False), X3)
    cases.module("instance_norm", lambda: nn.InstanceNorm2d(4, affine=True), X4)
    cases.module("instance_norm_tracked", lambda: nn.InstanceNorm1d(4, track_running_stats=True), X3)
    cases.module("rms_norm", lambda: nn.RMSNorm(6), X4)
    cases.module("rms_norm_eps", lambda: nn.RMSNorm([7, 6], eps=0.1, elementwise_affine=False), X4)
    cases.function("normalize", lambda x: F.normalize(x, p=2.0, dim=1), X4)
    cases.function("normalize_p1", lambda x: F.normalize(x, p=1.0, dim=2, eps=0.1), X4)


def pools(cases: Cases) -> None:
    from torch import nn

    for name, pool, shape in (
        ("max_pool1d", nn.MaxPool1d(3, 2, 1, 2), X3),
        ("max_pool1d_ceil", nn.MaxPool1d(2, ceil_mode=True), X3),
        ("max_pool2d", nn.MaxPool2d((3, 2), (2, 1), (1, 1), (1, 2)), X4),
        ("max_pool2d_ceil", nn.MaxPool2d(3, 2, 1, ceil_mode=True), X4),
        ("max_pool3d", nn.MaxPool3d(2, (1, 2, 2), ceil_mode=True), X5),
        ("avg_pool1d", nn.AvgPool1d(3, 2, 1, count_include_pad=False), X3),
        ("avg_pool1d_ceil", nn.AvgPool1d(4, 3, 1, ceil_mode=True), X3),
        ("avg_pool2d", nn.AvgPool2d((3, 2), (2, 2), (1, 0)), X4),
        ("avg_pool2d_ceil", nn.AvgPool2d(3, 2, 1, ceil_mode=True), X4),
        ("avg_pool2d_ceil_exclude", nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), X4),
        ("avg_pool2d_divisor", nn.AvgPool2d(3, 2, 1, divisor_override=5), X4),
        ("avg_pool2d_divisor_ceil", nn.AvgPool2d(2, 2, 1, ceil_mode=True, divisor_override=-3), X4),
        ("avg_pool3d", nn.AvgPool3d((2, 1, 3), 2, (1, 0, 1), count_include_pad=False), X5),
        ("adaptive_avg1d", nn.AdaptiveAvgPool1d(3), X3),
        ("adaptive_avg2d", nn.AdaptiveAvgPool2d((3, None)), X4),
        ("adaptive_avg2d_even", nn.AdaptiveAvgPool2d((7, 3)), X4),
        ("adaptive_avg2d_one", nn.AdaptiveAvgPool2d(1), X4),
        ("adaptive_avg2d_grow", nn.AdaptiveAvgPool2d((9, 4)), X4),
        ("adaptive_avg3d", nn.AdaptiveAvgPool3d((2, 3, 4)), X5),
        ("adaptive_max1d", nn.AdaptiveMaxPool1d(3), X3),
        ("adaptive_max2d", nn.AdaptiveMaxPool2d((2, 3)), X4),
        ("adaptive_max3d", nn.AdaptiveMaxPool3d((2, 2, 2)), X5),
        ("lp_pool1d", nn.LPPool1d(2.0, 3, 2), X3),
        ("lp_pool2d", nn.LPPool2d(4.0, 2, 2), X4),
    ):
        cases.module(name, lambda pool=pool: pool, shape)


def reductions(cases: Cases) -> None:
    import torch

    for name, fn in {
        "sum": lambda x: x.sum(dim=(1, 3)),
        "sum_keep": lambda x: x.sum(-1, keepdim=True),
        "mean": lambda x: x.mean([2, 3]),
        "amax": lambda x: x.amax(dim=1),
        "amin": lambda x: x.amin(dim=(-1, -2), keepdim=True),
        "max_dim": lambda x: x.max(dim=2).values,
        "min_dim": lambda x: x.min(dim=1, keepdim=True)[0],
        "prod": lambda x: x.prod(dim=3),
        "var": lambda x: x.var(dim=(2, 3)),
        "var_biased": lambda x: x.var(dim=1, unbiased=False),
        "std": lambda x: x.std(dim=(1, 2, 3), keepdim=True),
        "std_correction": lambda x: x.std(dim=2, correction=2),
        "var_mean": lambda x: torch.var_mean(x, dim=1),
        "logsumexp": lambda x: x.logsumexp(dim=(1, 2)),
        "norm2": lambda x: x.norm(dim=1),
        "norm1": lambda x: torch.linalg.vector_norm(x, 1, dim=(1, 2)),
        "norm_inf": lambda x: torch.linalg.vector_norm(x, float("inf"), dim=3, keepdim=True),
        "norm_low": lambda x: torch.linalg.vector_norm(x, -float("inf"), dim=3),
        "norm3": lambda x: torch.linalg.vector_norm(x, 3, dim=3),
    }.items():
        cases.function(name, fn, X4)


def moves(cases: Cases) -> None:
    import torch
    import torch.nn.functional as F  # noqa: N812
    from torch import nn

    for name, fn in {
        "view": lambda x: x.view(x.shape[0], -1),
        "reshape_heads": lambda x: x.reshape(-1, 4, 7, 2, 3).permute(0, 3, 1, 4, 2),
        "flatten": lambda x: x.flatten(1),
        "flatten_some": lambda x: x.flatten(2, 3),
        "unflatten": lambda x: x.unflatten(1, (2, 2)),
        "permute": lambda x: x.permute(0, 3, 1, 2),
        "transpose": lambda x: x.transpose(-1, 1),
        "squeeze": lambda x: x[:, :1].squeeze(1),
        "unsqueeze": lambda x: x.unsqueeze(-1).unsqueeze(1),
        "expand": lambda x: x[:, :, :1].expand(-1, -1, 5, -1) * 2,
        "expand_lead": lambda x: x.unsqueeze(1).expand(-1, 3, 4, 7, 6),
        "cat": lambda x: torch.cat([x, x * 2, x[:, :1]], 1),
        "cat_constant": lambda x: torch.cat([x, torch.ones(x.shape[0], 4, 7, 2)], -1),
        "stack": lambda x: torch.stack([x, -x], dim=2),
        "split": lambda x: torch.split(x, 3, dim=2),
        "split_sizes": lambda x: torch.split(x, [1, 4, 1], dim=3)[1],
        "chunk": lambda x: torch.chunk(x, 3, dim=2),
        "slice": lambda x: x[:, 1:, ::2, -3:],
        "select": lambda x: x[:, 1, -1],
        "narrow": lambda x: x.narrow(2, 1, 4),
        "unbind": lambda x: x.unbind(1),
        "roll": lambda x: x.roll((1, -2), (1, 3)),
        "flip": lambda x: x.flip((1, -1)),
        "repeat": lambda x: x.repeat(1, 2, 1, 3),
        "tile": lambda x: x.tile(2, 1),
        "repeat_interleave": lambda x: x.repeat_interleave(2, dim=1),
        "rot90": lambda x: x.rot90(1, (2, 3)),
        "rot90_3": lambda x: x.rot90(3, (2, 3)),
        "rot90_2": lambda x: x.rot90(2, (2, 3)),
        "index": lambda x: x[:, [2, 0, 1]],
        "index_two": lambda x: x[:, :, [[0, 1], [3, 2]], [[1], [0]]],
        "index_select": lambda x: x.index_select(2, torch.tensor([4, 0, 0])),
        "mask_index": lambda x: x[:, torch.tensor([True, False, True, True])],
        "unfold": lambda x: x.unfold(2, 3, 2),
        "tril": lambda x: x.tril(1),
        "triu": lambda x: x.triu(-1),
        "movedim": lambda x: x.movedim(1, -1),
        "pad": lambda x: F.pad(x, (1, 2, 0, 3), value=0.5),
        "pad_negative": lambda x: F.pad(x, (-1, 2, -2, -1)),
        "pad_reflect": lambda x: F.pad(x, (2, 1, 3, 0), mode="reflect"),
        "pad_replicate": lambda x: F.pad(x, (2, 1, 3, 0), mode="replicate"),
        "pad_circular": lambda x: F.pad(x, (2, 1, 3, 0), mode="circular"),
        "batch_moved": lambda x: x.permute(1, 0, 2, 3).softmax(0).permute(1, 0, 2, 3),
        "batch_merged": lambda x: x.reshape(-1, 7, 6).softmax(-1).reshape(x.shape),
        "hsplit": lambda x: torch.tensor_split(x, 3, dim=2),
        "identity_output": lambda x: (x, x + 1),
        "same_twice": lambda x: (y := x + 1, y),
    }.items():
        cases.function(name, fn, X4)
    cases.module("pixel_shuffle", lambda: nn.PixelShuffle(2), X4)
    cases.module("pixel_unshuffle", lambda: nn.PixelUnshuffle(2), (2, 3, 4, 6))
    cases.module("channel_shuffle", lambda: nn.ChannelShuffle(2), X4)
    cases.module("zero_pad", lambda: nn.ZeroPad2d((1, 0, 2, 1)), X4)
    cases.module("constant_pad3d", lambda: nn.ConstantPad3d(1, -0.5), X5)
    cases.module("reflection_pad3d", lambda: nn.ReflectionPad3d(1), X5)


def resizing(cases: Cases) -> None:
    import torch.nn.functional as F  # noqa: N812
    from torch import nn

    for name, kwargs in {
        "nearest_size": {"size": (10, 4), "mode": "nearest"},
        "nearest_scale": {"scale_factor": 2, "mode": "nearest"},
        "nearest_odd": {"scale_factor": (1.7, 0.6), "mode": "nearest"},
        "nearest_exact": {"size": (10, 4), "mode": "nearest-exact"},
        "bilinear": {"scale_factor": 2, "mode": "bilinear"},
        "bilinear_corners": {"size": (9, 11), "mode": "bilinear", "align_corners": True},
        "bilinear_odd": {"scale_factor": (1.7, 0.6), "mode": "bilinear"},
        "bilinear_recompute": {"scale_factor": (1.7, 0.6), "mode": "bilinear", "recompute_scale_factor": True},
        "bicubic": {"scale_factor": 2, "mode": "bicubic"},
        "bicubic_corners": {"size": (5, 8), "mode": "bicubic", "align_corners": True},
        "bilinear_antialias": {"size": (3, 9), "mode": "bilinear", "antialias": True},
        "bicubic_antialias": {"size": (4, 3), "mode": "bicubic", "antialias": True},
        "area": {"size": (3, 4), "mode": "area"},
        "bilinear_one": {"size": (1, 1), "mode": "bilinear", "align_corners": True},
    }.items():
        cases.function(f"resize_{name}", lambda x, kwargs=kwargs: F.interpolate(x, **kwargs), X4)
    cases.function("resize_linear1d", lambda x: F.interpolate(x, scale_factor=1.5, mode="linear"), X3)
    cases.function("resize_nearest1d", lambda x: F.interpolate(x, size=5, mode="nearest"), X3)
    cases.function("resize_trilinear", lambda x: F.interpolate(x, size=(4, 7, 3), mode="trilinear"), X5)
    cases.module("upsample", lambda: nn.UpsamplingBilinear2d(scale_factor=2), X4)


def attention(cases: Cases) -> None:
    import torch
    import torch.nn.functional as F  # noqa: N812
    from torch import nn

    cases.function("attention", F.scaled_dot_product_attention, X4, X4, X4)
    cases.function(
        "attention_causal",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.2),
        X4,
        X4,
        X4,
    )
    cases.function(
        "attention_mask",
        lambda m, q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=m.w),
        X4,
        X4,
        X4,
        w=torch.linspace(-1, 1, 49).view(7, 7),
    )
    cases.function(
        "attention_bool",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=torch.ones(7, 7).tril().bool()),
        X4,
        X4,
        X4,
    )
    cases.function(
        "attention_groups",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        (2, 4, 5, 6),
        (2, 2, 7, 6),
        (2, 2, 7, 6),
    )

    class Attend(nn.Module):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__()
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True, **kwargs)

        def forward(self, q: Any, k: Any) -> Any:
            return self.attend(q, k, k, need_weights=False)[0]

    cases.module("multihead", lambda: Attend(), (2, 5, 8), (2, 7, 8))
    cases.module(
        "multihead_bias_kv", lambda: Attend(add_bias_kv=True, add_zero_attn=True, bias=False), (2, 5, 8), (2, 7, 8)
    )
    cases.module("encoder_layer", lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8))
    cases.module(
        "encoder_layer_first",
        lambda: nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", norm_first=True, batch_first=True),
        (2, 5, 8),
    )
    cases.module("decoder_layer", lambda: nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), (2, 5, 8), (2, 6, 8))
    cases.module("cosine", lambda: nn.CosineSimilarity(1), X4, X4)


def recurrences(cases: Cases) -> None:
    from torch import nn

    class Outputs(nn.Module):
        def __init__(self, inner: Any, pick: Callable[..., Any], first: bool) -> None:
            super().__init__()
            self.inner, self.pick, self.first = inner, pick, first

        def forward(self, x: Any, *states: Any) -> Any:
            x = x if self.first else x.transpose(0, 1)
            given = tuple(s.transpose(0, 1).contiguous() for s in states)
            given = given[0] if len(given) == 1 else given or None
            return self.pick(*self.inner(x, given))

    def add(name: str, kind: Any, pick: Any, *shapes: Any, first: bool = True, **kwargs: Any) -> None:
        cases.module(name, lambda: Outputs(kind(4, 3, batch_first=first, **kwargs), pick, first), (2, 5, 4), *shapes)

    add("lstm", nn.LSTM, lambda y, s: y)
    add("lstm_last", nn.LSTM, lambda y, s: y[:, -1])
    add("lstm_states", nn.LSTM, lambda y, s: (y, s[0].transpose(0, 1), s[1].transpose(0, 1)), num_layers=2)
    add("lstm_start", nn.LSTM, lambda y, s: y, (2, 1, 3), (2, 1, 3))
    add(
        "lstm_both_projected",
        nn.LSTM,
        lambda y, s: (y, s[0].transpose(0, 1)),
        num_layers=2,
        bidirectional=True,
        proj_size=2,
    )
    add("lstm_time_first", nn.LSTM, lambda y, s: y.transpose(0, 1), first=False, bias=False)
    add("gru", nn.GRU, lambda y, s: (y, s.transpose(0, 1)), num_layers=2, bidirectional=True)
    add("gru_start", nn.GRU, lambda y, s: y, (2, 1, 3), bias=False)
    add("rnn", nn.RNN, lambda y, s: (y, s.transpose(0, 1)), bidirectional=True)
    add("rnn_relu", nn.RNN, lambda y, s: y, nonlinearity="relu", num_layers=2, dropout=0.5)
    cases.module("lstm_cell", lambda: Cell(nn.LSTMCell(4, 3)), (2, 4))
    cases.module("gru_cell", lambda: Cell(nn.GRUCell(4, 3)), (2, 4))
    cases.module("rnn_cell", lambda: Cell(nn.RNNCell(4, 3)), (2, 4))


def logic(cases: Cases) -> None:
    import torch
    from torch import nn

    for name, fn in {
        "where": lambda x, y: torch.where(x > y, x, 2 * y),
        "where_scalar": lambda x, y: torch.where(x >= y, x, 0.5),
        "compare": lambda x, y: (x < y).float() + 2 * (x <= 0.3).float() + (x == y).float() + 4 * (x != y).float(),
        "logic": lambda x, y: (((x > 0) & (y > 0)) | ~(x > y)).float() + ((x > 0) ^ (y > 0)).float(),
        "logical": lambda x, y: torch.logical_xor(torch.logical_and(x > 0, y), torch.logical_not(y > 1)).float(),
        "masked_fill": lambda x, y: x.masked_fill(y > 0, 0.0),
        "mask_softmax": lambda x, y: x.masked_fill(y > 1, float("-inf")).softmax(-1),
        "any_all": lambda x, y: (x > 1).any(1).float() + (y > -2).all(1).float(),
        "gather": lambda x, y: torch.gather(x, 2, y.argmax(2, keepdim=True)),
        "heaviside_like": lambda x, y: x * (y > 0),
    }.items():
        cases.function(name, fn, X4, X4)
    for name, fn in {
        "argmax": lambda x: x.argmax(1),
        "argmin": lambda x: x.argmin(-1, keepdim=True),
        "max_indices": lambda x: tuple(x.max(2)),
        "min_indices": lambda x: tuple(x.min(1, keepdim=True)),
        "topk": lambda x: tuple(x.topk(2, 2)),
        "topk_least": lambda x: tuple(x.topk(3, 1, largest=False)),
        "sort": lambda x: tuple(x.sort(2, descending=True)),
        "argsort": lambda x: x.argsort(1),
        "cumsum": lambda x: x.cumsum(2),
        "count": lambda x: (x > 0).sum((1, 2, 3)),
        "whole": lambda x: (x * 5).long() * 3 // 2 - (x * 7).int() % 4,
        "cast": lambda x: (x * 3).int().float() / 2,
        "remainder_whole": lambda x: torch.remainder((x * 9).long(), 4),
        "isnan": lambda x: x.isnan().float() + x.isinf().float(),
        "position": lambda x: x + torch.arange(x.shape[2]).view(1, 1, -1, 1),
    }.items():
        cases.function(name, fn, X4)

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(7, 5, padding_idx=0)

        def forward(self, x: Any) -> Any:
            return self.table((x.abs() * 2).clamp(max=6).long()).sum(1)

    cases.module("embedding", Words, X3)


def Cell(cell: Any) -> Any:  # noqa: N802
    """Make a module of a cell, which starts from zeros."""
    from torch import nn

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = cell

        def forward(self, x: Any) -> Any:
            return self.cell(x)

    return Step()


FAMILIES = (
    recurrences,
    logic,
    convolutions,
    products,
    activations,
    pointwise,
    normalizations,
    pools,
    reductions,
    moves,
    resizing,
    attention,
)


def operators() -> dict[str, Callable[[], Case]]:
    """Give every case."""
    cases = Cases()
    for family in FAMILIES:
        family(cases)
    return cases.found
