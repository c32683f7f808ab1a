"""A camera's raw file is never taken for the preview that lies in it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from refocus_core.files.directories import LONG, SHORT, Entries, encode_directory
from refocus_core.files.pictures import PictureError, load


def laid_out_as_raw(path: Path, main: dict[int, tuple[str, int]], photometric: int) -> Path:
    """A TIFF with a small picture in its first directory, and a full one in a further one."""
    preview, full = np.full((12, 16, 3), 99, np.uint8).tobytes(), np.zeros((48, 64), np.uint16).tobytes()

    def directory(width: int, height: int, bits: int, channels: int, kind: int, offset: int, length: int) -> Entries:
        values = {256: width, 257: height, 258: bits, 259: 1, 262: kind, 273: offset, 277: channels, 278: height, 279: length}
        return {tag: (LONG, struct.pack("<I", value)) for tag, value in values.items()}

    at = 8 + len(preview) + len(full)
    inner = encode_directory(directory(64, 48, 16, 1, photometric, 8 + len(preview), len(full)), at)
    outer = directory(16, 12, 8, 3, 2, 8, len(preview)) | {330: (LONG, struct.pack("<I", at))}
    outer |= {tag: (LONG if form == "I" else SHORT, struct.pack("<" + form, value)) for tag, (form, value) in main.items()}
    end = at + len(inner)
    path.write_bytes(b"II*\0" + struct.pack("<I", end) + preview + full + inner + encode_directory(outer, end))
    return path


@pytest.mark.parametrize(
    "name,main,photometric",
    [
        ("shot.dng", {}, 1),
        ("renamed.tif", {50706: ("I", 0x0401)}, 1),
        ("renamed.tif", {}, 32803),
        ("renamed.tif", {}, 34892),
        ("renamed.tif", {254: ("I", 1)}, 1),
    ],
    ids=["by name", "DNG version", "colour filter array", "linear raw", "reduced first picture"],
)
def test_raw_files_laid_out_as_tiff(tmp_path: Path, name: str, main: dict[int, tuple[str, int]], photometric: int) -> None:
    with pytest.raises(PictureError, match=r"camera's raw file.*Develop it first") as caught:
        load(laid_out_as_raw(tmp_path / name, main, photometric))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "head", [b"FUJIFILMCCD-RAW 0201", b"II*\0\x10\0\0\0CR\2\0", b"\0\0\0\x18ftypcrx \0\0", b"IIRO\x08\0\0\0", b"IIU\0"]
)
def test_other_raw_files_by_their_first_bytes(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "renamed.jpg").write_bytes(head + bytes(100))
    with pytest.raises(PictureError, match="camera's raw file"):
        load(tmp_path / "renamed.jpg")


def test_a_tiff_with_smaller_versions_of_itself_is_no_raw_file(tmp_path: Path) -> None:
    assert load(laid_out_as_raw(tmp_path / "a.tif", {254: ("I", 0)}, 1)).image.shape == (1, 3, 12, 16)
