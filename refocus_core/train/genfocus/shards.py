"""Samples in tar files, as WebDataset keeps them: `000000000012.sharp.png`, `000000000012.json`, ... side by side.

`write` fills shards by worker processes and machines and can be stopped at any time: a shard has its name only when it is
complete, and a second run makes those that are missing. `ShardExamples` gives samples by number, in an order that is a function
of the seed: that makes a training run exact to resume and the same on any number of processes. The order takes a few shards at
a time, so remote shards can be fetched one after the other into a bounded cache.
"""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import tarfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlparse

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm
from webdataset.gopen import gopen
from webdataset.shardlists import expand_urls
from webdataset.writer import TarWriter

from ..common.loop import generator

log = logging.getLogger(__name__)

Sample = dict[str, bytes]
"""Name within the sample ("sharp.png", "json") -> content."""


class RejectedError(Exception):
    """A sample that must not become one; the message says why. It is counted, not written."""


# --- writing --------------------------------------------------------------------------------------------------------------


class Maker(Protocol):
    """Makes sample `index`, or raises `RejectedError`."""

    def __call__(self, index: int) -> Mapping[str, Any]: ...


def encode(values: Mapping[str, Any]) -> Sample:
    """Values to file content, by the ending of their names.

    `.png` takes uint8 [3,H,W], [1,H,W] or [H,W]; `.npy` any tensor; `.safetensors` a mapping of tensors; `json` plain values.
    """
    out: Sample = {}
    for name, value in values.items():
        kind = name.rsplit(".", 1)[-1]
        if isinstance(value, bytes):
            out[name] = value
        elif kind == "png":
            array = value.cpu().numpy()
            array = array.transpose(1, 2, 0) if array.ndim == 3 else array
            array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
            stream = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(array)).save(stream, "PNG", compress_level=3)
            out[name] = stream.getvalue()
        elif kind == "npy":
            stream = io.BytesIO()
            np.save(stream, value.cpu().numpy(), allow_pickle=False)
            out[name] = stream.getvalue()
        elif kind == "safetensors":
            out[name] = save_tensors({n: t.cpu().contiguous() for n, t in value.items()})
        elif kind == "json":
            out[name] = json.dumps(value, sort_keys=True).encode()
        else:
            raise ValueError(f"{name}: cannot write a .{kind} member. Known: png, npy, safetensors, json.")
    return out


def decode(sample: Mapping[str, bytes]) -> dict[str, Any]:
    """The inverse of `encode`; other pictures Pillow reads are taken too, unknown members stay bytes."""
    out: dict[str, Any] = {}
    for name, content in sample.items():
        kind = name.rsplit(".", 1)[-1].lower()
        if kind in ("png", "jpg", "jpeg", "webp"):
            with Image.open(io.BytesIO(content)) as im:
                array = np.array(im if im.mode in ("L", "RGB") else im.convert("RGB"))
            out[name] = torch.from_numpy(array[None] if array.ndim == 2 else array.transpose(2, 0, 1).copy())
        elif kind == "npy":
            out[name] = torch.from_numpy(np.load(io.BytesIO(content), allow_pickle=False))
        elif kind == "safetensors":
            out[name] = load_tensors(content)
        elif kind == "json":
            out[name] = json.loads(content)
        else:
            out[name] = content
    return out


@dataclass(frozen=True)
class Written:
    """What a run of `write` did: shards made now, shards that were there, samples and rejections over all its shards."""

    made: int
    kept: int
    samples: int
    rejected: dict[str, str]


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:06d}.tar"


