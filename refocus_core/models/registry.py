"""The models that can be run here. Adding one is one entry, and one test in the room of its task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .record import ModelEntry, ModelFile, Task


def _depth_anything(hidden: int, heads: int, layers: int, out: list[int], neck: list[int], fusion: int) -> dict[str, Any]:
    """Architecture of Depth Anything V2 (a DINOv2 backbone under a DPT head) in the words of transformers' config.json."""
    return {
        "model_type": "depth_anything",
        "reassemble_hidden_size": hidden,
        "neck_hidden_sizes": neck,
        "fusion_hidden_size": fusion,
        "backbone_config": {
            "model_type": "dinov2",
            "image_size": 518,
            "patch_size": 14,
            "hidden_size": hidden,
            "num_attention_heads": heads,
            "num_hidden_layers": layers,
            "out_indices": out,
            "apply_layernorm": True,
            "reshape_hidden_states": False,
        },
    }


_DEPTH_PRO_ENCODER = {
    "model_type": "dinov2",
    "num_hidden_layers": 24,
    "patch_size": 16,
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "image_size": 384,
    "use_mask_token": False,
}
"""Architecture of each of Depth Pro's three encoders, in the words of transformers' config.json."""

_RELATIVE = "Relative depth. Sees the picture with its short side at 518 px."
"""What people should know of every Depth Anything V2."""

# Sizes and hashes of Small and Large are pinned independently by several public projects that load these revisions. They are None
# where no such statement was found; a download is then checked against the hash that the hub states for the file.
ENTRIES = (
    ModelEntry(
        name="depth-anything-v2-small",
        label="Depth Anything V2 Small",
        files=(
            ModelFile(
                "depth_anything_v2_small.safetensors",
                bytes=99_173_660,
                sha256="3152477ce0d8d6978d76b995120de97cb5b928701fd0f817769f59e249a16b70",
                repo_id="depth-anything/Depth-Anything-V2-Small-hf",
                revision="5426e4f0f36572d16453bbda7a8389317b1bef99",
            ),
        ),
        licence="Apache-2.0",
        url="https://huggingface.co/depth-anything/Depth-Anything-V2-Small-hf",
        task="depth",
        notes=f"{_RELATIVE} Fast, also on a CPU; free for any use.",
        options=_depth_anything(384, 6, 12, [3, 6, 9, 12], [48, 96, 192, 384], 64),
    ),
    ModelEntry(
        name="depth-anything-v2-base",
        label="Depth Anything V2 Base",
        files=(
            ModelFile(
                "depth_anything_v2_base.safetensors",
                repo_id="depth-anything/Depth-Anything-V2-Base-hf",
                revision="b1958afc87fb45a9e3746cb387596094de553ed8",
                about_mb=390,
            ),
        ),
        licence="CC-BY-NC-4.0 (no commercial use)",
        url="https://huggingface.co/depth-anything/Depth-Anything-V2-Base-hf",
        task="depth",
        notes=_RELATIVE,
        options=_depth_anything(768, 12, 12, [3, 6, 9, 12], [96, 192, 384, 768], 128),
    ),
    ModelEntry(
        name="depth-anything-v2-large",
        label="Depth Anything V2 Large",
        files=(
            ModelFile(
                "depth_anything_v2_large.safetensors",
                bytes=1_341_322_868,
                sha256="4e01e34ed5549b529b70b92d53226bc370f03041977b390d3dde45d47f516cf9",
                repo_id="depth-anything/Depth-Anything-V2-Large-hf",
                revision="7581137eff8d4e94f6e796d3baea0e9fa79b22d2",
            ),
        ),
        licence="CC-BY-NC-4.0 (no commercial use)",
        url="https://huggingface.co/depth-anything/Depth-Anything-V2-Large-hf",
        task="depth",
        notes=_RELATIVE,
        options=_depth_anything(1024, 16, 24, [5, 12, 18, 24], [256, 512, 1024, 1024], 256),
    ),
    ModelEntry(
        name="depth-pro",
        label="Depth Pro",
        files=(ModelFile("depth_pro.safetensors", repo_id="apple/DepthPro-hf", about_mb=1904),),
        licence="Apple (contradictory: the code on GitHub has Apple's sample-code terms, the hub says apple-amlr, research only)",
        url="https://huggingface.co/apple/DepthPro-hf",
        task="depth",
        notes="Metres and focal length. Sharp edges. Heavy: minutes per picture on a CPU.",
        options={
            "model_type": "depth_pro",
            "use_fov_model": True,
            "image_model_config": _DEPTH_PRO_ENCODER,
            "patch_model_config": _DEPTH_PRO_ENCODER,
            "fov_model_config": _DEPTH_PRO_ENCODER,
        },
    ),
    ModelEntry(
        name="refocus-depth-s",
        label="Refocus Depth S",
        files=(
            ModelFile(
                "refocus_depth_s.safetensors",
                bytes=15_174_968,
                sha256="e6aeb06c13955f0a2c3c58a16a29c3a567b4958b4533447dc1462bc160b33a0c",
                shipped="depth/weights/refocus_depth_s.safetensors",
            ),
        ),
        licence="Apache-2.0",
        url="docs/models/refocus-depth-s.md",
        task="depth",
        notes="Relative depth, ships with Refocus: no download. Small and quick; the larger models are better.",
        options={"model_type": "refocus_depth", "blocks": 9, "taps": [3, 6, 9]},
    ),
    ModelEntry(
        name="refocus-deblur-s",
        label="Refocus Deblur S",
        files=(
            ModelFile(
                "refocus_deblur_s.safetensors",
                bytes=2_443_660,
                sha256="d918d2138572a9d284ab8ce40ed4d39e40e0604b326441c8bc40faa32ad0a540",
                shipped="restore/weights/refocus_deblur_s.safetensors",
            ),
        ),
        licence="Apache-2.0",
        url="docs/models/refocus-deblur-s.md",
        task="deblur",
        notes="Finds the blur by itself, ships with Refocus: no download. Little beyond about 5 px.",
    ),
)
"""Every model, in the order in which people see them."""


def models_for(task: Task) -> Mapping[str, ModelEntry]:
    """The registered models of a task by name, in the order of the registry."""
    return {e.name: e for e in ENTRIES if e.task == task}
