"""A small clip with true sound and uneven times, made by PyAV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from tests.helpers import motorcycle

TIMES_MS = (0, 100, 200, 450)
"""Of the frames of `pan`: 0.1 s apart but for the last one."""
SIZE = (192, 128)
"""Width and height of `pan`."""


def written(
    path: Path, frames: Iterable[np.ndarray], times_ms: Sequence[int], *, sound: str | None = None, form: str = "yuv420p"
) -> Path:
    """Frames [h,w,3] uint8 at their times, nearly without loss, with a tone where a codec is named."""
    import av

    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"crf": "1"})
        tone = out.add_stream(sound, rate=8000, layout="mono") if sound else None
        for i, (pixels, ms) in enumerate(zip(frames, times_ms, strict=True)):
            if i == 0:
                video.height, video.width = pixels.shape[:2]
                video.pix_fmt, video.codec_context.time_base = form, Fraction(1, 1000)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = ms, Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if tone is not None:
            wave = np.sin(np.arange(4096) / 5).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, 0
            out.mux(tone.encode(frame))
            out.mux(tone.encode(None))
    return path


def pan(path: Path, *, sound: str | None = None, times_ms: tuple[int, ...] = TIMES_MS) -> Path:
    """A pan over the motorcycle, with a tone where a codec is named."""
    with Image.open(motorcycle.PHOTO) as im:
        whole = im.convert("RGB").resize((370, 250))
    lefts = (100 + 8 * (i % 8) for i in range(len(times_ms)))
    frames = (np.asarray(whole.crop((left, 60, left + SIZE[0], 60 + SIZE[1]))) for left in lefts)
    return written(path, frames, times_ms, sound=sound)


def times_of(path: Path) -> list[int]:
    """Times of all frames in ms."""
    import av

    with av.open(str(path)) as container:
        return [round(float(f.time) * 1000) for f in container.decode(video=0)]


def sound_of(path: Path) -> list[tuple[bytes, float]]:
    """Every packet of the sound, and its time in s."""
    import av

    with av.open(str(path)) as container:
        packets = list(container.demux(audio=0))
        return [(bytes(p), round(float(p.pts * p.time_base), 4)) for p in packets if p.size]
