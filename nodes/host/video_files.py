"""Core's VIDEO as a file on the disk, and a file as VIDEO: no frame is held."""

from __future__ import annotations

import inspect
import os
import shutil
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import InputImpl

from ...refocus_core.files import clips
from ...refocus_core.files.formats import PictureError
from . import preferences

_ENDINGS = (".mp4", ".mkv")
"""Containers of what is written, the one that plays everywhere first; the last one holds any sound."""

_CRF = 12.0
"""Constant rate factor of H.264 for what is only read again. A smaller one loses less, in a larger file."""


@contextmanager
def video_source(video: Any) -> Generator[Path]:
    """The file of a VIDEO; what is in memory or trimmed is written to a temporary one, which goes with the block.

    Raises:
        ValueError: in place of the block's PictureError, with the name of the input.
    """
    made = isinstance(video, InputImpl.VideoFromComponents) or _is_trimmed(video)
    source = None if made else video.get_stream_source()
    own = None if isinstance(source, (str, os.PathLike)) else _unique(".mp4")
    try:
        if own is not None:
            _write(video, source, own)
        yield own or Path(source)
    except PictureError as error:
        raise ValueError(f"video: {error}") from error
    finally:
        if own is not None:
            own.unlink(missing_ok=True)


def _is_trimmed(video: Any) -> bool:
    """Whether a part of the file is meant; yes where this ComfyUI does not say."""
    window = getattr(video, "get_active_trim_window", None)
    return window is None or any(window())


def _write(video: Any, source: Any, target: Path) -> None:
    """A stream as it is; frames, and a part of a file, as finely as this ComfyUI can be asked for."""
    if source is not None:
        with target.open("wb") as file:
            shutil.copyfileobj(source, file)
        return
    known = inspect.signature(video.save_to).parameters
    video.save_to(str(target), **({"crf": _CRF} if "crf" in known else {}))


def video_target(source: Path) -> Path:
    """Where a clip with the sound of `source` can be written: a name in the temporary folder, which ComfyUI empties at its start.

    Raises:
        PictureError, ImportError: as `clips.check_clip_output`.
    """
    for ending in _ENDINGS[:-1]:
        target = _unique(ending)
        if clips.holds_sound(source, target):
            break
    else:
        target = _unique(_ENDINGS[-1])
    clips.check_clip_output(source, target)
    return target


def _unique(ending: str) -> Path:
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"refocus_{uuid.uuid4().hex}{ending}"


def to_video(file: Path) -> Any:
    """VIDEO of a file."""
    return InputImpl.VideoFromFile(str(file))


def shown_video(file: Path) -> dict[str, Any]:
    """`ui` with a clip of the temporary folder, which the page plays on the node; nothing where the person chose no previews."""
    if preferences.previews() == preferences.NO_FRAME:
        return {}
    return {"images": [{"filename": file.name, "subfolder": "", "type": "temp"}], "animated": (True,)}
