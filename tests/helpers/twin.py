"""What a graph should give, computed with refocus_core alone.

Written from the nodes' inputs as the page describes them, not from the nodes' code. Values that come from other nodes (pictures,
Depth Anything 3, a sampler) are taken from the server through ProbeSave.
"""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageSequence
from safetensors import safe_open
from torch import Tensor

from refocus_core import bokeh, color, defocus, depth, restore
from refocus_core.files import pictures, stored_depth
from refocus_core.optics import SENSORS_MM, Blur, Gain, Strength
from refocus_core.types import DefocusMap
from tests.helpers import rig

VIDEOS = ("LoadVideo", "CreateVideo")
"""Core nodes whose value is no tensor."""


def probed(graph: rig.Graph, *outputs: tuple[str, int]) -> rig.Graph:
    """The graph, with a ProbeSave at every value that one of our nodes takes from another pack's, and at `outputs`."""
    wanted = {
        tuple(value)
        for node in graph.values()
        if node["class_type"] in rig.NODE_IDS
        for value in node["inputs"].values()
        if isinstance(value, list) and graph[value[0]]["class_type"] not in (*rig.NODE_IDS, *VIDEOS)
    }
    extended = dict(graph)
    for node, slot in sorted(wanted | set(outputs)):
        inputs = {"value": [node, slot], "name": f"probe_{node}_{slot}"}
        extended[f"probe_{node}_{slot}"] = {"class_type": "ProbeSave", "inputs": inputs}
    return extended


def read_probe(server: rig.Server, node: str, slot: int = 0) -> Any:
    """A value that ProbeSave wrote: a tensor, or a dict of tensors and plain values."""
    with safe_open(server.base / "output" / f"probe_{node}_{slot}.safetensors", "pt") as file:
        found: dict[str, Any] = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 - not a dict
        found |= json.loads((file.metadata() or {}).get("rest", "{}"))
    return found["value"] if set(found) == {"value"} else found


def saved(server: rig.Server, run: rig.Run, node: str) -> Tensor:
    """The pictures or frames that a node saved or showed as a preview: [B,3,H,W] in 0..1, 8 bits."""
    files = [Image.open(io.BytesIO(server.view(image))) for image in run.ui(node)["images"]]
    frames = [frame.convert("RGB") for file in files for frame in ImageSequence.Iterator(file)]
    arrays = [np.asarray(frame, np.float32) / 255 for frame in frames]
    return torch.from_numpy(np.stack(arrays)).movedim(-1, 1)


