"""Genfocus adapters: files in the released layout, what they are for, and how to write one."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ..models import WeightsMismatchError
from .forward import Factors

log = logging.getLogger(__name__)

Task = Literal["deblur", "bokeh"]
Source = Literal["photo", "black", "pre_deblurred", "defocus", "aperture"]
PRE_DEBLUR_COLUMNS = 32
"""How far right of the picture the released weights place the first of two conditions when they deblur, in tokens."""


@dataclass(frozen=True)
class Layout:
    """What an adapter was trained to see.

    Attributes:
        name: identifier, also written into files.
        task: "deblur" makes a photo sharp, "bokeh" blurs a sharp one by a defocus map.
        conditions: condition pictures in their order.
        columns: offset of each condition's position ids to the right, in tokens.
        prompt: the text it was trained with.
        guidance: FLUX guidance it is run with.
        note: one line for people.
    """

    name: str
    task: Task
    conditions: tuple[Source, ...]
    columns: tuple[int, ...]
    prompt: str
    guidance: float
    note: str


_SHARP = "a sharp photo with everything in focus"
"""Prompt that the DeblurNets were trained with."""
_BOKEH = "an excellent photo with a large aperture"
"""Prompt that the BokehNets were trained with."""

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("deblur", "deblur", ("photo",), (0,), _SHARP, 3.5, "DeblurNet of March 2026, rank 64, one condition"),
        Layout(
            "deblur_black",
            "deblur",
            ("black", "photo"),
            (PRE_DEBLUR_COLUMNS, 0),
            _SHARP,
            3.5,
            "DeblurNet of December 2025, rank 32: a black picture beside the photo",
        ),
        Layout(
            "pre_deblur",
            "deblur",
            ("pre_deblurred", "photo"),
            (PRE_DEBLUR_COLUMNS, 0),
            _SHARP,
            3.5,
            "DeblurNet with the result of another deblurring method beside the photo",
        ),
        Layout("bokeh", "bokeh", ("photo", "defocus"), (0, 0), _BOKEH, 1.0, "BokehNet, rank 64: photo and defocus map"),
        Layout(
            "bokeh_shape",
            "bokeh",
            ("photo", "defocus", "aperture"),
            (0, 0, PRE_DEBLUR_COLUMNS),
            _BOKEH,
            1.0,
            "BokehNet with a picture of the aperture (256 px, white = open) as third condition; ours, none is released",
        ),
    )
}
"""Every layout that an adapter may have, by name."""


@dataclass(frozen=True, eq=False)
class Lora:
    """A condition adapter.

    Attributes:
        factors: module in diffusers' naming (without "transformer.") -> A [r,in], B [out,r]. The addition is B A x at scale 1.
        name: the file, for people.
        metadata: the file's metadata.
    """

    factors: Mapping[str, Factors]
    name: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def rank(self) -> int:
        """Largest rank of a factor."""
        return max(a.shape[0] for a, _ in self.factors.values())

    @property
    def bytes(self) -> int:
        """Size of all factors."""
        return sum(t.numel() * t.element_size() for pair in self.factors.values() for t in pair)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Lora:
        """The same adapter elsewhere."""
        moved = {k: (a.to(device, dtype), b.to(device, dtype)) for k, (a, b) in self.factors.items()}
        return Lora(moved, self.name, self.metadata)

    def layout(self, task: Task, *, pre_deblurred: bool = False) -> Layout:
        """What the adapter was trained to see, for what the caller wants to do.

        A file that we wrote says so. The released ones are told by rank (32: the older two-condition DeblurNet) and the
        pre-deblur one by its name or, as its tensors do not differ, by `pre_deblurred`: the caller has such a picture.

        Raises:
            ValueError: if the file says it was made for another task.
        """
        stated = self.metadata.get("refocus.layout")
        if stated is not None:
            layout = LAYOUTS.get(stated)
            if layout is None:
                raise ValueError(
                    f"{self.name} says it has the layout '{stated}', which is not known. Known: {', '.join(LAYOUTS)}."
                )
        else:
            plain = re.sub(r"[^a-z]", "", Path(self.name).stem.lower())
            named: Task | None = "bokeh" if "bokeh" in plain else "deblur" if "deblur" in plain else None
            if named not in (None, task):
                layout = LAYOUTS[named]
            elif task == "bokeh":
                layout = LAYOUTS["bokeh"]
            elif pre_deblurred or "predeblur" in plain:
                layout = LAYOUTS["pre_deblur"]
            else:
                layout = LAYOUTS["deblur_black" if self.rank == 32 else "deblur"]
        if layout.task != task:
            raise ValueError(
                f"{self.name} is an adapter for '{layout.task}' ({layout.note}), but '{task}' is wanted. Choose the other file."
            )
        return layout


_KEY = re.compile(r"(?:base_model\.model\.)?(?:transformer\.)?(?P<module>.+?)\.lora_(?P<side>[AB])(?:\.\w+)?\.weight")
"""A tensor of a LoRA file: which layer, and which of its two factors."""


def describe_keys(keys: Iterable[str]) -> str:
    """What a file with these tensor names probably is, for an error message."""
    names = list(keys)

    def has(*parts: str) -> bool:
        return any(part in name for name in names for part in parts)

    if not names:
        return "an empty file"
    if has("lora_unet_double_blocks", "lora_unet_single_blocks", "lora_transformer_"):
        return "a FLUX LoRA in kohya's naming, made for the whole model (use Load LoRA for it)"
    if has("lora_unet_", "unet.") and has("lora"):
        return "a LoRA for Stable Diffusion"
    if has("lora_A", "lora_B", "lora_down", "lora_up"):
        if has("add_q_proj", "context_embedder", "norm1_context", "ff_context"):
            return "a FLUX LoRA that also changes the text side, made for the whole model (use Load LoRA for it)"
        return "a LoRA for another model"
    if has("double_blocks.0.img_attn", "transformer_blocks.0.attn.add_q_proj"):
        return "a FLUX diffusion model (use Load Diffusion Model for it)"
    if has("model.diffusion_model."):
        return "a whole checkpoint (use Load Checkpoint for it)"
    if has("decoder.conv_in", "decoder.up"):
        return "a VAE"
    if has("text_model.", "encoder.block.0.layer.0.SelfAttention"):
        return "a text encoder"
    return f"a file that begins with the tensor '{names[0]}'"


def load_lora(path: Path | str) -> Lora:
    """Read a condition adapter: safetensors, peft's names as diffusers writes them (`transformer.<module>.lora_A.weight`).

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsMismatchError: if it is no safetensors file or not such an adapter; the message says what it seems to be.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no LoRA file {path}.")
    sides: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(str(path), framework="pt") as file:
            keys: list[str] = list(file.keys())
            metadata: dict[str, str] = dict(file.metadata() or {})
            matches = {key: m for key in keys if (m := _KEY.fullmatch(key))}
            modules = {m["module"] for m in matches.values()}
            foreign = [m for m in modules if not is_adaptable(m)]
            if not modules or foreign:
                raise WeightsMismatchError(
                    f"{path.name} is not a Genfocus adapter: it seems to be {describe_keys(keys)}. Fetch deblurNet.safetensors "
                    "or bokehNet.safetensors from huggingface.co/nycu-cplab/Genfocus-Model, or train one."
                )
            if ignored := [k for k in keys if k not in matches]:
                log.warning("%s: %d tensors are not used (the first is %s).", path.name, len(ignored), ignored[0])
            for key, m in matches.items():
                sides.setdefault(m["module"], {})[m["side"]] = file.get_tensor(key)
    except (SafetensorError, OSError) as e:
        raise WeightsMismatchError(f"{path} is not a readable safetensors file ({e}). Fetch it again, or convert it.") from e
    factors: dict[str, Factors] = {}
    for module, pair in sides.items():
        a, b = pair.get("A"), pair.get("B")
        if a is None or b is None or a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
            raise WeightsMismatchError(f"{path.name} is incomplete or damaged: the factors of {module} do not fit together.")
        factors[module] = (a, b)
    return Lora(factors, path.name, metadata)


