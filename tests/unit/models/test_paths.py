"""Names of model files that a person, a node or a workflow gives: what is taken, and where it leads."""

from __future__ import annotations

from pathlib import Path

import pytest

from refocus_core import models
from refocus_core.models import WeightsMissingError


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize("name", ["a.safetensors", "sub/a.safetensors", "sub\\a.SFT", "a b/ü.safetensors"])
def test_names_within_a_folder_are_taken(name: str) -> None:
    assert models.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "/a.safetensors", "../a.safetensors", "sub/../../a.safetensors", "..\\a.safetensors", "C:\\a.safetensors", "C:a.sft"],
)
def test_names_that_leave_it_are_not(name: str) -> None:
    with pytest.raises(ValueError, match="inside the model folders"):
        models.check_name(name)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors.ckpt", "a"])
def test_other_types_are_not_and_the_remedy_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="safetensors only"):
        models.check_name(name)


def test_the_first_folder_wins(tmp_path: Path) -> None:
    expected = put(tmp_path / "b" / "sub" / "x.safetensors")
    put(tmp_path / "c" / "sub" / "x.safetensors")
    assert models.find_named("sub/x.safetensors", [tmp_path / "a", tmp_path / "b", tmp_path / "c"]) == expected


def test_without_folders_a_name_is_a_path(tmp_path: Path) -> None:
    file = put(tmp_path / "x.safetensors")
    assert models.find_named(str(file)) == file
    with pytest.raises(ValueError, match="inside the model folders"):
        models.find_named(str(file), [tmp_path])
    for folders in (None, [], [tmp_path]):
        with pytest.raises(WeightsMissingError, match="no model file 'y"):
            models.find_named("y.safetensors", folders)
