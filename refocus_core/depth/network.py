"""The network of `refocus-depth-s`: first blocks of a DINOv2 vision transformer, a small decoder that also sees the picture.

The transformer sees the picture at 14 px per token and knows what is near; it has no edges. The decoder doubles the resolution
three times, each time beside features of the picture itself, and ends at 16 px per token. (DINOv2: Oquab et al. 2023,
arXiv:2304.07193; decoding of several depths of a transformer: Ranftl et al., "Vision Transformers for Dense Prediction", 2021.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import images

PATCH_PX = 14
"""Side of a token in the picture that the transformer sees."""
OUTPUT_PX = 16
"""Side of a token in the picture that the decoder sees and answers at."""

_MEAN = (0.485, 0.456, 0.406)
"""Mean of ImageNet's channels, which DINOv2 was trained to have taken off."""
_STD = (0.229, 0.224, 0.225)
"""Standard deviation of ImageNet's channels, by which DINOv2 was trained to have its input divided."""


@dataclass(frozen=True)
class Architecture:
    """Sizes: `taps` are the blocks (from 1) after which the decoder looks; `grid` is the side of the stored positions."""

    width: int = 384
    heads: int = 6
    blocks: int = 9
    taps: tuple[int, ...] = (3, 6, 9)
    grid: int = 37
    channels: tuple[int, int, int] = (96, 64, 32)

    @staticmethod
    def read(options: Mapping[str, Any]) -> Architecture:
        """From plain data, where lists stand for tuples; what is not said keeps its default.

        Raises:
            TypeError: if there is a name that does not exist.
        """
        plain: dict[str, Any] = {k: tuple(cast("list[int]", v)) if isinstance(v, list) else v for k, v in options.items()}
        return Architecture(**plain)