def save_lora(
    path: Path | str,
    factors: Mapping[str, Factors],
    *,
    layout: str,
    dtype: torch.dtype = torch.bfloat16,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a condition adapter in the released key layout, with its layout's name in the metadata.

    Args:
        path: a .safetensors file.
        factors: module -> A [r,in], B [out,r], as in `Lora.factors`; see also `backbones.adapter_factors`.
        layout: a name in `LAYOUTS`.
        dtype: type in the file.
        metadata: further entries (strings), e.g. training settings.

    Raises:
        ValueError: on an unknown layout, a module that a condition adapter may not change, or no factors.
    """
    from safetensors.torch import save_file

    if layout not in LAYOUTS:
        raise ValueError(f"Unknown layout '{layout}'. Known: {', '.join(LAYOUTS)}.")
    wrong = [m for m in factors if not is_adaptable(m)]
    if wrong or not factors:
        raise ValueError(f"These are not the factors of a condition adapter: {wrong or 'there are none'}.")
    tensors = {
        f"transformer.{module}.lora_{side}.weight": t.detach().to("cpu", dtype).contiguous()
        for module, pair in factors.items()
        for side, t in zip("AB", pair, strict=True)
    }
    save_file(tensors, str(path), metadata={**(metadata or {}), "refocus.layout": layout, "format": "pt"})


_DOUBLE = r"transformer_blocks\.\d+\.(?:norm1\.linear|attn\.to_[qkv]|attn\.to_out\.0|ff\.net\.0\.proj|ff\.net\.2)"
"""Layers of picture tokens in the double blocks."""
_SINGLE = r"single_transformer_blocks\.\d+\.(?:norm\.linear|attn\.to_[qkv]|proj_mlp|proj_out)"
"""Layers of the single blocks."""
_ADAPTABLE = re.compile(rf"x_embedder|{_DOUBLE}|{_SINGLE}")
"""Every layer that a condition adapter may change, in diffusers' names."""


def is_adaptable(module: str) -> bool:
    """Whether a condition adapter may change this layer: those that picture tokens pass through, in diffusers' naming."""
    return _ADAPTABLE.fullmatch(module) is not None


RELEASED_MODULES = (
    r"x_embedder|transformer_blocks\.\d+\.(norm1\.linear|attn\.to_[qkv]|attn\.to_out\.0|ff\.net\.2)"
    r"|single_transformer_blocks\.\d+\.(norm\.linear|proj_mlp|proj_out|attn\.to_[qkv])"
)
"""The layers that the released adapters change, as a regular expression for peft's `LoraConfig(target_modules=...)`."""
