"""ComfyUI's FLUX, autoencoder, text encoders and samplers, as the generative nodes use them; the counterpart of `host.py`.

Nothing global is patched: a clone of the MODEL carries the adapter, its guide and one wrapper of the forward pass.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.ldm.modules.attention
import comfy.model_management as mm
import comfy.model_patcher
import comfy.model_sampling
import comfy.sample
import comfy.utils
import latent_preview
import torch
from comfy.patcher_extension import WrappersMP
from comfy_api.latest import io
from torch import Tensor, nn

from ...refocus_core import bokeh, generative
from ...refocus_core.types import DefocusMap, Progress
from .. import host

_KEY = "refocus_genfocus"
LORA_FOLDER = "loras"
AUTO = "auto"
"""LoRA choice: the first file in models/loras whose name holds the task's."""


# --- files --------------------------------------------------------------------------------------------------------------


def lora_choices() -> list[str]:
    """For a combo: `AUTO` and the safetensors files in models/loras."""
    return [AUTO, *host.model_files(LORA_FOLDER)]


def find_lora(choice: str, task: generative.Task) -> Path:
    """The LoRA file of a choice.

    Raises:
        FileNotFoundError: if it is not there; the message says what to fetch.
    """
    if choice != AUTO:
        return host.model_path(LORA_FOLDER, choice)
    for name in host.model_files(LORA_FOLDER):
        if task in Path(name.replace("\\", "/")).name.lower():
            return host.model_path(LORA_FOLDER, name)
    raise FileNotFoundError(
        f"There is no LoRA with '{task}' in its name in models/loras. Put {task}Net.safetensors from "
        "huggingface.co/nycu-cplab/Genfocus-Model there, or choose a file."
    )


def _prompts_file() -> Path | None:
    found = (folder / generative.PROMPTS_FILE for folder in host.model_folder())
    return next((p for p in found if p.is_file()), None)


def prompt_is_cached(task: generative.Task) -> bool:
    """Whether the embedding of the task's prompt is on file, so that no text encoder is needed."""
    path = _prompts_file()
    return path is not None and _wording(task) in generative.load_prompts(path)


def inputs(task: generative.Task) -> list[Any]:
    """The inputs that the generative methods of All In Focus and Reblur take; see `Flux`. Append them: order is in old files."""
    name = {"deblur": "DeblurNet", "bokeh": "BokehNet"}[task]
    return [
        io.Model.Input("model", optional=True, lazy=True, tooltip="FLUX.1-dev, for the generative method."),
        io.Vae.Input("vae", optional=True, lazy=True, tooltip="Autoencoder of FLUX.1 (ae.safetensors)."),
        io.Clip.Input(
            "clip",
            optional=True,
            lazy=True,
            tooltip="Text encoders of FLUX.1, for the fixed prompt. Asked once: its result is kept in models/refocus.",
        ),
        io.Conditioning.Input("conditioning", optional=True, lazy=True, tooltip="A prompt of your own instead of the fixed one."),
        host.advanced(
            io.Combo.Input(
                "lora",
                options=lora_choices(),
                default=AUTO,
                optional=True,
                tooltip=f"{name} adapter from models/loras. auto: the first file with '{task}' in its name.",
            )
        ),
        host.advanced(
            io.Int.Input("steps", default=28, min=1, max=200, optional=True, tooltip="Generative: steps of the sampler (Euler).")
        ),
        host.advanced(
            io.Int.Input(
                "start_noise",
                default=42,
                min=0,
                max=0xFFFFFFFF,
                optional=True,
                tooltip="Generative: seed of the noise to start from. The same number keeps the picture while focus changes.",
            )
        ),
        host.advanced(
            io.Float.Input(
                "megapixels",
                default=1.0,
                min=0.1,
                max=16.0,
                step=0.1,
                optional=True,
                tooltip="Generative: larger photos are worked on at this size, and the change is carried over to all pixels.",
            )
        ),
    ]


def lazy(task: generative.Task, inputs: dict[str, Any]) -> list[str]:
    """For `check_lazy_status` of a node with `inputs`, when it runs its generative method."""
    waiting = [name for name in ("model", "vae", "conditioning") if name in inputs and inputs[name] is None]
    return waiting or lazy_clip(task, inputs)