class Block(nn.Module):
    """A pre-norm transformer block with layer scale; names as in DINOv2."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.scale1 = nn.Parameter(torch.ones(width))
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.scale2 = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """[B,N,C] -> [B,N,C]."""
        b, n, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c)
        x = x + self.proj(attended) * self.scale1
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x)))) * self.scale2


class Encoder(nn.Module):
    """DINOv2 ViT without its last blocks."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.taps = a.taps
        self.patch = nn.Conv2d(3, a.width, PATCH_PX, PATCH_PX)
        self.first = nn.Parameter(torch.zeros(1, 1, a.width))  # the class token
        self.first_position = nn.Parameter(torch.zeros(1, 1, a.width))
        self.position = nn.Parameter(torch.zeros(1, a.width, a.grid, a.grid))
        self.blocks = nn.ModuleList(Block(a.width, a.heads) for _ in range(a.blocks))
        self.frozen = 0

    def freeze(self, blocks: int) -> None:
        """Train neither the embedding nor the first `blocks` blocks."""
        self.frozen = blocks
        for part in (self.patch, *list(self.blocks)[:blocks]):
            part.requires_grad_(False)
        for p in (self.first, self.first_position, self.position):
            p.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Normalised picture [B,3,14h,14w] -> features [B,C,h,w] at each tap."""
        out: list[Tensor] = []
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            grid = self.patch(x)
            b, c, h, w = grid.shape
            position = images.resized(self.position.float(), (h, w), "bicubic", antialias=False).to(grid.dtype)
            tokens = (grid + position).flatten(2).transpose(1, 2)
            tokens = torch.cat([(self.first + self.first_position).expand(b, -1, -1).to(tokens.dtype), tokens], 1)
        for i, block in enumerate(self.blocks, 1):
            with torch.set_grad_enabled(torch.is_grad_enabled() and i > self.frozen):
                tokens = block(tokens)
            if i in self.taps:
                out.append(tokens[:, 1:].transpose(1, 2).reshape(b, c, h, w))
        return out


def _conv(cin: int, cout: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, 3, stride, 1)


class _Fuse(nn.Module):
    """Features of the level below, doubled in size, beside those of the picture."""

    def __init__(self, below: int, beside: int, out: int) -> None:
        super().__init__()
        self.mix = _conv(below + beside, out)
        self.refine = _conv(out, out)

    def forward(self, below: Tensor, beside: Tensor) -> Tensor:
        up = F.interpolate(below, beside.shape[-2:], mode="bilinear", align_corners=False)
        x = F.gelu(self.mix(torch.cat([up, beside], 1)))
        return x + F.gelu(self.refine(x))


class DepthNet(nn.Module):
    """Picture -> relative disparity."""

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__()
        a = architecture or Architecture()
        self.architecture = a
        c2, c4, c8 = a.channels
        self.encoder = Encoder(a)
        self.norms = nn.ModuleList(nn.LayerNorm(a.width, eps=1e-6) for _ in a.taps)
        self.projections = nn.ModuleList(nn.Conv2d(a.width, c2, 1) for _ in a.taps)
        self.mix = _conv(c2, c2)
        self.mix2 = _conv(c2, c2)
        self.stem8, self.stem4, self.stem2 = _conv(12, 24), _conv(24, 32, 2), _conv(32, 48, 2)
        self.fuse2, self.fuse4, self.fuse8 = _Fuse(c2, 48, c2), _Fuse(c2, 32, c4), _Fuse(c4, 24, c8)
        self.out = _conv(c8, 4)

    def forward(self, x: Tensor) -> Tensor:
        """x [B,3,16h,16w] sRGB-encoded 0..1 -> disparity [B,16h,16w] >= 0: about 0 at the farthest, about 1 at the nearest."""
        h, w = (n // OUTPUT_PX for n in x.shape[-2:])
        dtype = self.out.weight.dtype
        x = x.float()
        x = (x - x.new_tensor(_MEAN).view(1, 3, 1, 1)) / x.new_tensor(_STD).view(1, 3, 1, 1)
        seen = images.resized(x, (PATCH_PX * h, PATCH_PX * w))
        taps = self.encoder(seen.to(dtype))
        x = x.to(dtype)
        stem8 = F.gelu(self.stem8(F.pixel_unshuffle(x, 2)))
        stem4 = F.gelu(self.stem4(stem8))
        stem2 = F.gelu(self.stem2(stem4))
        deep: Tensor = sum(  # type: ignore[assignment] # there is at least one tap
            project(norm(tap.movedim(1, -1)).movedim(-1, 1))
            for tap, norm, project in zip(taps, self.norms, self.projections, strict=True)
        )
        deep = F.gelu(deep)
        deep = deep + self.mix2(F.gelu(self.mix(deep)))
        y = self.fuse8(self.fuse4(self.fuse2(deep, stem2), stem4), stem8)
        return F.softplus(F.pixel_shuffle(self.out(y), 2)[:, 0].float())


# --- weights in a small file ----------------------------------------------------------------------------------------------

_SCALE = ".scale"
"""Ending of the tensor that holds the scales of a quantised one."""
_SIX = ".six"
"""Ending of a tensor of 6 bits per weight, four weights in three bytes."""
_GROUP = 64
"""Weights that share a scale at 6 bits. More make the file smaller and the weights coarser."""


def quantised(state: Mapping[str, Tensor], *, smallest: int = 4096) -> dict[str, Tensor]:
    """Weights for a small file.

    The two large matrices of each block's perceptron hold two thirds of all weights and bear it best: 6 bits per weight, four
    in three bytes, one scale per 64 along the input. Other matrices and kernels: int8, one scale per output. The rest: float16.
    """
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        value = value.detach().float().cpu()
        if value.ndim < 2 or value.numel() < smallest:
            out[name] = value.half().contiguous()
        elif name.endswith(("fc1.weight", "fc2.weight")) and value.shape[1] % _GROUP == 0:
            groups = value.view(value.shape[0], -1, _GROUP)
            scale = (groups.abs().amax(2) / 31).clamp_min(1e-7).half()
            whole = (groups / scale.float()[..., None]).round().clamp(-31, 31).to(torch.int32) + 32
            out[name + _SIX] = _pack(whole.view(value.shape[0], -1))
            out[name + _SCALE] = scale
        else:
            rows = _rows(value)
            scale = (rows.abs().amax(1) / 127).clamp_min(1e-7).half()
            out[name] = (rows / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8).view(value.shape).contiguous()
            out[name + _SCALE] = scale
    return out


def restored(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `quantised` wrote, as float32. Files without its scales (all float) come back as they are."""
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.endswith(_SCALE):
            continue
        if name.endswith(_SIX):
            base = name.removesuffix(_SIX)
            scale = state[base + _SCALE].float()
            out[base] = ((_unpack(value) - 32).view(*scale.shape, _GROUP) * scale[..., None]).flatten(1)
        elif value.dtype == torch.int8:
            out[name] = (_rows(value.float()) * state[name + _SCALE].float()[:, None]).view(value.shape)
        else:
            out[name] = value.float()
    return out


def _rows(value: Tensor) -> Tensor:
    """Outputs as rows; the grid of positions [1,C,h,w] has one per channel."""
    return value.flatten(1) if value.shape[0] > 1 else value.flatten(2)[0]


def _pack(whole: Tensor) -> Tensor:
    """[R,4n] integers 0..63 -> [R,3n] uint8."""
    a, b, c, d = whole.view(whole.shape[0], -1, 4).unbind(2)
    word = a | b << 6 | c << 12 | d << 18
    return torch.stack([word & 255, word >> 8 & 255, word >> 16], 2).flatten(1).to(torch.uint8)


def _unpack(packed: Tensor) -> Tensor:
    """Inverse of `_pack`, as float32."""
    a, b, c = packed.to(torch.int32).view(packed.shape[0], -1, 3).unbind(2)
    word = a | b << 8 | c << 16
    return torch.stack([word >> s & 63 for s in (0, 6, 12, 18)], 2).flatten(1).float()
