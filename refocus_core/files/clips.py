"""Clips in and out by PyAV: frame after frame, sound as it is, every frame at its own time.

A frame's colours are decoded by the clip's own matrix and range, at 16 bits, and encoded by the same; its curve counts as sRGB's,
as of any video that is no HDR. PyAV is the extra `clip`; ComfyUI installs it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .formats import CLIP_CONTAINERS, PictureError
from .output import check_place, write_whole

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_CODEC = "libx264"
"""H.264, which every player takes."""
_QUALITY = {"crf": "16", "preset": "medium"}
"""Of H.264: a constant rate factor at which losses are hard to see. A smaller one makes larger files."""
_HDR_CURVES = {16: "PQ", 18: "HLG"}
"""Transfer characteristics (ITU-T H.273) of HDR, whose light is not sRGB's."""
_HD_LINES = 720
"""From this height on a clip that does not say its matrix has that of HD, as players assume."""
_BT601, _BT709, _UNSPECIFIED = 5, 1, 2
"""Matrices as H.273 numbers them; the last means that the clip does not say."""
_LIMITED = 1
"""Range of a clip that does not say it, as H.273 numbers it: black at 16, white at 235."""
_INTERPOLATION = 0x4 | 0x2000 | 0x4000 | 0x40000
"""How swscale brings colour to full resolution and back: bicubic, colour at every pixel, rounded exactly. Without the last two a
clip gets darker by half a step of 8 bits."""
_WHITE = 65535.0
"""White in 16 bits."""
_BYTE, _WORD = 8, 16
"""Bits up to which a value of a frame fits into one or two bytes."""
_RGB = 0
"""The "matrix" of a clip that holds red, green and blue themselves, as H.273 numbers it."""

Change = Callable[[int, Tensor], Tensor]
"""`change(number, frame)`: a frame [1,3,H,W] sRGB 0..1 -> the same size, what is to be written in its place."""


def check_clip_output(source: Path, target: Path) -> None:
    """Before long work: can a clip be written there, with the sound of `source`?

    Raises:
        PictureError: if the type is none that is written or does not take the sound, the folder is missing or closed, or it is
            `source`; or if `source` cannot be read as a clip of frames that are handled here.
        ImportError: if PyAV is missing.
    """
    if target.suffix.lower() not in CLIP_CONTAINERS:
        raise PictureError(f"{target}: clips are written as {', '.join(CLIP_CONTAINERS)}. Choose one of these endings.")
    check_place(target, (source,))
    with _opened(source) as container:
        video = _video(container, source)
        frame = next(container.decode(video), None)
        if frame is None:
            raise PictureError(f"{source} has no frame that can be decoded. Convert it in a video program first.")
        _tensor(source, frame)
        for sound in container.streams.audio:
            if not _holds(target, sound):
                name = sound.codec_context.name
                raise PictureError(
                    f"{target}: {target.suffix} cannot hold the sound ({name}) as it is. Choose .mkv, which holds any."
                )


def holds_sound(source: Path, target: Path) -> bool:
    """Whether a file of the type of `target`, one of `CLIP_CONTAINERS`, takes the sound of a clip as it is, if there is any.

    Raises:
        PictureError, ImportError: if the clip cannot be read.
    """
    with _opened(source) as container:
        return all(_holds(target, sound) for sound in container.streams.audio)


def frame_count(source: Path) -> int | None:
    """How many frames the clip says that it has; None if it does not say. For progress only."""
    with _opened(source) as container:
        return _video(container, source).frames or None


def frames(source: Path) -> Iterator[Tensor]:
    """Every frame [1,3,H,W] float32, sRGB-encoded 0..1, upright, one at a time.

    Raises:
        PictureError: if it is no clip, or one of a kind that is not handled here.
        ImportError: if PyAV is missing.
    """
    with _opened(source) as container:
        for frame in container.decode(_video(container, source)):
            yield _tensor(source, frame)


def rewrite(source: Path, target: Path, change: Change) -> None:
    """Write a clip with every frame changed, whole or not at all; frames keep their times, sound is copied as it is.

    Raises:
        PictureError, ImportError: as `check_clip_output`.
    """
    kind = CLIP_CONTAINERS[target.suffix.lower()]

    def write(file: BinaryIO) -> None:
        with _opened(source) as container:
            import av

            with av.open(_Sink(file), "w", format=kind) as out:
                _Rewriter(container, out, source, target, change).run()

    write_whole(target, write)


