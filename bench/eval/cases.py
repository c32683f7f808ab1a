"""What to evaluate on: our own folder layout, and the layouts of public data sets as their authors publish them.

Our layout, for any pictures:

    FOLDER/input/NAME.png       deblur: the blurred photo; bokeh: the sharp one; refocus: as taken
    FOLDER/target/NAME.png      what the method should make
    FOLDER/depth/NAME.npy       disparity, larger = nearer, and depth.json with {"metric": true or false}   (bokeh, refocus)
    FOLDER/masks/NAME.png       what is in focus in the target                                              (bokeh, refocus)
    FOLDER/cases.json           {"NAME": {"focus": [x, y] | disparity, "gain_px": K, "group": "scene"}}     (optional)

K is in px per unit of disparity at the picture's own size; where it is not given it is searched. Endings may differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from refocus_core.files.pictures import MAP_SUFFIXES
from refocus_core.train.genfocus.photo_folder import DEPTH_FILE

Task = Literal["deblur", "bokeh", "refocus"]
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".exr")
"""Suffixes of what counts as a picture."""


@dataclass(frozen=True)
class Case:
    """One picture and its truth.

    Attributes:
        name: unique in its set.
        task: what is to be done.
        input, target: files.
        depth: file of the disparity (or of depth, see `depth_kind`), or None to estimate it.
        depth_kind: "disparity" as it is, or "depth_m" whose reciprocal is taken.
        metric: whether the disparity is in 1/m.
        focus: point (x, y) in 0..1, a disparity, a mask file, or None to find it in the target.
        gain_px: K at the picture's size, or None to search it.
        group: scene; pictures of one scene differ in aperture or focus only.
    """

    name: str
    task: Task
    input: Path
    target: Path
    depth: Path | None = None
    depth_kind: Literal["disparity", "depth_m"] = "disparity"
    metric: bool = False
    focus: tuple[float, float] | float | Path | None = None
    gain_px: float | None = None
    group: str = ""


class LayoutError(ValueError):
    """A folder is not laid out as expected; the message says how it should be."""


def _folder(root: Path, *choices: str) -> Path:
    for choice in choices:
        if (root / choice).is_dir():
            return root / choice
    raise LayoutError(f"{root} has none of the folders {', '.join(choices)}.")


def _pictures(folder: Path) -> dict[str, Path]:
    found = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in PICTURES}
    if not found:
        raise LayoutError(f"{folder} holds no picture.")
    return found


def _pairs(inputs: Path, targets: Path, task: Task, name: Callable[[str], str] = lambda n: n) -> list[Case]:
    """Pictures of two folders by name; `name` maps that of an input to that of its target.

    Raises:
        LayoutError: if one has no counterpart.
    """
    sources, truths = _pictures(inputs), _pictures(targets)
    missing = [n for n in sources if name(n) not in truths]
    if missing:
        raise LayoutError(f"{len(missing)} picture(s) of {inputs} have no counterpart in {targets}; the first is {missing[0]}.")
    return [Case(n, task, path, truths[name(n)]) for n, path in sources.items()]


def _beside(folder: Path, stem: str, suffixes: tuple[str, ...]) -> Path | None:
    return next((p for s in suffixes if (p := folder / (stem + s)).is_file()), None)


def ours(root: Path, task: Task) -> list[Case]:
    """See the module's docstring."""
    extra: dict[str, dict[str, Any]] = {}
    if (root / "cases.json").is_file():
        extra = json.loads((root / "cases.json").read_text())
    note = root / "depth" / DEPTH_FILE
    metric = bool(json.loads(note.read_text())["metric"]) if note.is_file() else False
    out: list[Case] = []
    for case in _pairs(_folder(root, "input"), _folder(root, "target"), task):
        known = extra.get(case.name, {})
        unknown = known.keys() - {"focus", "gain_px", "group"}
        if unknown:
            raise LayoutError(f"{root / 'cases.json'}: {case.name} has unknown entries {', '.join(sorted(unknown))}.")
        focus = known.get("focus", _beside(root / "masks", case.name, PICTURES))
        depth = _beside(root / "depth", case.name, MAP_SUFFIXES)
        if depth is not None and not note.is_file():
            raise LayoutError(f'{note} is missing: {{"metric": true}} for disparity in 1/m, else false.')
        out.append(
            Case(
                case.name,
                task,
                case.input,
                case.target,
                depth,
                "disparity",
                metric,
                (float(focus[0]), float(focus[1])) if isinstance(focus, list) else focus,
                known.get("gain_px"),
                known.get("group", case.name),
            )
        )
    return out