def lazy_clip(task: generative.Task, inputs: dict[str, Any]) -> list[str]:
    """For `check_lazy_status`: ask for the connected but lazy CLIP only if nothing else knows the prompt."""
    waiting = "clip" in inputs and inputs["clip"] is None
    return ["clip"] if waiting and inputs.get("conditioning") is None and not prompt_is_cached(task) else []


def _wording(task: generative.Task) -> str:
    return next(layout.prompt for layout in generative.LAYOUTS.values() if layout.task == task)


def positive(layout: generative.Layout, clip: Any, conditioning: Any) -> Any:
    """CONDITIONING with the layout's guidance: the given one, else from file, else from CLIP (which is then kept on file).

    Raises:
        ValueError: if there is none of the three.
    """
    path = _prompts_file()
    cached = generative.load_prompts(path).get(layout.prompt) if path is not None and conditioning is None else None
    if conditioning is not None:
        pass
    elif cached is not None:
        conditioning = [[cached.text.float(), {"pooled_output": cached.pooled.float()}]]
    elif clip is not None:
        clip = clip.clone()
        if hasattr(clip, "set_tokenizer_option"):
            clip.set_tokenizer_option("t5xxl_min_length", 512)  # the length that the adapters were trained with
        conditioning = clip.encode_from_tokens_scheduled(clip.tokenize(layout.prompt))
        prompt = generative.Prompt(conditioning[0][0], conditioning[0][1]["pooled_output"])
        generative.save_prompts(path or host.model_folder()[0] / generative.PROMPTS_FILE, {layout.prompt: prompt})
    else:
        raise ValueError(
            f"FLUX needs the prompt '{layout.prompt}'. Connect a CLIP (DualCLIPLoader, type flux): its result is kept in "
            f"models/refocus/{generative.PROMPTS_FILE} and no text encoder is loaded any more. Or connect a CONDITIONING."
        )
    return [[c, {"guidance": layout.guidance, **values}] for c, values in conditioning]


# --- model --------------------------------------------------------------------------------------------------------------


class Adapter(nn.Module):
    """The factors of a LoRA as a module, so that ComfyUI moves them with the model and counts their memory."""

    def __init__(self, lora: generative.Lora) -> None:
        super().__init__()
        self.name, self.metadata = lora.name, lora.metadata
        self.modules_in_order = list(lora.factors)
        flat = [t for name in self.modules_in_order for t in lora.factors[name]]
        self.tensors = nn.ParameterList(nn.Parameter(t, requires_grad=False) for t in flat)

    def lora(self) -> generative.Lora:
        """As the core takes it, wherever the tensors are now."""
        flat = list(self.tensors)
        return generative.Lora(
            {name: (flat[2 * i], flat[2 * i + 1]) for i, name in enumerate(self.modules_in_order)}, self.name, self.metadata
        )


def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """ComfyUI's attention, whichever the user has chosen."""
    heads = q.shape[2]
    return comfy.ldm.modules.attention.optimized_attention(
        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), heads, skip_reshape=True
    )