class _Sink:
    """A file that PyAV writes to. It fails once, and then takes everything.

    PyAV goes on writing while it closes, and prints a traceback for each further failure; such a file is given up anyhow.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._failed = file, False

    def _unless_failed(self, call: Callable[[], int], otherwise: int) -> int:
        if self._failed:
            return otherwise
        try:
            return call()
        except OSError:
            self._failed = True
            raise

    def write(self, data: bytes) -> int:
        return self._unless_failed(lambda: self._file.write(data), len(data))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._unless_failed(lambda: self._file.seek(offset, whence), offset)

    def tell(self) -> int:
        return self._unless_failed(self._file.tell, 0)


class _Rewriter:
    """One pass from a container to another one."""

    def __init__(self, container: InputContainer, out: OutputContainer, source: Path, target: Path, change: Change) -> None:
        self.container, self.out, self.source, self.target, self.change = container, out, source, target, change
        self.video = _video(container, source)
        self.encoder: VideoStream | None = None
        self.number = 0

    def run(self) -> None:
        sounds = list(self.container.streams.audio)
        waiting = True  # for the first frame, which says what is to be encoded; sound before it waits
        held: list[Packet] = []
        copies = {}
        for packet in self.container.demux([self.video, *sounds]):
            if packet.stream is not self.video:
                if packet.dts is not None:
                    held.append(packet)
            else:
                for frame in packet.decode():
                    if waiting:
                        self.encoder = self._encoder(frame)  # pyright: ignore[reportArgumentType] - a video packet's
                        copies = {s.index: self.out.add_stream_from_template(s) for s in sounds}
                        waiting = False
                    self._encode(frame)  # pyright: ignore[reportArgumentType]
            if not waiting:
                for sound in held:
                    sound.stream = copies[sound.stream.index]
                    self.out.mux(sound)
                held.clear()
        if self.encoder is None:
            raise PictureError(f"{self.source} has no frame that can be decoded. Convert it in a video program first.")
        self.out.mux(self.encoder.encode(None))

    def _encoder(self, frame: VideoFrame) -> VideoStream:
        h, w = _tensor(self.source, frame).shape[-2:]
        stream: VideoStream = self.out.add_stream(  # pyright: ignore[reportAssignmentType] - the codec's kind
            _CODEC, rate=self.video.average_rate or 25, options=dict(_QUALITY)
        )
        stream.width, stream.height = w, h
        deep = frame.format.components[0].bits > 8
        stream.pix_fmt = f"yuv{'420' if h % 2 == w % 2 == 0 else '444'}p{'10le' if deep else ''}"
        context = stream.codec_context
        if self.video.time_base is not None:
            context.time_base = stream.time_base = self.video.time_base
        context.colorspace, context.color_range = _matrix(frame), frame.color_range
        context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
        if self.video.sample_aspect_ratio:
            context.sample_aspect_ratio = self.video.sample_aspect_ratio
        return stream

    def _encode(self, frame: VideoFrame) -> None:
        import av

        assert self.encoder is not None
        changed = self.change(self.number, _tensor(self.source, frame))
        self.number += 1
        pixels = (changed[0].clamp(0, 1) * _WHITE).round().permute(1, 2, 0).cpu().numpy().astype(np.uint16)
        made = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb48le").reformat(
            format=self.encoder.pix_fmt,
            dst_colorspace=_matrix(frame),
            dst_color_range=frame.color_range or _LIMITED,
            interpolation=_INTERPOLATION,
        )
        made.pts, made.time_base = frame.pts, frame.time_base
        self.out.mux(self.encoder.encode(made))


def _opened(source: Path) -> InputContainer:
    """The clip, to be closed by the caller."""
    try:
        import av
        from av.error import FFmpegError
    except ImportError as e:
        raise ImportError("Clips need PyAV: pip install av (the extra 'clip').") from e
    try:
        return av.open(str(source))
    except (FFmpegError, OSError) as e:
        raise PictureError(f"{source} cannot be read as a clip ({e}). Convert it in a video program first.") from e


def _video(container: InputContainer, source: Path) -> VideoStream:
    if not container.streams.video:
        raise PictureError(f"{source} has no pictures, only sound. Give a clip.")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return stream


def _tensor(source: Path, frame: VideoFrame) -> Tensor:
    """[1,3,H,W], upright.

    Raises:
        PictureError: if it is HDR or has transparency, which would come out wrong.
    """
    if frame.color_trc in _HDR_CURVES:
        raise PictureError(f"{source} is HDR ({_HDR_CURVES[frame.color_trc]}), which is not handled. Convert it to SDR first.")
    if any(part.is_alpha for part in frame.format.components):
        raise PictureError(f"{source} has transparency, which a clip would lose here. Convert it to a clip without.")
    pixels = _rgb(frame) if frame.format.is_rgb else _converted(frame)
    upright = np.rot90(pixels, round(frame.rotation / 90) % 4)
    return torch.from_numpy(np.ascontiguousarray(upright)).permute(2, 0, 1)[None].contiguous()


def _converted(frame: VideoFrame) -> npt.NDArray[np.float32]:
    """[H,W,3] 0..1, by the clip's matrix and range."""
    pixels = frame.reformat(
        format="rgb48le",
        src_colorspace=_matrix(frame),
        src_color_range=frame.color_range or _LIMITED,
        interpolation=_INTERPOLATION,
    )
    return np.divide(pixels.to_ndarray(), _WHITE, dtype=np.float32)


def _rgb(frame: VideoFrame) -> npt.NDArray[np.float32]:
    """[H,W,3] 0..1 of a clip that holds red, green and blue: its numbers as they are, which swscale would round on the way."""
    bits = frame.format.components[0].bits
    if bits <= _BYTE:
        return np.divide(frame.to_ndarray(format="rgb24"), 255, dtype=np.float32)
    if frame.format.name.startswith(("gbrp", "rgb48")) and bits <= _WORD:
        return np.divide(frame.to_ndarray(), (1 << bits) - 1, dtype=np.float32)
    return _converted(frame)


def _matrix(frame: VideoFrame) -> int:
    """Of the clip, and of what is written for it; a clip without one is written with that of its size."""
    if frame.colorspace not in (_UNSPECIFIED, _RGB):
        return frame.colorspace
    return _BT709 if frame.height >= _HD_LINES else _BT601


def _holds(target: Path, sound: AudioStream) -> bool:
    """Whether the container takes the sound: a header is written into memory, and thrown away."""
    import av
    from av.error import FFmpegError

    try:
        with av.open(io.BytesIO(), "w", format=CLIP_CONTAINERS[target.suffix.lower()]) as out:
            out.add_stream_from_template(sound)
            out.start_encoding()
    except (FFmpegError, ValueError):
        return False
    return True
