"""Clips frame after frame: times, sound and colours of what is written, by PyAV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from refocus_core.files import clips
from refocus_core.files.formats import PictureError
from tests.helpers.clip_files import sound_of, times_of, written

av = pytest.importorskip("av", reason="needs av: run `bash scripts/setup.sh tests`")

TIMES = (0, 40, 80, 200, 240, 500)
"""Of the frames in ms: a variable rate."""
SIZE = (64, 48)


def made(path: Path, sound: str | None = "aac", size: tuple[int, int] = SIZE, shift: int = 0, form: str = "yuv420p") -> Path:
    """A clip of TIMES, a gradient that moves, with a tone."""
    slope = np.linspace(40, 200, size[0])[None, :, None] + np.arange(size[1])[:, None, None] / 4
    colour = np.array([1.0, 0.8, 0.5])
    frames = (((slope + 2 * i) * colour).clip(0, 255).astype(np.uint8) for i in range(len(TIMES)))
    return written(path, frames, [ms + shift for ms in TIMES], sound=sound, form=form)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "mov"])
def test_frames_keep_their_times_and_sound_is_copied(tmp_path: Path, kind: str) -> None:
    source, target = made(tmp_path / "a.mp4"), tmp_path / f"b.{kind}"
    clips.check_clip_output(source, target)
    numbers: list[int] = []
    clips.rewrite(source, target, lambda n, frame: numbers.append(n) or frame)
    assert numbers == list(range(len(TIMES))) and times_of(source) == list(TIMES)
    late = times_of(target)[0]  # Matroska holds no time below 0, so all begins later by what the sound begins earlier
    assert late == 0 or kind == "mkv"
    assert [t - late for t in times_of(target)] == list(TIMES)
    assert [data for data, _ in sound_of(target)] == [data for data, _ in sound_of(source)]
    assert [t - late / 1000 for _, t in sound_of(target)] == pytest.approx([t for _, t in sound_of(source)], abs=2e-3)


def test_colours_come_back(tmp_path: Path) -> None:
    source, target = made(tmp_path / "a.mp4", None), tmp_path / "b.mp4"
    clips.rewrite(source, target, lambda _, frame: frame)
    for before, after in zip(clips.frames(source), clips.frames(target), strict=True):
        assert before.shape == (1, 3, SIZE[1], SIZE[0])
        assert float((before - after).abs().mean()) < 0.01 and float((before - after).mean().abs()) < 0.004


@pytest.mark.parametrize("codec,form", [("libx264rgb", "rgb24"), ("ffv1", "gbrp10le"), ("ffv1", "bgr0")])
def test_a_clip_of_red_green_and_blue_is_read_as_it_is_and_written_with_a_matrix(tmp_path: Path, codec: str, form: str) -> None:
    source, target = tmp_path / "a.mkv", tmp_path / "b.mkv"
    levels = np.linspace(0, 255, 16).round().astype(np.uint8).repeat(4)
    pixels = np.stack([levels, levels[::-1], levels // 2], -1)[None].repeat(48, 0)
    with av.open(str(source), "w") as out:
        video = out.add_stream(codec, rate=25, options={"qp": "0"} if codec == "libx264rgb" else {})
        video.width, video.height, video.pix_fmt = 64, 48, form
        out.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(video.encode(None))
    (frame,) = clips.frames(source)
    want = torch.from_numpy(pixels / 255).permute(2, 0, 1)[None].float()
    assert float((frame - want).abs().max()) < (4 / 1023 if form == "gbrp10le" else 1e-6), "but for how PyAV made it"
    clips.rewrite(source, target, lambda _, frame: frame)
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.colorspace not in (0, 2), "players must know how to undo it"
    (after,) = clips.frames(target)
    assert float((after - want).mean((-2, -1)).abs().max()) < 0.01


def test_odd_sizes_stay(tmp_path: Path) -> None:
    source, target = made(tmp_path / "a.mp4", None, (63, 47), form="yuv444p"), tmp_path / "b.mp4"
    clips.rewrite(source, target, lambda _, frame: frame)
    assert {tuple(f.shape) for f in clips.frames(target)} == {(1, 3, 47, 63)}


def test_a_failure_leaves_no_file_and_keeps_the_old_one(tmp_path: Path) -> None:
    source, target = made(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    target.write_bytes(b"old")

    def stop(number: int, frame: torch.Tensor) -> torch.Tensor:
        if number == 3:
            raise KeyboardInterrupt
        return frame

    with pytest.raises(KeyboardInterrupt):
        clips.rewrite(source, target, stop)
    assert target.read_bytes() == b"old" and sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_mistakes_are_told_before_the_work(tmp_path: Path) -> None:
    source = made(tmp_path / "a.mkv", "flac")
    with pytest.raises(PictureError, match=r"\.mov cannot hold the sound \(flac\)"):
        clips.check_clip_output(source, tmp_path / "b.mov")
    clips.check_clip_output(source, tmp_path / "b.mkv")
    with pytest.raises(PictureError, match="clips are written as"):
        clips.check_clip_output(source, tmp_path / "b.gif")
    with pytest.raises(PictureError, match="is the input"):
        clips.check_clip_output(source, source)
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    with pytest.raises(PictureError, match="cannot be read as a clip"):
        clips.check_clip_output(tmp_path / "bad.mp4", tmp_path / "b.mp4")
