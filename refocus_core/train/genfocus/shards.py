"""Samples in tar files, as WebDataset keeps them: `000000000012.sharp.png`, `000000000012.json`, ... side by side.

`write` fills shards by worker processes and machines and can be stopped at any time: a shard has its name only when it is
complete, and a second run makes those that are missing. `Shards` reads them, from this machine or from afar.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import shutil
import tarfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlparse

from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm
from webdataset.gopen import gopen
from webdataset.shardlists import expand_urls
from webdataset.writer import TarWriter

from ...files.output import write_whole
from .sample_files import RejectedError, Sample, encode

log = logging.getLogger(__name__)

_SCHEMES = ("http", "https", "gs", "hf", "sftp", "scp")
"""Kinds of addresses that shards are read from."""


class Maker(Protocol):
    """Makes sample `index`, or raises `RejectedError`."""

    def __call__(self, index: int) -> Mapping[str, Any]: ...


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
    loader = DataLoader(_Encoded(make, indices), batch_size=None, num_workers=workers, collate_fn=_unchanged)
    encoded = iter(tqdm(loader, total=len(indices), disable=not show, dynamic_ncols=True))
    for number in missing:
        _write_shard(shard_path(folder, number), encoded, len(range(number * per_shard, min((number + 1) * per_shard, count))))
    notes = [json.loads(_note(shard_path(folder, s)).read_text()) for s in mine]
    return Written(
        len(missing),
        len(mine) - len(missing),
        sum(n["samples"] for n in notes),
        {k: v for n in notes for k, v in n["rejected"].items()},
    )


def _write_shard(path: Path, encoded: Iterator[tuple[int, Sample | None, str]], count: int) -> None:
    """The next `count` samples as a shard with its note, complete or not at all."""
    rejected: dict[str, str] = {}

    def write(file: BinaryIO) -> None:
        with TarWriter(file, mtime=0, encoder=False, compress=False) as tar:
            for index, sample, why in islice(encoded, count):
                if sample is None:
                    rejected[str(index)] = why
                else:
                    tar.write({"__key__": f"{index:012d}", **sample})
        note = {"samples": count - len(rejected), "rejected": rejected}
        _note(path).write_text(json.dumps(note, indent=1))

    write_whole(path, write)


def _note(path: Path) -> Path:
    """The file beside a shard that says how many samples it holds."""
    return path.with_suffix(".json")


def _unchanged(x: Any) -> Any:
    return x


class _Encoded(Dataset[Any]):
    """(index, encoded sample or None, why it was rejected) of the samples with these numbers."""

    def __init__(self, make: Maker, indices: Sequence[int]) -> None:
        self.make, self.indices = make, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> tuple[int, Sample | None, str]:
        index = self.indices[position]
        try:
            return index, encode(self.make(index)), ""
        except RejectedError as error:
            return index, None, str(error)


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
            with gopen(name) as source:  # two processes may both fetch it; either file is the shard
                write_whole(path, functools.partial(shutil.copyfileobj, source))
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
