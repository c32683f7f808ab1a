"""Depth networks, ours and those of transformers, built from a config and a safetensors file here: never any network access."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import images, models
from ..models import ModelEntry, WeightsMismatchError
from ..types import DepthMap, Progress
from .network import OUTPUT_PX, Architecture, DepthNet, restored
from .refine import refine

log = logging.getLogger(__name__)

FAMILIES = ("depth_anything", "depth_pro", "refocus_depth")
"""`model_type` of the configs that can be loaded."""

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of the photos, by colour, that Depth Anything's backbone was trained on; it sees differences to it."""
_IMAGENET_STD = (0.229, 0.224, 0.225)
"""Their standard deviation, which is 1 to it."""
_OWN_SHORT_PX = 256
"""Short side at which our network sees a picture: that of its training pictures. At 320 px it orders scenes worse."""
_OWN_RAMP_PX = 12
"""How far its soft edges reach at that size. More moves edges over a wider range, and takes longer."""
_OWN_EDGE_PX = 1.5
"""How far its edges are off at that size, once they are refined. More lets the renderer look farther for those of the photo, and
take the wrong one sooner. Chosen by eye at 1:1 on six photos, 1.0 to 2.5."""
_NO_ARCHITECTURE = ("architectures", "transformers_version", "torch_dtype", "dtype", "_name_or_path")
"""Entries of a config.json that do not say how the network is built."""
_MAX_ASPECT = 4.0
"""A longer picture is seen smaller, so that memory stays bounded."""


class FrameDepth(NamedTuple):
    """What a network says of one frame.

    Attributes:
        disparity: [H,W] float32, may hold non-finite values.
        focal_px: focal length, or None.
        edge_px: how far its edges are off, as of `types.DepthMap`.
    """

    disparity: Tensor
    focal_px: float | None
    edge_px: float = 0.0


