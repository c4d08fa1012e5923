"""PyTorch against the importer: drawn modules, live and from files, as exported and as decomposed."""

import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from gatewright.frontend import load
from gatewright.graph import evaluate

from ..choices import Choices
from ..core import Fuzzer, Outcome, Recipe, Right, Unusable
from .keras import compare

FORMS = ("module", "fixed", "open", "core", "functional", "one")
Layer = Callable[[Any], Any]


class TorchFuzzer(Fuzzer):
    """Chains, residual branches, joins and shared layers over one, two or three axes of space, or none."""

    name = "torch"
    needs = ("torch",)

    def start(self) -> None:
        import torch

        torch.set_num_threads(1)
        warnings.simplefilter("ignore")

    def draw(self, rng: np.random.Generator) -> Recipe:
        return {
            "form": int(rng.integers(len(FORMS))),
            "seed": int(rng.integers(1 << 20)),
            "choices": Choices.draw(rng, 96),
        }

    def run(self, recipe: Recipe) -> Outcome:
        import torch

        torch.manual_seed(recipe["seed"])
        choices = Choices(recipe["choices"])
        try:
            module, x = network(choices)
            with torch.no_grad():
                wanted = module(x.clone())
            program = exported(module, x, FORMS[recipe["form"]])
        except Exception as error:
            raise Unusable(f"{type(error).__name__}: {error}") from None
        expected = [w.numpy() for w in (wanted if isinstance(wanted, tuple) else (wanted,))]
        graph = load(module, inputs=(x,)) if FORMS[recipe["form"]] == "module" else from_file(program)
        found = evaluate(graph, x.numpy())
        compare(expected, list(found) if isinstance(found, tuple) else [np.asarray(found)], 5e-5)
        return Right()

    def tell(self, recipe: Recipe) -> str:
        import torch

        torch.manual_seed(recipe["seed"])
        module, x = network(Choices(recipe["choices"]))
        return f"{FORMS[recipe['form']]} {tuple(x.shape)} {module}"


def exported(module: Any, x: Any, form: str) -> Any:
    import torch

    if form == "one":
        return torch.export.export(module, (x[:1],))
    if form in ("fixed", "module"):
        return torch.export.export(module, (x,))
    program = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    if form == "core":
        return program.run_decompositions()
    return program.run_decompositions({}) if form == "functional" else program


def from_file(program: Any) -> Any:
    import torch

    buffer = BytesIO()
    torch.export.save(program, buffer)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt2"
        path.write_bytes(buffer.getvalue())
        return load(path)


def network(pick: Choices) -> tuple[Any, Any]:
    """Draw a module in evaluation mode and a batch of three samples."""
    import torch
    from torch import nn

    space = pick([2, 1, 0, 3])
    shape = (3, pick([4, 2, 6, 8]), *(pick([6, 5, 8, 7, 9]) for _ in range(space)))
    x = torch.randn(shape) * pick([1.0, 3.0, 0.1])

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList()
            self.kinds: list[str] = []

        def forward(self, x: Any) -> Any:
            for kind, part in zip(self.kinds, self.parts, strict=True):
                y = part(x)
                x = {
                    "chain": lambda x, y: y,
                    "add": lambda x, y: x + y,
                    "cat": lambda x, y: torch.cat([x, y], 1),
                    "mul": lambda x, y: x * y,
                }[kind](x, y)
            return x

    made = Network()
    now = x
    for _ in range(pick.whole(1, 5)):
        part = made.parts[-1] if made.parts and pick([False] * 5 + [True]) else layer(pick, tuple(now.shape))
        randomize(part.eval())
        with torch.no_grad():
            y = part(now.clone())
        kind = pick(["chain", "add", "cat", "mul"])
        fits = y.shape == now.shape or (kind == "cat" and y.shape[:1] + y.shape[2:] == now.shape[:1] + now.shape[2:])
        made.kinds.append(kind if fits and y.ndim > 1 else "chain")
        made.parts.append(part)
        now = {"add": lambda a, b: a + b, "cat": lambda a, b: torch.cat([a, b], 1), "mul": lambda a, b: a * b}.get(
            made.kinds[-1], lambda a, b: b
        )(now, y)
    return made.eval(), x


def randomize(part: Any) -> None:
    """Give running statistics other values than zeros and ones."""
    import torch

    for name, buffer in part.named_buffers():
        if "running" in name:
            buffer.data = torch.rand_like(buffer) + (0.3 if "var" in name else -0.5)