@dataclass
class _Guided:
    """The wrapper around FLUX's forward pass."""

    guide: generative.Guide
    adapter: Adapter
    progress: Progress | None = None

    def __call__(
        self,
        executor: Any,
        x: Tensor,
        timestep: Tensor,
        context: Tensor,
        y: Tensor | None = None,
        guidance: Tensor | None = None,
        ref_latents: Any = None,
        control: Any = None,
        transformer_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        if control is not None or ref_latents is not None:
            what = "ControlNet" if control is not None else "ReferenceLatent"
            raise ValueError(f"{what} cannot be combined with Genfocus: its adapter guides the model. Remove {what}.")
        options = transformer_options or {}
        if options.get("patches_replace", {}).get("dit") or any(options.get("patches", {}).values()):
            raise ValueError("A node before Genfocus changes how blocks of the model run, which would have no effect. Remove it.")
        if executor.idx + 1 < len(executor.wrappers):
            raise ValueError("A node after Genfocus wraps FLUX as well, which would have no effect. Put it before Genfocus.")
        if y is None:
            raise ValueError("The CONDITIONING has no pooled output of CLIP-L. Make it with DualCLIPLoader, type flux.")
        backbone = generative.bind_comfy(executor.class_obj, self.adapter.lora(), x, _attention)
        out = self.guide.velocity(
            backbone,
            generative.pack(x),
            text=context,
            pooled=y,
            timestep=timestep,
            guidance=guidance,
            progress=self.tile_done,
        )
        return generative.unpack(out, self.guide.rows, self.guide.columns)

    def make_room(self, executor: Any, model: Any, noise_shape: Any, conds: Any, *args: Any, **kwargs: Any) -> Any:
        """Around ComfyUI's estimate of the memory it needs, which knows nothing of condition tokens."""
        more = 1 + len(self.guide.conditions)
        return executor(model, [noise_shape[0] * more, *noise_shape[1:]], conds, *args, **kwargs)

    def tile_done(self, done: int, total: int) -> None:
        mm.throw_exception_if_processing_interrupted()
        if self.progress is not None:
            self.progress(done, total)


def patched(model: Any, guide: generative.Guide, adapter: Adapter) -> tuple[Any, _Guided]:
    """A clone of MODEL that denoises with the guide (in place of any other one), and its wrapper."""
    # A wrong model is named now, not while sampling.
    generative.bind_comfy(model.model.diffusion_model, adapter.lora(), torch.empty(0, device="meta"))
    m = model.clone()
    guided = _Guided(guide, adapter)
    for kind in (WrappersMP.DIFFUSION_MODEL, WrappersMP.PREPARE_SAMPLING):
        m.remove_wrappers_with_key(kind, _KEY)
    m.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, _KEY, guided)
    m.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, _KEY, guided.make_room)
    m.set_additional_models(
        _KEY, [comfy.model_patcher.ModelPatcher(adapter, load_device=m.load_device, offload_device=m.offload_device)]
    )

    class Sampling(comfy.model_sampling.ModelSamplingFlux, comfy.model_sampling.CONST):
        pass

    sampling = Sampling(model.model.model_config)
    sampling.set_parameters(shift=generative.shift(guide.tokens))
    m.add_object_patch("model_sampling", sampling)
    return m, guided


# --- pictures -----------------------------------------------------------------------------------------------------------


def _encode(vae: Any, picture: Tensor) -> Tensor:
    """[B,3,H,W] as the autoencoder takes it (-1..1 for photos) -> ComfyUI's latents."""
    return vae.encode(((picture + 1) / 2).movedim(1, -1))


def make_guide(
    model: Any,
    vae: Any,
    layout: generative.Layout,
    photo: Tensor,
    *,
    radius_px: Tensor | None = None,
    pre_deblurred: Tensor | None = None,
    tiling: generative.Tiling,
) -> generative.Guide:
    """Encode the conditions, frame by frame; see `Guide.of`."""

    def encode(picture: Tensor) -> Tensor:
        frames = [_encode(vae, picture[i : i + 1]) for i in range(picture.shape[0])]
        latents = model.model.process_latent_in(torch.cat(frames)).to(host.rest_device())
        if latents.ndim != 4 or latents.shape[1] != 16:
            raise ValueError(
                f"This VAE makes latents of the shape {list(latents.shape)}; FLUX.1 needs 16 channels. "
                "Load ae.safetensors of FLUX.1."
            )
        return latents

    guide = generative.Guide.of(layout, photo, encode, radius_px=radius_px, pre_deblurred=pre_deblurred, tiling=tiling)
    if (guide.rows * 16, guide.columns * 16) != tuple(generative.pad(photo[:1]).shape[-2:]):
        raise ValueError("This VAE does not shrink pictures by 8. Load ae.safetensors of FLUX.1.")
    return guide


def empty_latent(guide: generative.Guide) -> dict[str, Any]:
    """LATENT of the guide's size. `batch_index`: every frame starts from the same noise, whatever is beside it."""
    frames = guide.conditions[0].shape[0]
    samples = torch.zeros(frames, 16, 2 * guide.rows, 2 * guide.columns, device=host.rest_device())
    return {"samples": samples, "batch_index": [0] * frames}