class DepthModel(nn.Module):
    """A depth network with its own preprocessing.

    Attributes:
        name: for people.
        family: one of `FAMILIES`.
        metric: whether `forward` returns 1/m (else a relative disparity of arbitrary scale and offset).
    """

    def __init__(self, net: nn.Module, name: str) -> None:
        super().__init__()
        self.net = net
        self.name = name
        # Ours has an `architecture`, those of transformers have a `config`.
        self.config: Any = getattr(net, "config", None)
        self.family: str = "refocus_depth" if isinstance(net, DepthNet) else self.config.model_type
        self.metric: bool = self.family == "depth_pro" or (
            self.family == "depth_anything" and self.config.depth_estimation_type == "metric"
        )

    @property
    def input_px(self) -> int:
        """Depth Pro: the side of the square that it sees. The others: the short side at which they see a picture."""
        if self.family == "refocus_depth":
            return _OWN_SHORT_PX
        if self.family == "depth_pro":
            return round(self.config.patch_size / min(self.config.scaled_images_ratios))
        return int(self.config.backbone_config.image_size)

    def forward(self, frame: Tensor, focal_px: float | None = None) -> FrameDepth:
        """Run one frame.

        Args:
            frame: [3,H,W] sRGB-encoded; clamped to 0..1, the range that the networks know.
            focal_px: focal length in pixels of this frame; used by Depth Pro in place of its own estimate.

        Returns:
            Disparity at the size of the frame, larger = nearer, and the focal length where the network or the caller knows it.
        """
        weight = next(self.net.parameters())
        x = frame[None].to(device=weight.device, dtype=torch.float32).clamp(0, 1)
        run = {"depth_pro": self._depth_pro, "depth_anything": self._depth_anything, "refocus_depth": self._own}[self.family]
        return run(x, focal_px, weight.dtype)

    def _own(self, x: Tensor, focal_px: float | None, _dtype: torch.dtype) -> FrameDepth:
        h, w = x.shape[-2:]
        size = network_size(h, w, self.input_px, OUTPUT_PX)
        y = images.resized(x, size)
        seen, mirrored = self.net(torch.cat([y, y.flip(-1)]))
        out = (seen + mirrored.flip(-1))[None] / 2  # what it gets wrong of one it often gets right of the other
        span = float(out.amax())
        if 0 < span < float("inf"):  # else predict says what is wrong
            out = refine(DepthMap(out / span, False, None, None, self.name), y, radius_px=_OWN_RAMP_PX).disparity * span
        out = images.resized(out[:, None], (h, w))[0, 0]
        return FrameDepth(out, focal_px, _OWN_EDGE_PX * min(h, w) / min(size))

    def _depth_anything(self, x: Tensor, focal_px: float | None, dtype: torch.dtype) -> FrameDepth:
        h, w = x.shape[-2:]
        size = network_size(h, w, self.input_px, int(self.config.patch_size))
        # The reference preprocessing resizes 8-bit pictures with a bicubic filter, which clamps; so does this.
        y = images.resized(x, size, "bicubic").clamp(0, 1)
        y = (y - y.new_tensor(_IMAGENET_MEAN).view(1, 3, 1, 1)) / y.new_tensor(_IMAGENET_STD).view(1, 3, 1, 1)
        out = self.net(pixel_values=y.to(dtype)).predicted_depth[:, None].float()
        out = images.resized(out, (h, w))[0, 0]
        if self.metric:  # a fine-tuned model whose output is metres
            return FrameDepth(torch.where(out > 0, 1.0 / out.clamp_min(1e-3), torch.nan), focal_px)
        return FrameDepth(out, focal_px)

    def _depth_pro(self, x: Tensor, focal_px: float | None, dtype: torch.dtype) -> FrameDepth:
        h, w = x.shape[-2:]
        side = self.input_px
        # Normalised first, then resized without antialiasing: that is how it was trained.
        y = F.interpolate((x - 0.5) / 0.5, (side, side), mode="bilinear", align_corners=False)
        out = self.net(pixel_values=y.to(dtype))
        if focal_px is None and out.field_of_view is not None:
            half = torch.deg2rad(out.field_of_view.float().flatten()[0]) / 2
            focal_px = float(0.5 * w / torch.tan(half))
        if focal_px is None or not focal_px > 0:
            raise ValueError(
                f"{self.name} found no usable focal length for this picture (got {focal_px}). Give focal_px, "
                "the focal length in px."
            )
        # Its output is inverse depth for a focal length of one picture width: 1/Z = output * width / focal_px.
        canonical = F.interpolate(out.predicted_depth[:, None].float(), (h, w), mode="bilinear", align_corners=False)[0, 0]
        return FrameDepth((canonical * (w / focal_px)).clamp(1e-4, 1e4), focal_px)


def network_size(height: int, width: int, short_px: int, multiple: int) -> tuple[int, int]:
    """Size (h, w) at which a picture is seen: aspect kept, the short side at `short_px`, both multiples of `multiple`.

    Beyond an aspect of 4:1 the long side stays at 4 times `short_px` and the short side shrinks.
    """
    scale = short_px / min(height, width)
    scale = min(scale, _MAX_ASPECT * short_px / max(height, width))
    return tuple(max(multiple, round(v * scale / multiple) * multiple) for v in (height, width))  # pyright: ignore[reportReturnType] # two values


def _config_beside(path: Path) -> dict[str, Any] | None:
    file = path.parent / "config.json"
    if not file.is_file():
        return None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise WeightsMismatchError(f"{file} cannot be read ({e}). Fetch it again from where the model comes from.") from e
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None


def is_depth_file(path: Path | str) -> bool:
    """Whether a safetensors file is a depth model that `load_model` reads: one with a config.json of a known family beside it."""
    p = Path(path)
    try:
        config = _config_beside(p)
    except WeightsMismatchError:
        return False
    return p.suffix == ".safetensors" and config is not None and config.get("model_type") in FAMILIES


