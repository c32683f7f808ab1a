"""A custom-node pack for the tests only: looks into the running server and feeds it what no core node makes.

ProbeSave   writes any socket's exact value to the output folder (safetensors; fields that are no tensors as metadata)
ProbeImage  an IMAGE of a given size and content, NaN and highlights included
/probe/models   which torch modules are alive in the process
"""

import dataclasses
import gc
import json
import os

import comfy.model_management
import folder_paths
import server
import torch
from aiohttp import web
from safetensors.torch import save_file


def _tensors(value):
    if isinstance(value, torch.Tensor):
        return {"value": value}, {}
    if isinstance(value, float):
        return {"value": torch.tensor(value, dtype=torch.float64)}, {}
    items = value if isinstance(value, dict) else {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    tensors = {k: v for k, v in items.items() if isinstance(v, torch.Tensor)}
    return tensors, {k: v for k, v in items.items() if k not in tensors}


class ProbeSave:
    INPUT_TYPES = classmethod(lambda cls: {"required": {"value": ("*",), "name": ("STRING",)}})
    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "save"
    CATEGORY = "probe"

    @classmethod
    def IS_CHANGED(cls, **kwargs):  # noqa: N802 - ComfyUI's name
        return float("nan")

    def save(self, value, name):
        tensors, rest = _tensors(value)
        path = os.path.join(folder_paths.get_output_directory(), name + ".safetensors")
        plain = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        save_file(plain, path, {"rest": json.dumps(rest, default=str)})
        return {}


class ProbeImage:
    INPUT_TYPES = classmethod(
        lambda cls: {
            "required": {
                "content": (["noise", "nan", "highlight", "disc", "endless"],),
                "width": ("INT", {"default": 64}),
                "height": ("INT", {"default": 64}),
                "batch": ("INT", {"default": 1}),
                "channels": ("INT", {"default": 3}),
                "seed": ("INT", {"default": 0}),
            }
        }
    )
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "make"
    CATEGORY = "probe"

    def make(self, content, width, height, batch, channels, seed):
        if content == "endless":  # one value that stands for more of them than any memory holds
            return (torch.full((1, 1, 1, 1), 0.5).expand(batch, height, width, channels),)
        image = torch.rand((batch, height, width, channels), generator=torch.Generator().manual_seed(seed))
        if content == "nan":
            image[:, height // 2, width // 2] = float("nan")
        if content == "highlight":
            image[:, height // 2, width // 2] = 4.0
        if content == "disc":  # a grey disc before a sloping ground, at another height in every frame
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            for k in range(batch):
                inside = (x - width / 2) ** 2 + (y - height * (k + 1) / (batch + 1)) ** 2 < (height / 4) ** 2
                image[k] = torch.where(inside, 0.9, 0.1 + 0.3 * y / height)[..., None]
        return (image,)


@server.PromptServer.instance.routes.get("/probe/models")
async def models(request):
    gc.collect()
    alive = [o for o in gc.get_objects() if isinstance(o, torch.nn.Module)]
    return web.json_response(
        {
            "classes": sorted({type(o).__name__ for o in alive}),
            "loaded": [type(m.model.model).__name__ for m in comfy.model_management.current_loaded_models],
        }
    )


NODE_CLASS_MAPPINGS = {"ProbeSave": ProbeSave, "ProbeImage": ProbeImage}
