"""What the depth network sees while it is trained: parts of the scenes, as a careless photographer would have delivered them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..common.seeds import generator

_TOKEN_PX = 16
"""Sides of examples are multiples of this, which the network's decoder can halve four times."""
_SHAPES_TOKENS = ((12, 12), (12, 12), (11, 14), (14, 11), (14, 14), (16, 16))
"""Height and width of examples, all as often; one batch has one shape."""
_BLURRED = 0.6
"""Share of examples that are taken from the picture with defocus, where the scene has one."""
_ASPECT = (0.87, 1.15)
"""Range by which the part of the scene is wider than the example, which is then squeezed."""
_ZOOM = (0.7, (0.6, 1.0))
"""Share of examples that show a part of the scene only, and range of the part's side."""
_LEAST_PART_PX = 32
"""No part of a scene is smaller."""
_FAR_NEAR = (0.02, 0.98)
"""Quantiles of the disparity that become 0 and 1: a few very near or far pixels do not set the scale."""
_NEAREST = 1.3
"""What is nearer than the near quantile ends here."""

_SHAPE_STREAM = 2
"""Key of the random numbers of a batch's shape; what a seed means depends on it."""
_EXAMPLE_STREAM = 3
"""Key of those of an example; likewise fixed."""

_Number = Callable[[float, float], float]
"""(low, high) -> an even number between them."""


class Examples:
    """Parts of the scenes in shards (see `shards`). Example `i` is always the same.

    Each gives `image` [3,h,w] sRGB 0..1 and `target` [h,w], its normalised disparity; h and w are drawn from `shapes_tokens`.
    """

    def __init__(
        self,
        shards: Sequence[Mapping[str, Tensor]],
        seed: int,
        batch_size: int,
        shapes_tokens: Sequence[tuple[int, int]] = _SHAPES_TOKENS,
    ) -> None:
        self._shards, self._seed, self._batch, self._shapes_tokens = shards, seed, batch_size, shapes_tokens

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        shape_g = generator(self._seed, index // self._batch, _SHAPE_STREAM)
        shape = self._shapes_tokens[int(torch.randint(len(self._shapes_tokens), (1,), generator=shape_g))]
        h, w = (_TOKEN_PX * t for t in shape)
        g = generator(self._seed, index, _EXAMPLE_STREAM)
        shard = self._shards[int(torch.randint(len(self._shards), (1,), generator=g))]
        n = int(torch.randint(len(shard["image"]), (1,), generator=g))
        source = shard["blurred" if float(torch.rand((), generator=g)) < _BLURRED else "image"][n]
        image, disparity = crop(source.float() / 255, shard["disparity"][n].float(), h, w, g)
        return {"image": photographed(image, g), "target": normalised(disparity)}


def _numbers(g: torch.Generator) -> _Number:
    return lambda low, high: low + (high - low) * float(torch.rand((), generator=g))


def crop(image: Tensor, disparity: Tensor, height: int, width: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """A random part of [3,S,S] and [S,S], perhaps mirrored, at [3,height,width] and [height,width]."""
    number = _numbers(g)
    side = image.shape[-1]
    aspect = width / height * number(*_ASPECT)
    share, sides = _ZOOM
    scale = number(*sides) if number(0, 1) < share else 1.0
    w, h = (max(_LEAST_PART_PX, round(side * scale * min(1.0, v))) for v in (aspect, 1 / aspect))
    top, left = int(number(0, side - h + 0.999)), int(number(0, side - w + 0.999))
    image, disparity = (t[..., top : top + h, left : left + w] for t in (image, disparity))
    if number(0, 1) < 0.5:
        image, disparity = image.flip(-1), disparity.flip(-1)
    image = F.interpolate(image[None], (height, width), mode="bilinear", antialias=True)[0]
    return image.clamp(0, 1), F.interpolate(disparity[None, None], (height, width), mode="nearest-exact")[0, 0]


def photographed(image: Tensor, g: torch.Generator) -> Tensor:
    """[3,H,W] 0..1 as another camera, or another hand at a photo editor, would give it."""
    number = _numbers(g)
    x = _toned(image, number)
    if number(0, 1) < 0.35:
        x = _softened(x, number)
    if number(0, 1) < 0.5:
        x = x + torch.randn(x.shape, generator=g) * number(0.0, 0.05)
    x = x.clamp(0, 1)
    return _compressed(x, int(number(25, 90))) if number(0, 1) < 0.4 else x


def _toned(x: Tensor, number: _Number) -> Tensor:
    """Other exposure, white balance, saturation (now and then none) and contrast."""
    x = x.clamp_min(1e-4) ** number(0.65, 1.5)
    gains = torch.tensor([number(0.88, 1.12) for _ in range(3)]).view(3, 1, 1) * number(0.75, 1.2)
    x = x * gains
    grey = x.mean(0, keepdim=True)
    x = torch.lerp(grey.expand_as(x), x, 0.0 if number(0, 1) < 0.08 else number(0.4, 1.15))
    return (x - 0.5) * number(0.75, 1.25) + 0.5


def _softened(x: Tensor, number: _Number) -> Tensor:
    """Reduced, each side by its own factor, and enlarged again."""
    size = [max(16, round(n / number(1.2, 3.0))) for n in x.shape[1:]]
    return F.interpolate(F.interpolate(x[None], size, mode="bilinear", antialias=True), x.shape[1:], mode="bilinear")[0]


def _compressed(x: Tensor, quality: int) -> Tensor:
    """As JPEG gives it back."""
    file = io.BytesIO()
    Image.fromarray((x * 255).round().byte().permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.asarray(Image.open(file)).copy()).permute(2, 0, 1).float() / 255


def normalised(disparity: Tensor) -> Tensor:
    """[H,W] with 0 at the far end and 1 at the near end, but for a few pixels at each."""
    far, near = disparity.flatten().quantile(disparity.new_tensor(_FAR_NEAR))
    return ((disparity - far) / (near - far).clamp_min(1e-6)).clamp(0, _NEAREST)
