"""What can make a photo sharp. Adding a method is one entry here and, for a new kind, one branch in `api`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Literal

Kind = Literal["identity", "deconvolution", "blind_deconvolution", "model_file", "embedded"]

MODEL_PREFIX = "model:"
WEIGHT_SUFFIXES = (".safetensors", ".sft")


@dataclass(frozen=True)
class Method:
    """A way to an all-in-focus picture.

    Attributes:
        name: what callers and workflow files say. A method of kind "model_file" is named `model:` and the file.
        kind: how it runs. "embedded" is a network whose weights ship in this package (`weights` names the file).
        needs_defocus: whether it needs a defocus map of the source photo.
        licence: licence of the method or its weights.
        note: one line for people.
        weights: file name within `refocus_core/restore/weights` of an embedded network.
        sha256: of that file.
        auto_rank: `auto` takes the method with the lowest rank whose needs are met; None is never taken by `auto`.
    """

    name: str
    kind: Kind
    needs_defocus: bool
    licence: str
    note: str
    weights: str | None = None
    sha256: str | None = None
    auto_rank: int | None = None


_DEBLUR_S = "d918d2138572a9d284ab8ce40ed4d39e40e0604b326441c8bc40faa32ad0a540"

METHODS: tuple[Method, ...] = (
    Method("none", "identity", False, "Apache-2.0", "The photo as it is."),
    Method(
        "deconvolution",
        "deconvolution",
        True,
        "Apache-2.0",
        "Undoes the lens blur that a defocus map of the photo describes. Invents nothing; weak beyond about 10 px.",
        auto_rank=10,
    ),
    Method(
        "refocus-deblur-s",
        "embedded",
        False,
        "Apache-2.0",
        "A small network that ships with this package. Finds the blur by itself; little beyond about 5 px.",
        weights="refocus_deblur_s.safetensors",
        sha256=_DEBLUR_S,
        auto_rank=20,
    ),
    Method(
        "blind-deconvolution",
        "blind_deconvolution",
        False,
        "Apache-2.0",
        "Deconvolution by the radii that refocus-deblur-s finds, as far as the photo shows an even aperture's blur, and that "
        "network's picture for the rest. Sharper than the network alone, and two to three times slower.",
        weights="refocus_deblur_s.safetensors",
        sha256=_DEBLUR_S,
    ),
)
"""`auto` prefers deconvolution where a defocus map is given: with the true radius it gains more than the network."""


def available(method: Method) -> bool:
    """Whether what the method is made of is installed."""
    return method.weights is None or (Path(__file__).parent / "weights" / method.weights).is_file()


def choose(name: str, *, has_defocus: bool) -> Method:
    """The method called `name`; "auto" chooses by what is available.

    Raises:
        ValueError: if there is no such method, or it (or every method that "auto" may take) lacks what it needs.
    """
    if name.startswith(MODEL_PREFIX):
        return Method(name, "model_file", False, "the file's own", "A restoration network from a model folder.")
    if name == "auto":
        ranked = [m for m in METHODS if m.auto_rank is not None and available(m) and (has_defocus or not m.needs_defocus)]
        if not ranked:
            raise ValueError(
                "method 'auto' has nothing to choose from: no defocus map of the source photo is given, and no restoration "
                "network is built in. Connect a defocus map of this photo, choose a model file "
                "(model:NAME.safetensors), or choose 'none'."
            )
        return min(ranked, key=lambda m: m.auto_rank or 0)
    for method in METHODS:
        if method.name == name:
            if method.needs_defocus and not has_defocus:
                raise ValueError(
                    f"method '{name}' needs defocus_map: the defocus map of the photo that is to be sharpened (its own blur, "
                    "not the blur wanted later). Connect one, or choose another method."
                )
            return method
    known = ", ".join(repr(m.name) for m in METHODS)
    raise ValueError(f"There is no method '{name}'. Choose 'auto', {known} or 'model:' and the name of a model file.")


def find_model(name: str, folders: Iterable[str | Path] = ()) -> Path:
    """The file of the method `model:<file>` (the prefix may be left out).

    Args:
        name: relative to one of `folders`, or, without folders, any path.
        folders: searched in order, subfolders only by name. Files outside them are refused.

    Raises:
        ValueError: if the name is empty or leaves the folders.
        FileNotFoundError: if there is no such file.
    """
    file = name.removeprefix(MODEL_PREFIX)
    roots = [Path(f) for f in folders]
    parts = PureWindowsPath(file).parts  # splits at both / and \
    if not parts:
        raise ValueError("The method 'model:' lacks the name of a model file, as in model:NAFNet.safetensors.")
    if not roots:
        if Path(file).is_file():
            return Path(file)
        raise FileNotFoundError(f"There is no model file '{file}'. Give its path, or the folders to search.")
    if PureWindowsPath(file).anchor or Path(file).is_absolute() or ".." in parts:
        raise ValueError(f"'{file}' is not a file inside the model folders. Give its name relative to one of them.")
    for root in roots:
        if (root / file).is_file():
            return root / file
    raise FileNotFoundError(
        f"There is no model file '{file}' in {', '.join(map(str, roots))}. Put it there, or choose another one."
    )
