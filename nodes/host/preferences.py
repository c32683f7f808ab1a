"""What a person has chosen in ComfyUI's settings, from the file in which ComfyUI keeps them for its page.

The page registers the settings (web_src/src/main.ts); what differs from their defaults is in `default/comfy.settings.json` of
the user folder. With --multi-user the settings of the user `default` count, as ComfyUI tells no node who runs it.
"""

from __future__ import annotations

import functools
import json
import logging
from pathlib import Path

import folder_paths

log = logging.getLogger(__name__)

FIRST_FRAME, EVERY_FRAME, NO_FRAME = "first frame", "every frame", "none"
"""Which frames of a clip the nodes show, in the words of the page."""
PREVIEWS = "Refocus.Previews"
"""The setting that says it."""


def previews() -> str:
    """`FIRST_FRAME` (where nothing is chosen), `EVERY_FRAME` or `NO_FRAME`."""
    file = Path(folder_paths.get_user_directory()) / "default" / "comfy.settings.json"
    try:
        state = file.stat()
    except OSError:
        return FIRST_FRAME  # nobody has changed a setting
    return _previews(file, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=1)
def _previews(file: Path, _changed_ns: int, _bytes: int) -> str:
    """`previews` of one state of the file, which is read once and complained of once."""
    try:
        chosen = json.loads(file.read_text(encoding="utf-8")).get(PREVIEWS, FIRST_FRAME)
    except (OSError, ValueError, AttributeError) as error:
        log.warning("Refocus: ComfyUI's settings in %s cannot be read, so nodes show the first frame: %s", file, error)
        return FIRST_FRAME
    if chosen not in (FIRST_FRAME, EVERY_FRAME, NO_FRAME):
        log.warning("Refocus: %s in %s is %r, which nodes do not know; they show the first frame.", PREVIEWS, file, chosen)
        return FIRST_FRAME
    return chosen
