"""Refocus, a ComfyUI node pack. ComfyUI imports this folder and calls `comfy_entrypoint`.

Nothing is imported here at the top: test tools import every `__init__.py` on their way, and ComfyUI is not there for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> ComfyExtension:
    """The V3 extension. There is no NODE_CLASS_MAPPINGS on purpose: ComfyUI would take that and ignore this function."""
    from .nodes import RefocusExtension
    from .nodes.host import bring_examples

    bring_examples()  # not in on_load, which ComfyUI 0.3.64 does not call
    return RefocusExtension()