def load_model(
    path: Path | str, config: Mapping[str, Any] | None = None, *, name: str | None = None, dtype: torch.dtype = torch.float32
) -> DepthModel:
    """Build a depth network from a safetensors file, on the CPU and ready for inference.

    Args:
        path: the file.
        config: its architecture as in transformers' config.json; by default the config.json beside the file.
        name: for people; by default the file's folder and name.
        dtype: type of the weights.

    Raises:
        WeightsMissingError: if there is no config, or the model needs transformers and that is not installed.
        WeightsMismatchError: if the file is not safetensors or does not hold exactly the weights of that architecture.
    """
    p = Path(path)
    label = name or f"{p.parent.name}/{p.name}"
    given = dict(config) if config is not None else _config_beside(p)
    if given is None:
        raise models.WeightsMissingError(
            f"{p} has no config.json beside it, so its architecture is unknown. Copy the config.json of the model "
            f"into {p.parent}."
        )
    family = given.pop("model_type", None)
    if family not in FAMILIES:
        raise WeightsMismatchError(f"{label}: config.json says model_type {family!r}; known are {', '.join(FAMILIES)}.")
    if family == "refocus_depth":
        return _load_own(p, given, label, dtype)
    return _load_transformers(p, given, str(family), label, dtype)


def _load_transformers(path: Path, options: dict[str, Any], family: str, label: str, dtype: torch.dtype) -> DepthModel:
    """A network of transformers; its architecture as in config.json, without `model_type`."""
    try:
        import transformers
        from transformers.utils import logging as transformers_logging
    except ImportError as e:
        raise models.WeightsMissingError(f"{label} needs transformers: pip install 'transformers>=4.50.3'.") from e

    kind = "DepthPro" if family == "depth_pro" else "DepthAnything"
    state = models.read_safetensors(path)
    options = {k: v for k, v in options.items() if k not in _NO_ARCHITECTURE}
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    # Its report of unmatched keys ends in a model with random weights; the check below ends in an error.
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    try:
        built = getattr(transformers, f"{kind}Config").from_dict({"model_type": family, **_copy(options)})
        # from_pretrained with a state dict opens nothing; unlike load_state_dict it knows the keys of older checkpoints.
        net, info = getattr(transformers, f"{kind}ForDepthEstimation").from_pretrained(
            None, config=built, state_dict=state, output_loading_info=True
        )
    except (RuntimeError, ValueError, TypeError, KeyError) as e:
        raise WeightsMismatchError(f"{path} does not fit {label}: {e}") from e
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
    wrong = {k: sorted(map(str, info[k])) for k in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[k]}
    if wrong:
        text = "; ".join(f"{k.replace('_', ' ')}: {', '.join(v[:3])}{' ...' if len(v) > 3 else ''}" for k, v in wrong.items())
        raise WeightsMismatchError(
            f"{path} does not fit {label} ({text}). It is another model: fetch the right file, or put this one into a folder of "
            "its own with its config.json."
        )
    return DepthModel(net.to(dtype), label).eval().requires_grad_(False)


def _load_own(path: Path, options: Mapping[str, Any], label: str, dtype: torch.dtype) -> DepthModel:
    state = models.read_safetensors(path)
    try:
        with torch.device("meta"):
            net = DepthNet(Architecture.read(options))
        net.load_state_dict(restored(state), assign=True)
    except (RuntimeError, KeyError, TypeError) as e:
        raise WeightsMismatchError(f"{path} does not fit {label}: {e}") from e
    return DepthModel(net.to(dtype), label).eval().requires_grad_(False)


def _copy(value: Any) -> Any:
    """A deep copy of plain data: transformers changes the dictionaries that it is given."""
    if isinstance(value, Mapping):
        return {k: _copy(v) for k, v in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_copy(v) for v in cast("list[Any]", value)]
    return value


def load_entry(
    chosen: ModelEntry,
    folders: Iterable[Path | str] | None = None,
    *,
    allow_download: bool = False,
    progress: Progress | None = None,
    dtype: torch.dtype = torch.float32,
) -> DepthModel:
    """Locate the files of a registered model (see `models.locate`) and build it. The architecture is the registry's.

    Raises:
        WeightsMissingError, WeightsMismatchError: as `models.locate` and `load_model`.
    """
    (path,) = models.locate(chosen, folders, allow_download=allow_download, progress=progress)
    log.info("Depth model %s (licence: %s) from %s", chosen.label, chosen.licence, path)
    return load_model(path, chosen.options, name=chosen.label, dtype=dtype)
