"""Views for depth networks, from nothing.

    python -m refocus_core.train.levels fetch                            packages of games and cut-outs (1.2 GB)
    python -m refocus_core.train.levels make openarena --slices 0 40     64 views a slice; those that exist are left alone
    python -m refocus_core.train.levels make rooms --held-out            what is never trained on

Into --folder (default ~/.cache/refocus/train-depth/shards). Needs the extra `train`, and libegl1 with libgl1-mesa-dri
where there is no GPU. The photos behind the levels: python -m refocus_core.train.common.photos
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from . import shards, sources


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw views with exact depth.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="download what the views are made from")
    fetch.add_argument("packages", nargs="?", default="", help="only packages whose names begin with this")
    make = commands.add_parser("make", help="draw slices of 64 views")
    make.add_argument("kind", choices=shards.KINDS)
    make.add_argument("--slices", type=int, nargs=2, default=(0, 1), metavar=("FIRST", "COUNT"))
    make.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "refocus" / "train-depth" / "shards")
    make.add_argument("--seed", type=int, default=1)
    make.add_argument("--held-out", action="store_true", help="levels and pictures that are never trained on")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if args.command == "fetch":
        sources.fetch(args.packages)
    else:
        first, count = args.slices
        shards.make(args.folder, args.kind, range(first, first + count), args.seed, held_out=args.held_out)


if __name__ == "__main__":
    main()