class Twin:
    """Evaluates our nodes of an API-form graph."""

    def __init__(self, server: rig.Server, graph: rig.Graph) -> None:
        self.server, self.graph = server, graph
        self.done: dict[str, tuple[Any, ...]] = {}

    def value(self, link: list[Any] | None) -> Any:
        """The value behind a link [node, output]."""
        if link is None:
            return None
        node, slot = link
        if self.graph[node]["class_type"] not in rig.NODE_IDS:
            return read_probe(self.server, node, slot)
        if node not in self.done:
            kind = self.graph[node]["class_type"].removeprefix("Refocus")
            self.done[node] = getattr(self, kind)(self.graph[node]["inputs"])
        return self.done[node][slot]

    def picture(self, link: list[Any] | None) -> Tensor | None:
        """The picture behind a link as [B,3,H,W]."""
        found = self.value(link)
        if found is None:
            return None
        return found if link and self.graph[link[0]]["class_type"] in rig.NODE_IDS else found[..., :3].movedim(-1, 1).contiguous()

    def LoadPhoto(self, i: dict[str, Any]) -> tuple[Any, ...]:  # noqa: N802 - the node's name
        path = self.server.base / "input" / i["image"]
        photo = pictures.load(path)
        stored = stored_depth.read_stored_depth(path, photo.camera)
        assert stored is not None
        guided = depth.refine(depth.fit(stored, photo.image), photo.image, strength=i["refine"])
        return photo.image, None, photo.camera, None, guided

    def DepthEstimate(self, i: dict[str, Any]) -> tuple[Any, ...]:  # noqa: N802
        photo = self.picture(i["image"])
        assert photo is not None
        metric = {"auto": None, "metres": True, "relative": False}[i["geometry_units"]]
        focal = i["focal_px"] or None
        if "da3_geometry" in i:
            found = depth.from_da3(self.value(i["da3_geometry"]), focal, metric=metric, resolution=i["da3_resolution"])
        elif "moge_geometry" in i:
            found = depth.from_moge(self.value(i["moge_geometry"]), focal, metric=metric)
        elif "depth_image" in i:
            found = depth.from_image(
                self.picture(i["depth_image"]),
                i["depth_kind"],
                None if i["depth_near"] == "auto" else i["depth_near"],
                near_m=i["near_m"] or None,
                far_m=i["far_m"] or None,
            )
        else:
            net = depth.load_model(self.server.base / "elsewhere" / "depth" / i["model"])
            found = depth.predict(net, photo, steady_frames=i["steady_frames"])
        if "depth_image" not in i:
            found = depth.in_metres(found, i["near_m"] or None, i["far_m"] or None)
        return (depth.refine(depth.fit(found, photo), photo, strength=i["refine"]),)

    def AdjustDepth(self, i: dict[str, Any]) -> tuple[Any, ...]:  # noqa: N802
        at = {
            "point": depth.At(point=(i["x"], i["y"])),
            "level": depth.At(level=i["level"]),
            "distance": depth.At(distance_m=i["distance_m"]),
        }[i["target"]]
        area = depth.Area(self.value(i["mask"]), i["action"], i["amount"], at, i["feather"]) if "mask" in i else None
        tones = {name: i[name] for name in ("invert", "far_limit", "near_limit", "gamma", "smooth")}
        made = depth.adjust(self.value(i["depth"]), image_srgb=self.picture(i.get("image")), area=area, **tones)
        return made, depth.isolate(made, at, tolerance=i["tolerance"], softness=i["softness"])

    def DepthToImage(self, i: dict[str, Any]) -> tuple[Any, ...]:  # noqa: N802
        found = self.value(i["depth"])
        return depth.to_image(found, i["values"], farthest_m=i["farthest_m"] or math.inf), depth.known_mask(found)

    def DepthMatte(self, i: dict[str, Any]) -> tuple[Any, ...]:  # noqa: N802
        photo, found = self.picture(i["image"]), self.value(i["depth"])
        if i["select"] == "point":
            limits = bokeh.around(found, defocus.focus_disparity(found, defocus.FocusPoint(i["x"], i["y"])), i["tolerance"])
        else:
            limits = bokeh.between(found, i["near"], i["far"])
        cut = bokeh.depth_matte(color.srgb_to_linear(photo), found, *limits, softness=i["softness"])
        foreground, background = color.linear_to_srgb(cut.foreground), color.linear_to_srgb(cut.background)
        return cut.coverage, torch.cat([foreground, cut.coverage[:, None]], 1), background

    def DefocusFromImage(self, i: dict[str, Any]) -> tuple[Any, ...]:  # noqa: N802
        encoding = defocus.Encoding(**{name: i[name] for name in ("signs", "measure", "unit", "white", "above")})
        point = defocus.FocusPoint(i["x"], i["y"]) if i["signs"] == "unsigned" and i["focus"] == "point" else None
        values = self.picture(i["image"]) if "image" in i else self.value(i["mask"])
        return (defocus.from_image(values, encoding, depth_map=self.value(i.get("depth")), focus=point),)

    def DefocusToImage(self, i: dict[str, Any]) -> tuple[Any, ...]:  # noqa: N802
        given = {name: i[name] for name in ("signs", "measure", "unit", "above")}
        return defocus.to_image(
            self.value(i["defocus"]), defocus.Encoding(white=i["white"] or 1.0, **given), fill_range=i["white"] == 0
        )

    def DefocusMap(self, i: dict[str, Any]) -> tuple[Any, ...]:  # noqa: N802
        focuses = {
            "auto": lambda: (
                defocus.FocusMask(self.value(i["focus_mask"]))
                if "focus_mask" in i
                else defocus.FocusAuto(photo=self.picture(i.get("image")))
            ),
            "point": lambda: defocus.FocusPoint(i["x"], i["y"], i["focus_radius"]),
            "mask": lambda: defocus.FocusMask(self.value(i["focus_mask"])),
            "distance": lambda: defocus.FocusDistance(i["distance_m"]),
            "two points": lambda: defocus.FocusBetween(
                defocus.FocusPoint(i["x"], i["y"], i["focus_radius"]), defocus.FocusPoint(i["x2"], i["y2"], i["focus_radius"])
            ),
        }
        camera, depth_map = self.value(i.get("lens")), self.value(i["depth"])
        if i["focus"] == "distance" and not i["distance_m"]:
            where = defocus.FocusDistance(camera.subject_m)
        else:
            where = focuses[i["focus"]]()
        lens: Strength = Gain(i["genfocus_k"]) if i["strength"] == "K of Genfocus" else Blur(i["percent"])
        if i["strength"] == "camera":
            lens = defocus.lens_for(depth_map, i["f_number"], i["focal_mm"] or None, SENSORS_MM[i["sensor"]], camera)
        made = defocus.from_lens(
            depth_map,
            lens,
            where,
            focus_range=i["focus_range"],
            tilt=defocus.Tilt(i["tilt_deg"], i["swing_deg"], i["x"], i["y"]) if i["focus"] == "point" else None,
            field_curvature=i.get("field_curvature", 0.0),
            breathing=i.get("breathing", 0.0) if i["strength"] == "camera" else 0.0,
            near_gain=i["near_gain"],
            far_gain=i["far_gain"],
            keyframes=defocus.parse_keyframes(i.get("keyframes", "")),
        )
        if "blur_mask" in i:
            made = defocus.painted(made, self.value(i["blur_mask"]), i["mask_blur"])
        return made, None, made.in_focus()

    def AllInFocus(self, i: dict[str, Any]) -> tuple[Any, ...]:  # noqa: N802
        photo, options = self.picture(i["image"]), {"strength": i["strength"], "tile_px": i["tile_px"]}
        if i["method"].startswith("model:"):
            path = self.server.base / "elsewhere" / "restore" / i["method"].removeprefix("model:")
            return (restore.all_in_focus(photo, i["method"], model=restore.load_model(path), **options).image,)
        defocus_map, kernel = self.value(i.get("defocus")), self.value(i.get("kernel"))
        made = restore.all_in_focus(photo, i["method"], defocus_map, kernel=kernel, noise=i["noise"] or None, **options)
        return made.image, None if made.radius_px is None else DefocusMap.from_radius(made.radius_px)

    def BokehKernel(self, i: dict[str, Any]) -> tuple[Any, ...]:  # noqa: N802
        if i["preset"] != "none":
            return (bokeh.PRESETS[i["preset"]].kernel(),)
        of_lens = ("squeeze", "spherical", "fringe", "onion", "cat_eye", "swirl", "coma", "barn_doors")
        lens = bokeh.ApertureSettings(**{k: i[k] for k in of_lens if i["field"] or k not in of_lens[4:]})
        if i["shape"] == "image":
            linear = color.srgb_to_linear(self.picture(i["aperture_image"])[:1])
            raster = linear[0] if i["color"] else color.luminance(linear)[0]
            return (lens.drawn(bokeh.kernel_from_image(raster, softness=i["softness"], center=i["center"])),)
        names = ("blades", "curvature", "rotation_deg", "inner", "points", "softness")
        return (lens.drawn(bokeh.make_kernel(i["shape"], **{k: i[k] for k in names})),)

    def Reblur(self, i: dict[str, Any]) -> tuple[Any, ...]:  # noqa: N802
        defocus_map = self.value(i["defocus"])
        light, in_focus = color.srgb_to_linear(self.picture(i["image"])), i["recover_in_focus"]
        linear = bokeh.render(
            bokeh.recover_highlights(light, defocus_map.radius_px, i["highlight_recovery"], in_focus=in_focus),
            defocus_map,
            self.value(i.get("kernel")),
            quality=i["quality"],
            highlight_boost=i["highlight_boost"],
        )
        result = color.linear_to_srgb(linear)
        defocus_map, result, _ = defocus.imaged(defocus_map, result)
        if i["glass"]:
            result = bokeh.bloomed(bokeh.with_lateral_colour(result, i["lateral_color"]), i["bloom"])
        grained = bokeh.put_grain_back(result, self.picture(i.get("photo") or i["image"]), defocus_map.radius_px, i["grain"])
        return color.exposed(grained, i["exposure"]), defocus_map.in_focus()