def write(
    make: Maker,
    count: int,
    folder: Path,
    *,
    per_shard: int = 256,
    workers: int = 0,
    process: int = 0,
    processes: int = 1,
    show: bool = True,
) -> Written:
    """Samples 0..count-1 as shards of `per_shard`; shard s is the work of process s % processes.

    Beside every shard lies `shard-NNNNNN.json` with the number of samples and what was rejected and why.

    Raises:
        ValueError: if process is not within 0..processes-1.
    """
    if not 0 <= process < processes:
        raise ValueError(f"process must lie in 0..{processes - 1}, got {process}.")
    folder.mkdir(parents=True, exist_ok=True)
    mine = range(process, -(-count // per_shard), processes)
    missing = [s for s in mine if not (shard_path(folder, s).is_file() and _note(shard_path(folder, s)).is_file())]
    indices = [i for s in missing for i in range(s * per_shard, min((s + 1) * per_shard, count))]
    loader = DataLoader(_Made(make, indices), batch_size=None, num_workers=workers, collate_fn=_same)
    items = iter(tqdm(loader, total=len(indices), disable=not show, dynamic_ncols=True))
    for number in missing:
        path = shard_path(folder, number)
        part = path.with_name(path.name + f".{os.getpid()}.part")
        rejected: dict[str, str] = {}
        samples = 0
        try:
            with part.open("wb") as stream, TarWriter(stream, mtime=0, encoder=False, compress=False) as tar:
                for _ in range(number * per_shard, min((number + 1) * per_shard, count)):
                    index, sample, why = next(items)
                    if sample is None:
                        rejected[str(index)] = why
                        continue
                    tar.write({"__key__": f"{index:012d}", **sample})
                    samples += 1
            _note(path).write_text(json.dumps({"samples": samples, "rejected": rejected}, indent=1))
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    notes = [json.loads(_note(shard_path(folder, s)).read_text()) for s in mine]
    return Written(
        len(missing),
        len(mine) - len(missing),
        sum(n["samples"] for n in notes),
        {k: v for n in notes for k, v in n["rejected"].items()},
    )


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def _same(x: Any) -> Any:
    return x


class _Made(Dataset[Any]):
    def __init__(self, make: Maker, indices: Sequence[int]) -> None:
        self.make, self.indices = make, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, place: int) -> tuple[int, Sample | None, str]:
        index = self.indices[place]
        try:
            return index, encode(self.make(index)), ""
        except RejectedError as error:
            return index, None, str(error)


# --- reading --------------------------------------------------------------------------------------------------------------

_SCHEMES = ("http", "https", "gs", "hf", "sftp", "scp")


class Shards:
    """The shards of a folder, of a list, or behind addresses with braces (`https://host/shard-{000000..000099}.tar`).

    Remote shards are fetched whole into `cache`, which keeps the last `keep` of them.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if a kind of address is unknown, or a remote one comes without a cache.
    """

    def __init__(self, where: str | Path | Sequence[str | Path], *, cache: Path | None = None, keep: int = 16) -> None:
        names: list[str] = []
        for entry in [where] if isinstance(where, (str, Path)) else where:
            if Path(entry).is_dir():
                names += [str(p) for p in sorted(Path(entry).glob("*.tar"))]
            else:
                names += [str(n) for n in expand_urls(str(entry))]
        if not names:
            raise FileNotFoundError(f"{where} holds no shard (*.tar).")
        for name in names:
            scheme = urlparse(name).scheme
            if scheme and scheme not in _SCHEMES:
                raise ValueError(f"{name}: shards are read from files or by {', '.join(_SCHEMES)}.")
            if scheme and cache is None:
                raise ValueError(f"{name}: remote shards need a cache folder.")
            if not scheme and not Path(name).is_file():
                raise FileNotFoundError(f"There is no shard {name}.")
        self.names = names
        self._cache, self._keep = cache, keep
        self._tables: OrderedDict[int, tuple[str, list[dict[str, tuple[int, int]]], list[str]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self.names)

    def counts(self) -> list[int]:
        """Samples of each shard, from the note beside it where there is one."""
        return [self._count(i) for i in range(len(self.names))]

    def _count(self, number: int) -> int:
        name = self.names[number]
        if urlparse(name).scheme:
            try:
                with gopen(name.removesuffix(".tar") + ".json") as stream:
                    return int(json.load(stream)["samples"])
            except (OSError, ValueError, KeyError):
                log.info("%s has no note of its number of samples; it is fetched to count them.", name)
        elif (note := _note(Path(name))).is_file():
            return int(json.loads(note.read_text())["samples"])
        return len(self._table(number)[1])

    def local(self, number: int) -> Path:
        """The shard as a file on this machine."""
        name = self.names[number]
        if not urlparse(name).scheme:
            return Path(name)
        assert self._cache is not None
        self._cache.mkdir(parents=True, exist_ok=True)
        path = self._cache / f"{number:06d}-{Path(urlparse(name).path).name}"
        if not path.is_file():
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            with gopen(name) as source, part.open("wb") as target:
                shutil.copyfileobj(source, target)
            os.replace(part, path)  # two processes may both fetch it; either file is the shard
            old = sorted(self._cache.glob("*.tar"), key=lambda p: p.stat().st_mtime)[: -self._keep]
            for p in old:
                p.unlink(missing_ok=True)
        else:
            os.utime(path)
        return path

    def _table(self, number: int) -> tuple[str, list[dict[str, tuple[int, int]]], list[str]]:
        """File, and for each sample in order: member -> (offset, size), and the keys. The last few are kept."""
        path = str(self.local(number))
        known = self._tables.get(number)
        if known is not None and known[0] == path:
            self._tables.move_to_end(number)
            return known
        samples: OrderedDict[str, dict[str, tuple[int, int]]] = OrderedDict()
        with tarfile.open(path) as tar:
            for member in tar:
                if member.isfile():
                    folder, _, base = member.name.rpartition("/")
                    key, _, extension = base.partition(".")
                    full = f"{folder}/{key}" if folder else key
                    samples.setdefault(full, {})[extension] = (member.offset_data, member.size)
        self._tables[number] = (path, list(samples.values()), list(samples))
        while len(self._tables) > self._keep:
            self._tables.popitem(last=False)
        return self._tables[number]

    def sample(self, number: int, place: int) -> tuple[str, Sample]:
        """Key and content of a sample."""
        path, samples, keys = self._table(number)
        with open(path, "rb") as stream:
            content: Sample = {}
            for name, (offset, size) in samples[place].items():
                stream.seek(offset)
                content[name] = stream.read(size)
        return keys[place], content

    def __iter__(self) -> Iterator[tuple[str, Sample]]:
        for number in range(len(self.names)):
            for place in range(len(self._table(number)[1])):
                yield self.sample(number, place)


class ShardExamples:
    """Samples by number, without end (`train.Examples`): each round goes through all of them once, in a new order.

    A round takes the shards in an order drawn from the seed, `together` of them at a time, and mixes the samples of these.

    Args:
        shards: where from.
        seed: of the order.
        together: shards that are mixed; with remote shards, the cache must hold as many and one more.
        convert: (decoded sample, number of the example) -> example.

    Raises:
        ValueError: if all shards are empty.
    """

    def __init__(
        self,
        shards: Shards,
        seed: int,
        convert: Callable[[dict[str, Any], int], Mapping[str, Any]],
        *,
        together: int = 4,
    ) -> None:
        self.shards, self.seed, self.convert, self.together = shards, seed, convert, together
        self._counts = shards.counts()
        self.count = sum(self._counts)
        if not self.count:
            raise ValueError("All shards are empty: every sample was rejected. See the .json files beside them.")
        self._round: tuple[int, list[tuple[int, list[int]]]] = (-1, [])
        self._group: tuple[tuple[int, int], Tensor] | None = None

    def __len__(self) -> int:
        return self.count

    def where(self, index: int) -> tuple[int, int]:
        """(shard, place in it) of example `index`."""
        round_, place = divmod(index, self.count)
        if self._round[0] != round_:
            order = torch.randperm(len(self._counts), generator=generator(self.seed, 21, round_)).tolist()
            groups = [order[i : i + self.together] for i in range(0, len(order), self.together)]
            self._round = (round_, [(sum(self._counts[s] for s in g), g) for g in groups])
        for number, (size, members) in enumerate(self._round[1]):
            if place < size:
                key = (round_, number)
                if self._group is None or self._group[0] != key:
                    self._group = (key, torch.randperm(size, generator=generator(self.seed, 22, round_, number)))
                place = int(self._group[1][place])
                for shard in members:
                    if place < self._counts[shard]:
                        return shard, place
                    place -= self._counts[shard]
            place -= size
        raise AssertionError("unreachable: the groups hold all samples")

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        shard, place = self.where(index)
        _, content = self.shards.sample(shard, place)
        return self.convert(decode(content), index)


class Mixed:
    """Several sources in a fixed proportion: of every `sum(parts)` examples, `parts[j]` come from source j, spread evenly."""

    def __init__(self, sources: Sequence[Any], parts: Sequence[int]) -> None:
        if len(sources) != len(parts) or not sources or min(parts) < 1:
            raise ValueError(f"Give each source a whole number of parts above 0, got {list(parts)} for {len(sources)} source(s).")
        self.sources, self.parts = sources, parts
        total = sum(parts)
        # Each source's examples at the middles of equal shares of the period.
        slots = sorted(((k + 0.5) / n, j) for j, n in enumerate(parts) for k in range(n))
        self._slot: list[tuple[int, int]] = []
        used = [0] * len(parts)
        for _, j in slots[:total]:
            self._slot.append((j, used[j]))
            used[j] += 1

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        round_, place = divmod(index, len(self._slot))
        source, within = self._slot[place]
        return self.sources[source][round_ * self.parts[source] + within]
