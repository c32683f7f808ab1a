"""Files that claim much, hold too much or are broken: a sentence with the file's name, before memory or work is spent."""

from __future__ import annotations

import functools
import io
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from refocus_core.cli import main
from refocus_core.files import pictures
from refocus_core.files.guard import LIMIT_VARIABLE
from refocus_core.files.pictures import PictureError, load, load_map, save

NOISE = np.random.default_rng(0).integers(0, 256, (12, 15, 3), dtype=np.uint8)


def png(path: Path, width: int, height: int, depth: int, colour: int, packed: bytes) -> Path:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))
    return path


@functools.cache
def zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


@pytest.mark.parametrize("depth,colour", [(8, 2), (16, 2), (16, 0)])
def test_what_a_png_holds_beyond_its_size_is_not_inflated(tmp_path: Path, depth: int, colour: int) -> None:
    """400 MB take over .3 s to inflate; a pixel takes milliseconds."""
    path = png(tmp_path / "a.png", 1, 1, depth, colour, zeros(400))
    load(path)
    start = time.process_time()
    assert load(path).image.shape == (1, 3, 1, 1)
    assert time.process_time() - start < 0.15


def test_a_large_picture_opens_up_to_the_limit_that_the_user_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow alone refuses what has more than twice the pixels of its own limit."""
    path = tmp_path / "a.png"
    Image.new("RGB", (2000, 950)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900_000)
    assert load_map(path).shape == (1, 3, 950, 2000)
    assert Image.MAX_IMAGE_PIXELS == 900_000, "the host's own limit stays as it was"
    monkeypatch.setenv(LIMIT_VARIABLE, "1.5")
    with pytest.raises(PictureError, match=r"2000 x 950 px, 2 megapixels; at most 1.5 are read.*MAX_MEGAPIXELS to 3"):
        load_map(path)
    monkeypatch.setenv(LIMIT_VARIABLE, "many")
    with pytest.raises(PictureError, match=r"is 'many'\. Give the largest picture"):
        load_map(path)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_header_that_lies_about_its_size_takes_no_memory(tmp_path: Path, depth: int) -> None:
    with pytest.raises(PictureError, match="90000 x 90000 px, 8100 megapixels"):
        load(png(tmp_path / "a.png", 90000, 90000, depth, 2, zlib.compress(b"\0" * 100)))
    with pytest.raises(PictureError, match=r"damaged|not a picture"):
        load(png(tmp_path / "a.png", 0, 3, depth, 2, zlib.compress(b"\0" * 100)))


@pytest.mark.parametrize("suffix,longest", [(".webp", 16383), (".jpg", 65500), (".jpeg", 65500)])
def test_sides_too_long_for_a_file_type_are_refused_before_the_work(tmp_path: Path, suffix: str, longest: int) -> None:
    path = tmp_path / f"a{suffix}"
    pictures.check_output(path, size=(longest, 1))
    save(path, torch.zeros(1, 3, 1, longest))
    with pytest.raises(PictureError, match=rf"{longest + 1} x 1 px; sides of a {suffix} file hold {longest}. Choose"):
        pictures.check_output(path, size=(1, longest + 1))


def test_the_command_line_asks_before_it_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (16400, 2)).save(tmp_path / "a.png")
    (tmp_path / "d.png").write_text("no picture")
    given = [str(tmp_path / "a.png"), "--depth", str(tmp_path / "d.png"), "-o", str(tmp_path / "o.webp"), "-q"]
    assert main(given) == 2
    assert "16400 x 2 px" in capsys.readouterr().err, "before the depth is read"


def broken_files(folder: Path, count: int) -> list[Path]:
    """Pictures of every type with bytes changed at random, cut, or grown."""
    g = np.random.default_rng(1)
    image = torch.from_numpy(NOISE).permute(2, 0, 1)[None] / 255
    whole: list[tuple[str, bytes]] = []
    for suffix, bits in (
        (".png", 8),
        (".png", 16),
        (".tif", 8),
        (".tif", 16),
        (".tif", 32),
        (".jpg", 8),
        (".webp", 8),
        (".pfm", 32),
    ):
        save(folder / f"w{suffix}", image, bits=bits)
        whole.append((suffix, (folder / f"w{suffix}").read_bytes()))
    for suffix, name in ((".gif", "GIF"), (".bmp", "BMP"), (".tga", "TGA"), (".ppm", "PPM"), (".ico", "ICO"), (".psd", "")):
        buffer = io.BytesIO()
        if name:
            Image.fromarray(NOISE).save(buffer, name)
        else:
            buffer.write(b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 12, 15, 8, 3) + bytes(14) + NOISE.tobytes())
        whole.append((suffix, buffer.getvalue()))
    buffer = io.BytesIO()
    np.save(buffer, NOISE)
    whole.append((".npy", buffer.getvalue()))
    found: list[Path] = []
    for i in range(count):
        suffix, data = whole[i % len(whole)]
        bad = bytearray(data)
        for at in g.integers(0, min(len(bad), 200 if i % 2 else len(bad)), 1 + i % 5):
            bad[at] = int(g.integers(0, 256))
        path = folder / f"b{i}{suffix}"
        path.write_bytes(bytes(bad[: int(g.integers(1, len(bad)))] if i % 7 == 0 else bad))
        found.append(path)
    return found


def test_broken_files_are_read_or_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "1")  # a broken header may claim much; that takes time only
    refused = 0
    for path in broken_files(tmp_path, 600):
        try:
            load_map(path)
        except PictureError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > 100, "most of them are broken"