@dataclass
class Flux:
    """What the generative methods of All In Focus and Reblur run on.

    Attributes:
        model, vae, clip, conditioning: values of ComfyUI's sockets; None where nothing is connected.
        lora: choice of `lora_choices`.
        steps, start_noise, megapixels, tiles_per_batch: widgets.
    """

    model: Any = None
    vae: Any = None
    clip: Any = None
    conditioning: Any = None
    lora: str = AUTO
    steps: int = 28
    start_noise: int = 42
    megapixels: float = 1.0
    tiles_per_batch: int = 4

    def _loaded(self, task: generative.Task, pre_deblurred: bool) -> tuple[Adapter, generative.Layout, Any]:
        for socket, value in (("model", self.model), ("vae", self.vae)):
            if value is None:
                raise ValueError(f"The generative method runs on FLUX.1-dev: connect {socket} (Load Diffusion Model, Load VAE).")
        lora = generative.load_lora(find_lora(self.lora, task))
        layout = lora.layout(task, pre_deblurred=pre_deblurred)
        return Adapter(lora), layout, positive(layout, self.clip, self.conditioning)

    def _sampler(self, task: generative.Task, pre_deblurred: bool, report: Progress) -> generative.Sample:
        """The adapter and prompt of a task, ready to run by ComfyUI's sampler."""
        loaded = self._loaded(task, pre_deblurred)
        return functools.partial(self._sample, loaded, report)

    def _sample(
        self,
        loaded: tuple[Adapter, generative.Layout, Any],
        report: Progress,
        photo: Tensor,
        *,
        radius_px: Tensor | None = None,
        pre_deblurred: Tensor | None = None,
        start: Tensor | None = None,
        change: Tensor | None = None,
        strength: float = 1.0,
    ) -> Tensor:
        """See `generative.Sample`."""
        adapter, layout, cond = loaded
        tiling = generative.Tiling(per_batch=self.tiles_per_batch)
        guide = make_guide(self.model, self.vae, layout, photo, radius_px=radius_px, pre_deblurred=pre_deblurred, tiling=tiling)
        model, guided = patched(self.model, guide, adapter)
        latent = empty_latent(guide)["samples"]
        noise = comfy.sample.prepare_noise(latent, self.start_noise, [0])
        if start is not None:
            latent = _encode(self.vae, generative.pad(start) * 2 - 1)
        mask = None if change is None else generative.pad(change[:, None])
        levels = generative.sigmas(self.steps, guide.tokens, strength)
        count = len(levels) - 1
        preview = latent_preview.get_previewer(model.load_device, model.model.latent_format)
        bar = comfy.utils.ProgressBar(count)
        at, tiles = 0, 1

        def tile(done: int, total: int) -> None:
            nonlocal tiles
            tiles = total
            report(at * total + done, count * total)

        def step_done(step: int, x0: Tensor, x: Tensor, total: int) -> None:
            nonlocal at
            at = step + 1
            shown = preview.decode_latent_to_preview_image("JPEG", x0) if preview else None
            bar.update_absolute(at * tiles, count * tiles, shown)

        guided.progress = tile
        samples = comfy.sample.sample(
            model,
            noise,
            self.steps,
            1.0,
            "euler",
            "simple",
            cond,
            cond,
            latent,
            sigmas=levels,
            noise_mask=mask,
            callback=step_done,
            disable_pbar=True,
            seed=self.start_noise,
        )
        picture = self.vae.decode(samples).movedim(-1, 1)[:, :3]
        height, width = photo.shape[-2:]
        return picture[..., :height, :width].to(photo).clamp(0, 1)

    def deblur(self, photo: Tensor, pre_deblurred: Tensor | None, strength: float, report: Progress) -> Tensor:
        """[B,3,H,W] sRGB -> the same, sharp everywhere."""
        sample = self._sampler("deblur", pre_deblurred is not None, report)
        return generative.deblur(
            photo, sample, megapixels=self.megapixels, pre_deblurred=pre_deblurred, strength=min(strength, 1.0)
        )

    def blur(self, photo: Tensor, defocus: DefocusMap, report: Progress) -> Tensor:
        """[B,3,H,W] sRGB, sharp -> blurred by the map; in focus the photo bit for bit."""
        sample = self._sampler("bokeh", False, report)
        return generative.blur(photo, defocus.radius_px, sample, megapixels=self.megapixels)

    def redraw(
        self, photo: Tensor, defocus: DefocusMap, render: Tensor, kernel: Any, strength: float, report: Progress
    ) -> Tensor:
        """Hybrid: the physical `render` [B,3,H,W] sRGB, with the background that it reveals redrawn by the model."""
        sample = self._sampler("bokeh", False, report)
        revealed = generative.revealed_mask(bokeh.revealed(defocus, kernel))
        return generative.redraw(
            photo, defocus.radius_px, render, revealed, sample, strength=strength, megapixels=self.megapixels
        )
