"""Every option that a person can set, described once.

Node schemas (nodes/host/schema.py), the command line (cli/parser.py) and the tables at the end of the help pages (web/docs) are
built from these records; the page reads limits and defaults from the node. Other languages lie in locales/, keyed by node and
name. A new option is one record, its place in the `OPTIONS` of its file, and a parameter of the node's `execute`.

Nothing here imports torch: the command line's help must not wait for it.
"""

from collections.abc import Mapping

from . import adjustment, aperture, blur, defocus, depth, genfocus, interchange, matte, photo, restore, video
from .records import Choice, Number, Option, Switch, Text

NODES: Mapping[str, tuple[Option, ...]] = {
    "RefocusLoadPhoto": photo.OPTIONS,
    "RefocusDepthEstimate": depth.OPTIONS,
    "RefocusAdjustDepth": adjustment.OPTIONS,
    "RefocusDepthToImage": interchange.DEPTH_TO_IMAGE,
    "RefocusDefocusMap": defocus.OPTIONS,
    "RefocusDefocusFromImage": interchange.DEFOCUS_FROM_IMAGE,
    "RefocusDefocusToImage": interchange.DEFOCUS_TO_IMAGE,
    "RefocusAllInFocus": restore.OPTIONS,
    "RefocusReblur": blur.OPTIONS,
    "RefocusBokehKernel": aperture.OPTIONS,
    "RefocusDepthMatte": matte.OPTIONS,
    "RefocusVideo": video.OPTIONS,
    "RefocusGenfocusSetup": genfocus.SETUP,
    "RefocusGenfocusApply": genfocus.APPLY,
}
"""Node id -> its options, in the order in which the node shows them."""

__all__ = [
    "NODES",
    "Choice",
    "Number",
    "Option",
    "Switch",
    "Text",
    "adjustment",
    "aperture",
    "blur",
    "defocus",
    "depth",
    "genfocus",
    "interchange",
    "matte",
    "photo",
    "restore",
    "video",
]
