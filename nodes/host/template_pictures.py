"""The pictures and the clip of the example graphs, brought into ComfyUI's input folder.

Load Image and Load Video take files from the input folder alone, and the page shows and edits only those. So each one that a
graph of `workflows` names is copied there when ComfyUI starts, and the graph runs as it opens. A file that is there already
stays as it is, whoever made it.
"""

from __future__ import annotations

import functools
import logging
import shutil
from pathlib import Path

import folder_paths

from ...refocus_core.files.output import write_whole

log = logging.getLogger(__name__)

PREFIX = "refocus_"
"""Before each name in the input folder: says where the file comes from, and keeps clear of the user's own."""
PICTURES = (
    "aperture_cat.png",
    "bee.jpg",
    "city_lights.jpg",
    "city_lights_depth.png",
    "coffee.png",
    "distraction.png",
    "friends.jpg",
    "life.jpg",
    "mend_depth.png",
    "missed_focus.jpg",
    "motorcycle.png",
    "motorcycle_near_bright.png",
    "motorcycle_pan.mp4",
    "phone_photo.jpg",
    "portrait.png",
    "small_subject.png",
    "wine.jpg",
)
"""Files of `tests/data` that the graphs use; the registry's archive has no others of that folder."""
_SOURCE = Path(__file__).resolve().parents[2] / "tests" / "data"
"""Where they lie in the pack."""


def bring_examples() -> None:
    """Copy the pictures that the input folder lacks. Where it cannot be written to, a warning says so and all else works."""
    folder = Path(folder_paths.get_input_directory())
    missing = [name for name in PICTURES if not (folder / f"{PREFIX}{name}").exists()]
    if not missing:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in missing:
            with (_SOURCE / name).open("rb") as picture:
                write_whole(folder / f"{PREFIX}{name}", functools.partial(shutil.copyfileobj, picture))
    except OSError as error:
        log.warning("Refocus: the pictures of its templates could not be copied into %s: %s", folder, error)
    else:
        log.info("Refocus: copied %d pictures of its templates into %s as %s*", len(missing), folder, PREFIX)
