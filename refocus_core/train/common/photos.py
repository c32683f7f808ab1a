"""Photographs that the networks are trained on, and a few that are set aside. None is shipped: they come from Debian packages.

    python -m refocus_core.train.common.photos [--folder FOLDER]

downloads what is missing (about 600 MB of packages, with `apt-get download`: nothing is installed), keeps the pictures alone and
prints the list with authors and licences. The folder is $REFOCUS_PHOTOS, or ~/.cache/refocus/photos.

Author and licence are what each package says in its copyright file; for plasma-workspace-wallpapers (as a whole GPL-2+ there) and
palapeli-data what the file beside each picture says. Drawings, renderings and gradients of these packages are left out.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

log = logging.getLogger(__name__)

_ENLIGHTENMENT = "enlightenment-data"
_LOMIRI_16 = "lomiri-wallpapers-16.04"
_LOMIRI_20 = "lomiri-wallpapers-20.04"
_MATE = "mate-backgrounds"
_PLASMA = "plasma-workspace-wallpapers"
_PALAPELI = "palapeli-data"
VERSIONS = {
    _ENLIGHTENMENT: "0.25.4-2",
    _LOMIRI_16: "20.04.0-2",
    _LOMIRI_20: "20.04.0-2",
    _MATE: "1.26.0-1",
    _PLASMA: "4:5.27.5-2",
    _PALAPELI: "4:22.12.3-1",
}
"""Of Debian 12. Another version does where its pictures are the same, which their sha256 tells."""


@dataclass(frozen=True)
class Photo:
    """One photograph.

    Attributes:
        name: short and unique.
        package, path: the Debian package and the file in it.
        author, licence: see the module.
        sha256: of the picture.
        held_out: never trained on, so that it can be used to evaluate.
        part: (first byte, number of bytes) of the picture in a file that holds several.
    """

    name: str
    package: str
    path: str
    author: str
    licence: str
    sha256: str
    held_out: bool = False
    part: tuple[int, int] | None = None


_E_AUTHOR = "Carsten Haitzler and contributors"
PHOTOS: tuple[Photo, ...] = (
    Photo(
        "bamboo",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/Bamboo.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "d8d003f6ebb4437bac4a579eadef7fdf4aae0144e443edd444c8af61bff17809",
        part=(5988384, 5198646),
    ),
    Photo(
        "god-rays",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/God-Rays.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "cb871506ee3d339d26bf382c5c9e98f1fa749bd99d7e5b6cb3a4cb849d50354d",
        part=(5336384, 5831743),
    ),
    Photo(
        "green-maple",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/Green-Maple.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "4db2abb44fb3dec55f18fc4e4eb0f72e4af9fe7af9cce1d5573f926e49811b0e",
        part=(8028000, 6731074),
    ),
    Photo(
        "lichen-branches",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/Lichen-Branches.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "08c9e543b99ec73ff73203bcfc5b8c3f9f0ec9c3aa2e8e94fdb2a640e5f6179a",
        part=(5478520, 4835569),
    ),
    Photo(
        "mountain",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/Mountain.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "dcbef7e92cc196474f3b4eabf80b45a4dab0bdf8066deaf9ef565048bb72f8bb",
        part=(2880248, 3125156),
    ),
    Photo(
        "peaks",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/Peaks.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "4fea206973cdc79c91fa8045eb9201696f91f627c1b6760da0bed766e0a85549",
        part=(2904672, 3440342),
    ),
    Photo(
        "red-maple",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/Red-Maple.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "bb6097ffef927fb219f7225da09df55ce2110a8c2b636d6e387802b9c1bf567e",
        held_out=True,
        part=(6653696, 5819442),
    ),
    Photo(
        "sea-of-lanterns",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/Sea-of-Lanterns.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "e1a4db127d62346f2e7930abb5770caebe7ce6257afa7bc842a1e79a8dac4fe4",
        part=(13345784, 11307701),
    ),
    Photo(
        "snow-trees",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/Snow-Trees.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "3671426df1713ecd0165679ca5023eb5ad631d0c5a1b58386722cb020dc6f3cb",
        part=(12794792, 11203162),
    ),
    Photo(
        "spruce-needles",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/Spruce-Needles.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "fa3f06176b8c1ffc57964912c1faf512c845278f6d95addf6e4f0f56ef643d7e",
        part=(5913488, 5054314),
    ),
    Photo(
        "sunset-clouds",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/Sunset-Clouds.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "c99581ba894a81cc0169cc2b2656f80d0f7884787368ff21a15ac539af0ffd08",
        part=(3893752, 3924874),
    ),
    Photo(
        "white-flower",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/White-Flower.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "a55797bf0a107c1f64725ec3a6d5cefcd617730831ec230bf16398e0a7100c46",
        part=(8781536, 8644349),
    ),
    Photo(
        "yellow-flower",
        _ENLIGHTENMENT,
        "usr/share/enlightenment/data/backgrounds/Yellow-Flower.edj",
        _E_AUTHOR,
        "BSD-2-Clause",
        "00b486e183927954465f42122b9462bcfebc0474d10ab790323d0e1cfe10fd9c",
        part=(6702176, 7674917),
    ),
    Photo(
        "bridge",
        _LOMIRI_16,
        "usr/share/backgrounds/Bridge_by_Sander_Klootwijk.jpg",
        "Sander Klootwijk",
        "CC-BY-SA-4.0",
        "bd86b081f9975e2b83527f71e49b9271a8ab40885428395969d9f7d834d7f050",
    ),
    Photo(
        "dragonfly",
        _LOMIRI_16,
        "usr/share/backgrounds/Dragonfly_by_Bolly.jpg",
        "Bolly",
        "CC-BY-SA-4.0",
        "af5af17841009732def24b09bb1e669a1b09d2b4bdeee7812c371101c30d2bb3",
    ),
    Photo(
        "fig",
        _LOMIRI_16,
        "usr/share/backgrounds/Picture_0B_by_freespace.jpg",
        'Trevor "Freespace"',
        "CC-BY-4.0",
        "c8c0ab18e48d9e0419fe42881112137f3afafc27dfddc29ec3a6d54c56d225ad",
    ),
    Photo(
        "brushes",
        _LOMIRI_16,
        "usr/share/backgrounds/Picture_1A_by_freespace.jpg",
        'Trevor "Freespace"',
        "CC-BY-4.0",
        "89e86af38d04daaef975665dc2127e9fa76f0fd68f4eea105a2d0ae3390b010b",
    ),
    Photo(
        "wine",
        _LOMIRI_16,
        "usr/share/backgrounds/Wine_by_Jakkub_Mede.jpg",
        "Jakub Mede",
        "CC-BY-4.0",
        "d2e96e6d4da40dd804b3d0ce295e94de04a2d7d9b6785d42cd9d92ba58bced74",
        held_out=True,
    ),
    Photo(
        "aitzgorri",
        _LOMIRI_16,
        "usr/share/backgrounds/aitzgorri_by_Aitzol_Berasategi.jpg",
        "Aitzol Berasategi",
        "CC-BY-4.0",
        "66268e7b48f8854d36a28765fac6e23ec1aee251daa6da1f64715f201020ad36",
    ),
    Photo(
        "free",
        _LOMIRI_16,
        "usr/share/backgrounds/free_by_Peter_Nerlich.jpg",
        "Peter Nerlich",
        "CC-BY-SA-4.0",
        "85a5453c2fed514c75973016f3d862aca62eb7ca087618822469274ac1092373",
    ),
    Photo(
        "friends",
        _LOMIRI_16,
        "usr/share/backgrounds/friends_by_Aitzol_Berasategi.jpg",
        "Aitzol Berasategi",
        "CC-BY-4.0",
        "cc40e313c74e421edffe3403def413c16878ce14661cce7ec5915baeab35538d",
    ),
    Photo(
        "greentock",
        _LOMIRI_16,
        "usr/share/backgrounds/greentock_by_Peter_Nerlich.jpg",
        "Peter Nerlich",
        "CC-BY-SA-4.0",
        "e7b20e2db9dcd6e2b278ca55873c2110b35d89cd38b04d0b18728726888e6889",
    ),
    Photo(
        "life",
        _LOMIRI_16,
        "usr/share/backgrounds/life_by_Aitzol_Berasategi.jpg",
        "Aitzol Berasategi",
        "CC-BY-4.0",
        "4c119350ead80201fe256850c3d316309ddfb4bdf10b235ce982dcde0c667c05",
        held_out=True,
    ),
    Photo(
        "picosdeeuropa",
        _LOMIRI_16,
        "usr/share/backgrounds/picosdeeuropa_by_Aitzol_Berasategi.jpg",
        "Aitzol Berasategi",
        "CC-BY-4.0",
        "414d0072b2f6f2c555deafeaef6e45c4fed6fa9ad26eba6560ca8803959cf97a",
    ),
    Photo(
        "seeding",
        _LOMIRI_16,
        "usr/share/backgrounds/seeding_by_Clements_Engelhardt.jpg",
        "Clemens Engelhardt",
        "CC0-1.0",
        "a5634d1ab5e41a3568e92d4a894a500c92b891f9ff734e50bd224d6e185a605f",
        held_out=True,
    ),
    Photo(
        "sunset",
        _LOMIRI_16,
        "usr/share/backgrounds/sunset_by_Aitzol_Berasategi.jpg",
        "Aitzol Berasategi",
        "CC-BY-4.0",
        "474dab6a4b9f94dc76c29dfe30e9f5db4af0fd2e33fe5d695f8152b371efca18",
    ),
    Photo(
        "kleiber",
        _LOMIRI_20,
        "usr/share/backgrounds/Kleiber_by_Lukas_Baubkus.jpg",
        "Lukas Baubkus",
        "CC-BY-SA-3.0",
        "6572410c09f4492c74ccadde133565a14c0161617d5917d4c820c66d65a44ba7",
    ),
    Photo(
        "aqua",
        _MATE,
        "usr/share/backgrounds/mate/nature/Aqua.jpg",
        "Charles Barbin",
        "GPL-2+",
        "5c30118205982da441bf7e6a1ada636a8a0be879408140b3148280c665ed6bce",
    ),
    Photo(
        "blinds",
        _MATE,
        "usr/share/backgrounds/mate/nature/Blinds.jpg",
        "Lennart Poettering, Andrea Cimitan",
        "GPL-2+",
        "f7aac0dcc2e06d0491643e84df3da1d9db7c4610f58806a880d56e074799f600",
    ),
    Photo(
        "dune-grass",
        _MATE,
        "usr/share/backgrounds/mate/nature/Dune.jpg",
        "Marco Cogoni, Hylke Bons",
        "GPL-2+",
        "8a67c2cb0be8c46b70c237311a4fa4d2b4ac7d39568135384787801fa5cc9a91",
    ),
    Photo(
        "freshflower",
        _MATE,
        "usr/share/backgrounds/mate/nature/FreshFlower.jpg",
        "Jens Ansorg",
        "GPL-2+",
        "972b0a0c4e5e3fa93f4f244fc84bc64b121a5eac3aaa5856f1308c1f38a02f8e",
    ),
    Photo(
        "garden",
        _MATE,
        "usr/share/backgrounds/mate/nature/Garden.jpg",
        "Charles Barbin",
        "GPL-2+",
        "d3095ee09d425ef23d27155412136cf14fc3c9af76ca58b452f55e23da324e78",
    ),
    Photo(
        "greenmeadow",
        _MATE,
        "usr/share/backgrounds/mate/nature/GreenMeadow.jpg",
        "Timothy Schellhase, Lapo Calamandrei",
        "GPL-2+",
        "8fa0de0aa4089f7319c9fb7a6d006d4cab6023e8c8853731557cff53567b4832",
    ),
    Photo(
        "ladybird",
        _MATE,
        "usr/share/backgrounds/mate/nature/LadyBird.jpg",
        "Charles Barbin",
        "GPL-2+",
        "e35a9a4126ef969c90b29c038058c5a575a20eadd84106a37bf1fa9931e7b61d",
    ),
    Photo(
        "raindrops",
        _MATE,
        "usr/share/backgrounds/mate/nature/RainDrops.jpg",
        "blackcombwhistler07",
        "GPL-2+",
        "3e4ea9671c28c90a86cf67b3db9daf18c4741587c596333a7529ca589aaa0c16",
    ),
    Photo(
        "storm",
        _MATE,
        "usr/share/backgrounds/mate/nature/Storm.jpg",
        "Sergey Nazarov",
        "GPL-2+",
        "77ca53077831d3237f73393a91fc879158abc046d852941c26e90de336356957",
    ),
    Photo(
        "twowings",
        _MATE,
        "usr/share/backgrounds/mate/nature/TwoWings.jpg",
        "Charles Barbin, Hylke Bons",
        "GPL-2+",
        "665e5abf8a5399070a91a9a8e455fe071e5b61697ff78fdeda4e9843ef545aeb",
    ),
    Photo(
        "wood",
        _MATE,
        "usr/share/backgrounds/mate/nature/Wood.jpg",
        "Jean-François Fortin Tam",
        "GPL-2+",
        "19c78500ac00a622e19907ab9cc7d06d46fe08c4a6142759a84195696150ec07",
    ),
    Photo(
        "sunflower",
        _MATE,
        "usr/share/backgrounds/mate/nature/YellowFlower.jpg",
        "Charles Barbin",
        "GPL-2+",
        "254da96256acb7add685679775a04d1e4a5bc8cd13e5a5a3d61351ce198a5306",
    ),
    Photo(
        "bythewater",
        _PLASMA,
        "usr/share/wallpapers/BytheWater/contents/images/2560x1600.jpg",
        "Maciej Wiklo",
        "LGPL-3",
        "c272434ef39f2abf1ed48a15a8910088020f3165329a5092f3940ec9464bc05f",
    ),
    Photo(
        "coldripple",
        _PLASMA,
        "usr/share/wallpapers/ColdRipple/contents/images/2560x1600.jpg",
        "Risto Saukonpää",
        "LGPL-3",
        "05bef6722fc0ed81292cceb3ed026c38d17e510f3c84be7d68610c2b1a723c3f",
    ),
    Photo(
        "colorfulcups",
        _PLASMA,
        "usr/share/wallpapers/ColorfulCups/contents/images/2560x1600.jpg",
        "Dmitri Popov",
        "LGPL-3",
        "6e0f3a72feb5a4a9fec191b77e34874c3c69e2d93040deb3f07773e73385023d",
    ),
    Photo(
        "darkesthour",
        _PLASMA,
        "usr/share/wallpapers/DarkestHour/contents/images/2560x1600.jpg",
        "Risto Saukonpää",
        "LGPL-3",
        "8e3703fae3a3c217b1fc2b399b706cd3720584268d071ba153e4809daa55f1ce",
    ),
    Photo(
        "eveningglow",
        _PLASMA,
        "usr/share/wallpapers/EveningGlow/contents/images/2560x1600.jpg",
        "Ian Hex",
        "LGPL-3",
        "586682dcb362b9f620068f10138f87d0d3649939aef238adc5807cb951976a7a",
        held_out=True,
    ),
    Photo(
        "fallenleaf",
        _PLASMA,
        "usr/share/wallpapers/FallenLeaf/contents/images/2560x1600.jpg",
        "Martin Klapetek",
        "LGPL-3",
        "95603a6560c7e8d50e0e03b3f4adbe39c5258c72528e74e4ecaea1daf4e499de",
    ),
    Photo(
        "grey",
        _PLASMA,
        "usr/share/wallpapers/Grey/contents/images/2560x1600.jpg",
        "Sigi Sagi",
        "LGPL-3",
        "88c31d8944b7e6935d1b9a296654c692f0772cb512491713eb30a972a604c0ed",
    ),
    Photo(
        "kite",
        _PLASMA,
        "usr/share/wallpapers/Kite/contents/images/2560x1600.jpg",
        "Risto Saukonpää",
        "LGPL-3",
        "bdca288ce296a981e80659c021cf707caddc702c0c8d4247e60bd618476d47f8",
    ),
    Photo(
        "onestandsout",
        _PLASMA,
        "usr/share/wallpapers/OneStandsOut/contents/images/2560x1600.jpg",
        "Risto Saukonpää",
        "LGPL-3",
        "cb507baf1dafdcae362264f3aba9483ed4be5f6c9fdd770f0ec0920c6d9e80fd",
    ),
    Photo(
        "path",
        _PLASMA,
        "usr/share/wallpapers/Path/contents/images/2560x1600.jpg",
        "Risto Saukonpää",
        "LGPL-3",
        "7477457d7f17b736259f1b021864778ad4ba802cf3214e6728181ff29126bba8",
    ),
    Photo(
        "summer_1am",
        _PLASMA,
        "usr/share/wallpapers/summer_1am/contents/images/2560x1600.jpg",
        "Risto Saukonpää",
        "LGPL-3",
        "c868b50789591dd42910153c768053f1ba0a98cb36bbfc2b7a96a1045d0477f8",
    ),
    Photo(
        "castle-maintenon",
        _PALAPELI,
        "usr/share/palapeli/collection/castle-maintenon.jpg",
        "Eric Pouhier",
        "GFDL",
        "f4a6bf48b97d97715413f9ebd2d8744bd46df0e492bc8326e2513d51084f2612",
        held_out=True,
    ),
    Photo(
        "cincinnati-bridge",
        _PALAPELI,
        "usr/share/palapeli/collection/cincinnati-bridge.jpg",
        "Derek Jensen",
        "public domain",
        "09772d09318b34a5c5edd58ee86ff462bcd2907006f31cc8e0704310f8e9ab60",
    ),
    Photo(
        "citrus-fruits",
        _PALAPELI,
        "usr/share/palapeli/collection/citrus-fruits.jpg",
        "US Department of Agriculture",
        "public domain",
        "0cbd7154a14789803167c86705130d0358875198231269df168ea26224e70848",
    ),
    Photo(
        "european-honey-bee",
        _PALAPELI,
        "usr/share/palapeli/collection/european-honey-bee.jpg",
        "John Severns",
        "public domain",
        "9d54ae706bddd899c91b2b801d9ca4556a5a9a399b4043f9d539df62a8cb7f27",
    ),
    Photo(
        "panther-chameleon-female",
        _PALAPELI,
        "usr/share/palapeli/collection/panther-chameleon-female.jpg",
        "B. Navez and others",
        "GFDL",
        "adb9e2834a8a3db40ca3817452b956ada527085e5aa2bd604c465651a3834ae4",
    ),
)


def folder() -> Path:
    """Where pictures are kept: $REFOCUS_PHOTOS, or ~/.cache/refocus/photos."""
    return Path(os.environ.get("REFOCUS_PHOTOS") or Path.home() / ".cache" / "refocus" / "photos")


def training(where: Path | None = None) -> list[Path]:
    """Files of all photos that may be trained on, fetched where they are missing, in the order of `PHOTOS`.

    Raises:
        RuntimeError: if a package cannot be had or holds other pictures than were listed.
    """
    return fetch((p for p in PHOTOS if not p.held_out), where)


def held_out(where: Path | None = None) -> list[Path]:
    """Files of the photos that are never trained on; as `training`."""
    return fetch((p for p in PHOTOS if p.held_out), where)


def load(path: Path) -> Tensor:
    """A picture as [3,H,W] uint8, sRGB-encoded, upright; grey ones have three equal channels."""
    with Image.open(path) as picture:
        pixels = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def sharpest(image_srgb: Tensor, side_px: int) -> Tensor:
    """The square part of a picture [1,3,H,W] with the most fine detail for its contrast: where the photo is in focus."""
    best: tuple[float, Tensor] | None = None
    height, width = image_srgb.shape[-2:]
    step = max(side_px // 4, 1)
    for y in range(0, max(height - side_px, 0) + 1, step):
        for x in range(0, max(width - side_px, 0) + 1, step):
            part = image_srgb[..., y : y + side_px, x : x + side_px]
            g = part[0, 1]
            fine = (4 * g[1:-1, 1:-1] - g[:-2, 1:-1] - g[2:, 1:-1] - g[1:-1, :-2] - g[1:-1, 2:]).abs().mean()
            score = float(fine / (g.std() + 0.05))
            if best is None or score > best[0]:
                best = (score, part)
    assert best is not None
    return best[1]


def fetch(wanted: Iterable[Photo], where: Path | None = None) -> list[Path]:
    """The files of these photos; what is missing is downloaded, everything is checked."""
    where = folder() if where is None else where
    photos = list(wanted)
    where.mkdir(parents=True, exist_ok=True)
    for package in sorted({p.package for p in photos if not _file(p, where).is_file()}):
        _unpack(package, where)
    return [_file(p, where) for p in photos]


def _file(photo: Photo, where: Path) -> Path:
    return where / f"{photo.name}.jpg"


def _unpack(package: str, where: Path) -> None:
    """Download a package and keep the listed pictures of it, each under its own name, complete or not at all."""
    log.info("downloading the Debian package %s", package)
    with tempfile.TemporaryDirectory(dir=where) as work:
        try:
            done = subprocess.run(["apt-get", "download", package], cwd=work, capture_output=True, text=True, timeout=1800)
        except OSError as error:
            raise RuntimeError(
                f"The photos come from Debian and apt-get is not here ({error}). Run this on Debian or Ubuntu, or copy a "
                f"folder with them and name it in $REFOCUS_PHOTOS."
            ) from error
        archives = list(Path(work).glob("*.deb"))
        if done.returncode or len(archives) != 1:
            raise RuntimeError(
                f"'apt-get download {package}' failed: {done.stderr.strip()[-400:]} On a new machine, run 'apt-get update' first."
            )
        tar = Path(work) / "files.tar"
        with tar.open("wb") as file:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archives[0])], stdout=file, check=True)
        with tarfile.open(tar) as members:
            for photo in (p for p in PHOTOS if p.package == package):
                try:
                    source = members.extractfile(f"./{photo.path}")
                except KeyError:
                    source = None
                content = b"" if source is None else source.read()
                if photo.part is not None:
                    content = content[photo.part[0] : sum(photo.part)]
                if hashlib.sha256(content).hexdigest() != photo.sha256:
                    raise RuntimeError(
                        f"{photo.path} of {archives[0].name} is not the picture that was listed (from {package} "
                        f"{VERSIONS[package]}). Use that version, or look at the new picture and change the list."
                    )
                part = _file(photo, where).with_suffix(".part")
                part.write_bytes(content)
                part.replace(_file(photo, where))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch the photos that the networks are trained on, and list them.")
    parser.add_argument("--folder", type=Path, help="where to keep them (default: $REFOCUS_PHOTOS or ~/.cache/refocus/photos)")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    fetch(PHOTOS, args.folder)
    _say("| photo | package | author | licence | |\n|---|---|---|---|---|")
    for p in PHOTOS:
        _say(f"| {p.name} | {p.package} | {p.author} | {p.licence} | {'held out' if p.held_out else ''} |")


if __name__ == "__main__":
    main()