def layer(pick: Choices, shape: tuple[int, ...]) -> Any:
    """Draw a layer for a shape [batch, channels, *space]."""
    families = [activation, normalization, move, function]
    families += [convolution, pool, padding, resize] if len(shape) > 2 else []
    families += [recurrent, attention] if len(shape) == 3 else []
    return pick([*families, linear])(pick, shape)


def linear(pick: Choices, shape: tuple[int, ...]) -> Any:
    from torch import nn

    return nn.Linear(shape[-1], pick([5, 1, 8]), bias=pick([True, False]))


def convolution(pick: Choices, shape: tuple[int, ...]) -> Any:
    from torch import nn

    rank, channels = len(shape) - 2, shape[1]
    groups = pick([g for g in range(1, channels + 1) if channels % g == 0])
    sizes = {
        k: tuple(pick(o) for _ in range(rank))
        for k, o in (("kernel_size", [3, 1, 2]), ("stride", [1, 2, 3]), ("dilation", [1, 2]))
    }
    filters, bias = groups * pick([1, 2, 3]), pick([True, False])
    if pick([False, False, True]):
        extra = tuple(pick.whole(0, max(s, d) - 1) for s, d in zip(sizes["stride"], sizes["dilation"], strict=True))
        kind = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[rank - 1]
        return kind(channels, filters, groups=groups, bias=bias, padding=pick([0, 1]), output_padding=extra, **sizes)
    mode = pick(["zeros", "reflect", "replicate", "circular"]) if rank < 3 else "zeros"
    padding = pick([0, 1, 2, "same", "valid"])
    if padding == "same":
        sizes["stride"] = (1,) * rank
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
    return kind(channels, filters, groups=groups, bias=bias, padding=padding, padding_mode=mode, **sizes)


