"""A Genfocus adapter and its guide on a clone of ComfyUI's FLUX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.ldm.modules.attention
import comfy.model_management as mm
import comfy.model_patcher
import comfy.model_sampling
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor, nn

from ...refocus_core import generative
from ...refocus_core.types import Progress

KEY = "refocus_genfocus"
"""Names our wrappers and additional models on a MODEL, so that a second guide replaces the first."""


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
class Guided:
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


def patched(model: Any, guide: generative.Guide, adapter: Adapter) -> tuple[Any, Guided]:
    """A clone of MODEL that denoises with the guide (in place of any other one), and its wrapper."""
    # A wrong model is named now, not while sampling.
    generative.bind_comfy(model.model.diffusion_model, adapter.lora(), torch.empty(0, device="meta"))
    m = model.clone()
    guided = Guided(guide, adapter)
    for kind in (WrappersMP.DIFFUSION_MODEL, WrappersMP.PREPARE_SAMPLING):
        m.remove_wrappers_with_key(kind, KEY)
    m.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, guided)
    m.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, KEY, guided.make_room)
    m.set_additional_models(
        KEY, [comfy.model_patcher.ModelPatcher(adapter, load_device=m.load_device, offload_device=m.offload_device)]
    )

    class Sampling(comfy.model_sampling.ModelSamplingFlux, comfy.model_sampling.CONST):
        pass

    sampling = Sampling(model.model.model_config)
    sampling.set_parameters(shift=generative.shift(guide.tokens))
    m.add_object_patch("model_sampling", sampling)
    return m, guided