def dpdd(root: Path, task: Task = "deblur") -> list[Case]:
    """DPDD (Abuolaim and Brown 2020): `test_c/source`, `test_c/target`; or as in Restormer's copy: `inputC`, `target`."""
    if (root / "inputC").is_dir():
        return _pairs(root / "inputC", _folder(root, "target"), "deblur")
    test = _folder(root, "test_c", "dd_dp_dataset_png/test_c", "dd_dp_dataset_canon/test_c")
    # Photo and truth of a scene follow one another in the camera's numbering: they are paired by order.
    sources, truths = _pictures(_folder(test, "source")), _pictures(_folder(test, "target"))
    if len(sources) != len(truths):
        raise LayoutError(f"{test}: {len(sources)} sources, but {len(truths)} targets.")
    if sources.keys() == truths.keys():
        return [Case(n, "deblur", p, truths[n]) for n, p in sources.items()]
    return [Case(n, "deblur", sources[n], truths[t]) for n, t in zip(sources, truths, strict=True)]


def realdof(root: Path, task: Task = "deblur") -> list[Case]:
    """RealDOF (Lee et al. 2021): `source`, `target`. For "bokeh" the two change places."""
    pairs = _pairs(_folder(root, "source"), _folder(root, "target"), "deblur")
    return pairs if task == "deblur" else [_reversed(c, task) for c in pairs]


def lfdof(root: Path, task: Task = "deblur") -> list[Case]:
    """LFDOF (Ruan et al. 2021): `test_data/input/SCENE/*.png`, `test_data/ground_truth/SCENE.png`. "bokeh" turns them round,
    "refocus" goes from each picture of a scene to the next."""
    test = root / "test_data" if (root / "test_data").is_dir() else root
    truths = _pictures(_folder(test, "ground_truth"))
    out: list[Case] = []
    for scene in sorted(p for p in _folder(test, "input").iterdir() if p.is_dir()):
        if scene.name not in truths:
            raise LayoutError(f"{scene} has no counterpart in {test / 'ground_truth'}.")
        files = list(_pictures(scene).values())
        sharp = truths[scene.name]
        if task == "refocus":
            for a, b in zip(files, files[1:] + files[:1], strict=True):
                if a != b:
                    out.append(Case(f"{scene.name}/{a.stem}-{b.stem}", task, a, b, group=scene.name))
            continue
        for f in files:
            case = Case(f"{scene.name}/{f.stem}", "deblur", f, sharp, group=scene.name)
            out.append(case if task == "deblur" else _reversed(case, task))
    if not out:
        raise LayoutError(f"{test / 'input'} holds no folder with pictures: LFDOF keeps one folder for each scene.")
    return out


def realbokeh(root: Path, task: Task = "bokeh") -> list[Case]:
    """RealBokeh (Seizinger et al. 2025): `test/metadata/*.json` with `source_image`, `target_images`, `target_avs`.

    Paths are below `test`. "deblur" turns the pairs round.
    """
    test = _folder(root, "test", "validation", "val")
    notes = sorted((test / "metadata").glob("*.json"))
    if not notes:
        raise LayoutError(f"{test / 'metadata'} holds no .json file.")
    out: list[Case] = []
    for note in notes:
        values = json.loads(note.read_text())
        for target, f_number in zip(values["target_images"], values["target_avs"], strict=True):
            scene = str(values["id"])
            case = Case(f"{scene}/f{f_number:g}", "bokeh", test / values["source_image"], test / target, group=scene)
            missing = [p for p in (case.input, case.target) if not p.is_file()]
            if missing:
                raise LayoutError(f"{note} names {missing[0]}, which is not there.")
            out.append(case if task == "bokeh" else _reversed(case, task))
    return out