def pool(pick: Choices, shape: tuple[int, ...]) -> Any:
    from torch import nn

    rank = len(shape) - 2
    kernel, stride = (tuple(pick([2, 3, 1]) for _ in range(rank)) for _ in range(2))
    padding, ceil = tuple(pick.whole(0, k // 2) for k in kernel), pick([False, True])
    match pick(["max", "avg", "adaptive_avg", "adaptive_max"]):
        case "max":
            dilation = pick([1, 2])
            return (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[rank - 1](
                kernel, stride, padding, dilation, ceil_mode=ceil
            )
        case "avg":
            options = {"count_include_pad": pick([True, False]), "ceil_mode": ceil}
            if rank > 1:
                options["divisor_override"] = pick([None, None, 3])
            return (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[rank - 1](kernel, stride, padding, **options)
        case "adaptive_avg":
            size = tuple(pick([1, 2, 3, 5]) for _ in range(rank))
            return (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[rank - 1](size)
        case _:
            size = tuple(pick([1, 2, 3]) for _ in range(rank))
            return (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)[rank - 1](size)


def activation(pick: Choices, shape: tuple[int, ...]) -> Any:
    from torch import nn

    return pick(
        [
            nn.ReLU(),
            nn.ReLU(inplace=True),
            nn.ReLU6(),
            nn.Hardtanh(-0.3, 0.8),
            nn.LeakyReLU(0.2),
            nn.ELU(0.7),
            nn.SELU(),
            nn.CELU(0.5),
            nn.GELU(),
            nn.GELU("tanh"),
            nn.SiLU(),
            nn.Mish(),
            nn.Hardswish(),
            nn.Hardsigmoid(),
            nn.Sigmoid(),
            nn.Tanh(),
            nn.Softplus(1.5),
            nn.Softsign(),
            nn.PReLU(),
            nn.PReLU(shape[1]),
            nn.LogSigmoid(),
            nn.Hardshrink(0.4),
            nn.Softshrink(0.4),
            nn.Tanhshrink(),
            nn.Threshold(0.1, -0.7),
            nn.RReLU(),
            nn.Softmax(pick([1, -1])),
            nn.LogSoftmax(-1),
            nn.Softmin(1),
            nn.Dropout(),
            nn.GLU(pick([1, -1])),
        ]
    )


def normalization(pick: Choices, shape: tuple[int, ...]) -> Any:
    from torch import nn

    rank, channels, affine = len(shape) - 2, shape[1], pick([True, False])
    kinds: list[Callable[[], Any]] = [
        lambda: (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[rank](channels, 1e-3, affine=affine),
        lambda: nn.LayerNorm(shape[-pick.whole(1, len(shape) - 1) :], elementwise_affine=affine),
        lambda: nn.GroupNorm(pick([g for g in range(1, channels + 1) if channels % g == 0]), channels, affine=affine),
        lambda: nn.RMSNorm(shape[-1:], eps=pick([None, 1e-3]), elementwise_affine=affine),
    ]
    if rank:
        track = pick([False, True])
        instance = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[rank - 1]
        kinds.append(lambda: instance(channels, affine=affine, track_running_stats=track))
    return pick(kinds)()


def padding(pick: Choices, shape: tuple[int, ...]) -> Any:
    import torch.nn.functional as F  # noqa: N812

    rank = len(shape) - 2
    mode = pick(["constant", "reflect", "replicate", "circular"])
    low = -1 if mode == "constant" else 0
    pads = [pick.whole(low, 2) for _ in range(2 * rank)]
    value = pick([0.0, 0.5, -1.0]) if mode == "constant" else None
    return Function(f"pad {mode} {pads}", lambda x: F.pad(x, pads, mode, value))


def resize(pick: Choices, shape: tuple[int, ...]) -> Any:
    import torch.nn.functional as F  # noqa: N812

    rank = len(shape) - 2
    mode = pick(["nearest", "nearest-exact", ("linear", "bilinear", "trilinear")[rank - 1], "area", "bicubic"])
    corners = pick([False, True]) if mode in ("linear", "bilinear", "trilinear", "bicubic") else None
    options: dict[str, Any] = {"mode": mode, "align_corners": corners}
    if pick([False, True]):
        options["scale_factor"] = tuple(pick([2.0, 1.5, 0.6, 3.0]) for _ in range(rank))
        options["recompute_scale_factor"] = pick([None, True])
    else:
        options["size"] = tuple(pick.whole(1, 11) for _ in range(rank))
    if mode in ("bilinear", "bicubic"):
        options["antialias"] = pick([False, False, True])
    return Function(f"resize {options}", lambda x: F.interpolate(x, **options))


def recurrent(pick: Choices, shape: tuple[int, ...]) -> Any:
    from torch import nn

    kind = pick([nn.LSTM, nn.GRU, nn.RNN])
    options: dict[str, Any] = {
        "num_layers": pick([1, 2]),
        "bias": pick([True, False]),
        "bidirectional": pick([False, True]),
    }
    if kind is nn.LSTM:
        options["proj_size"] = pick([0, 2])
    if kind is nn.RNN:
        options["nonlinearity"] = pick(["tanh", "relu"])
    inner = kind(shape[-1], pick([3, 4]), batch_first=True, **options)
    return Function(f"recurrent {inner}", lambda m, x: m(x)[0], inner)


def attention(pick: Choices, shape: tuple[int, ...]) -> Any:
    from torch import nn

    width = shape[-1]
    heads = pick([h for h in range(1, width + 1) if width % h == 0])
    if pick([False, True]):
        first, function = pick([False, True]), pick(["relu", "gelu"])
        return nn.TransformerEncoderLayer(width, heads, 7, activation=function, batch_first=True, norm_first=first)
    options = {"bias": pick([True, False]), "add_bias_kv": pick([False, True]), "add_zero_attn": pick([False, True])}
    inner = nn.MultiheadAttention(width, heads, batch_first=True, **options)
    return Function(f"attention {heads} {options}", lambda m, x: m(x, x, x, need_weights=False)[0], inner)


def move(pick: Choices, shape: tuple[int, ...]) -> Any:
    import torch

    rank, axis = len(shape), pick.whole(1, len(shape) - 1)
    n = shape[axis]
    order = [0, *(1 + int(i) for i in np.random.default_rng(pick.whole(0, 99)).permutation(rank - 1))]
    start, step, shift, k = pick.whole(0, n - 1), pick([1, 2]), pick.whole(-3, 3), pick.whole(1, n)
    picks = [pick.whole(-n, n - 1) for _ in range(3)]
    index = (slice(None),) * axis
    functions: dict[str, Layer] = {
        "permute": lambda x: x.permute(order),
        "flatten": lambda x: x.flatten(1),
        "slice": lambda x: x[(*index, slice(start, None, step))],
        "unsqueeze_squeeze": lambda x: x.unsqueeze(axis).squeeze(axis),
        "roll": lambda x: x.roll(shift, axis),
        "flip": lambda x: x.flip(axis),
        "index": lambda x: x[(*index, picks)],
        "repeat": lambda x: x.repeat(*(2 if i == axis else 1 for i in range(rank))),
        "cat_self": lambda x: torch.cat([x, -x], axis),
        "stack": lambda x: torch.stack([x, x * 2], axis).flatten(axis, axis + 1),
        "split": lambda x: torch.cat(torch.split(x, k, axis)[::-1], axis),
        "chunk": lambda x: torch.cat(torch.chunk(x, 2, axis)[::-1], axis),
        "topk": lambda x: x.topk(k, axis).values,
        "sort": lambda x: x.sort(axis, descending=step == 2).values,
        "cumsum": lambda x: x.cumsum(axis),
        "unfold": lambda x: x.unfold(axis, k, step).sum(-1),
        "transpose_merge": lambda x: x.transpose(0, axis).softmax(-1).transpose(0, axis) if axis < rank - 1 else x,
        "narrow": lambda x: x.narrow(axis, start, n - start),
        "movedim": lambda x: x.movedim(1, -1),
        "expand": lambda x: x.narrow(axis, start, 1).expand_as(x),
        "fold_batch": lambda x: x.reshape(-1, *shape[2:]).tanh().reshape(-1, *shape[1:]) if rank > 2 else x,
        "gather": lambda x: x.gather(axis, x.argsort(axis)),
    }
    name = pick(sorted(functions))
    return Function(f"{name} axis={axis} {order} {start} {step} {shift} {k} {picks}", functions[name])


def function(pick: Choices, shape: tuple[int, ...]) -> Any:
    import torch

    axis, keep, c = pick.whole(1, len(shape) - 1), True, pick([0.5, 2.0, -1.5, 3.0])
    functions: dict[str, Layer] = {
        "scalars": lambda x: (1 - x) * c + x / c,
        "where": lambda x: torch.where(x > 0.1, x, c * x),
        "masked": lambda x: x.masked_fill(x < c, 0.5),
        "mean": lambda x: x - x.mean(axis, keepdim=keep),
        "std": lambda x: x / (x.std(axis, keepdim=keep) + 1),
        "amax": lambda x: x - x.amax(axis, keepdim=keep),
        "norm": lambda x: torch.nn.functional.normalize(x, dim=axis),
        "logsumexp": lambda x: x - x.logsumexp(axis, keepdim=keep),
        "floor": lambda x: torch.div(x, c, rounding_mode="floor"),
        "trunc": lambda x: torch.div(x, c, rounding_mode="trunc"),
        "remainder": lambda x: torch.remainder(x, c),
        "clamp": lambda x: x.clamp(-0.5, abs(c)),
        "pow": lambda x: (x.abs() + 0.1) ** c,
        "exp": lambda x: torch.exp(-x.abs()),
        "inplace": lambda x: (x * c).add_(1).mul_(2),
        "position": lambda x: x + torch.arange(shape[-1]) * c,
        "compare": lambda x: ((x > 0) & (x < 1)).to(x.dtype) - (x == 0).to(x.dtype),
        "argmax": lambda x: x + x.argmax(axis, keepdim=keep) * c,
        "whole": lambda x: (x * 7).int().float() + ((x * 5).long() % 3).float(),
        "matmul": lambda x: x @ torch.linspace(-1, 1, shape[-1] * 4).view(shape[-1], 4),
        "einsum": lambda x: torch.einsum("b...i,oi->b...o", x, torch.linspace(-1, 1, shape[-1] * 3).view(3, shape[-1])),
        "var": lambda x: x.var(axis, keepdim=keep, correction=0) + x,
        "prod": lambda x: x.prod(axis, keepdim=keep) + x,
    }
    name = pick(sorted(functions))
    return Function(f"{name} axis={axis} {c}", functions[name])


def Function(name: str, apply: Callable[..., Any], inner: Any = None) -> Any:  # noqa: N802
    """Make a module of a function."""
    from torch import nn

    class Apply(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def extra_repr(self) -> str:
            return name

        def forward(self, x: Any) -> Any:
            return apply(x) if self.inner is None else apply(self.inner, x)

    return Apply()


FUZZERS = (TorchFuzzer(),)