def ebb(root: Path, task: Task = "bokeh") -> list[Case]:
    """EBB! (Ignatov et al. 2020): `original`, `bokeh` (also below `Training` or `train`); or `in`, `gt` below a split."""
    for place in (root, *(root / n for n in ("Training", "train", "test", "val", "validation"))):
        for names in (("original", "bokeh"), ("in", "gt")):
            if all((place / n).is_dir() for n in names):
                pairs = _pairs(place / names[0], place / names[1], "bokeh")
                return pairs if task == "bokeh" else [_reversed(c, task) for c in pairs]
    raise LayoutError(f"{root} has neither `original` and `bokeh` nor `in` and `gt`.")


def blb(root: Path, task: Task = "bokeh") -> list[Case]:
    """BLB (Peng et al. 2022): `SCENE/image`, `depth` (or `disparity`), `bokeh_LEVEL_FOCUS` and `info.json` with `blur_parameters`
    (K, one for each level) and `focus_distances`; radius = K (1/depth - 1/focus)."""
    data = root / "data" if (root / "data").is_dir() else root
    out: list[Case] = []
    for note in sorted(data.glob("*/info.json")):
        scene, values = note.parent, json.loads(note.read_text())
        files = _pictures(scene)
        depth = next((p for stem in ("depth", "disparity") if (p := _beside(scene, stem, MAP_SUFFIXES)) is not None), None)
        if "image" not in files or depth is None:
            raise LayoutError(f"{scene} lacks `image` or `depth`.")
        for stem, path in files.items():
            found = re.fullmatch(r"bokeh_(\d+)_(\d+)", stem)
            if found is None:
                continue
            level, focus = (int(v) for v in found.groups())
            out.append(
                Case(
                    f"{scene.name}/{stem}",
                    "bokeh",
                    files["image"],
                    path,
                    depth,
                    "depth_m" if depth.stem == "depth" else "disparity",
                    True,
                    1 / float(values["focus_distances"][focus]),
                    float(values["blur_parameters"][level]),
                    scene.name,
                )
            )
    if not out:
        raise LayoutError(f"{data} holds no SCENE/info.json with pictures bokeh_LEVEL_FOCUS beside it.")
    return out


def _reversed(case: Case, task: Task) -> Case:
    return Case(case.name, task, case.target, case.input, group=case.group)


LAYOUTS: dict[str, tuple[Callable[[Path, Any], list[Case]], tuple[Task, ...]]] = {
    "folder": (ours, ("deblur", "bokeh", "refocus")),
    "dpdd": (dpdd, ("deblur",)),
    "realdof": (realdof, ("deblur", "bokeh")),
    "lfdof": (lfdof, ("deblur", "bokeh", "refocus")),
    "realbokeh": (realbokeh, ("bokeh", "deblur")),
    "ebb": (ebb, ("bokeh", "deblur")),
    "blb": (blb, ("bokeh",)),
}
"""Layout -> its reader, and the tasks that it serves (the first one by default)."""


def read(layout: str, root: Path, task: Task | None = None) -> tuple[Task, list[Case]]:
    """Cases of a folder.

    Raises:
        LayoutError: if the folder or the task does not suit the layout.
    """
    if layout not in LAYOUTS:
        raise LayoutError(f"Unknown layout {layout!r}. Known: {', '.join(LAYOUTS)}.")
    if not root.is_dir():
        raise LayoutError(f"There is no folder {root}.")
    reader, tasks = LAYOUTS[layout]
    if task is not None and task not in tasks:
        raise LayoutError(f"{layout} serves {', '.join(tasks)}, not {task}.")
    if task is None and layout == "folder":
        raise LayoutError("Say what the pictures are for: --task deblur, bokeh or refocus.")
    chosen: Task = task or tasks[0]
    return chosen, reader(root, chosen)
