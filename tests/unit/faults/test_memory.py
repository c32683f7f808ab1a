"""Memory that is not there: smaller tiles where there are tiles, else a sentence and exit code 2. The lack is real."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from refocus_core.faults import in_words, is_out_of_memory
from refocus_core.restore.tiling import run_tiled

TOO_MUCH = 1 << 46
"""Numbers that no computer's address space holds."""


def ask_for_too_much(*_: object) -> torch.Tensor:
    return torch.empty(TOO_MUCH)


def test_a_lack_of_memory_is_known_whoever_tells_of_it() -> None:
    for ask in (ask_for_too_much, lambda: np.empty(TOO_MUCH)):
        with pytest.raises((RuntimeError, MemoryError)) as told:
            ask()
        assert is_out_of_memory(told.value)
        assert "not enough memory" in in_words(told.value) and "smaller picture" in in_words(told.value)
    assert is_out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory."))
    assert in_words(ValueError("Too far.")) == "Too far." and not is_out_of_memory(RuntimeError("no finite depth"))


def test_tiles_are_halved_on_a_cpu_too() -> None:
    sides: list[int] = []

    def hungry(tile: torch.Tensor, *_: object) -> torch.Tensor:
        sides.append(tile.shape[-1])
        return ask_for_too_much() if tile.shape[-1] > 64 else tile.clone()

    image = torch.rand(1, 3, 128, 128)
    torch.testing.assert_close(run_tiled(hungry, image, 128, name="hungry"), image)
    assert sides[:2] == [128, 64]
    with pytest.raises(RuntimeError, match="starved does not fit into memory even in tiles of 64 px") as told:
        run_tiled(ask_for_too_much, image, 128, name="starved")
    assert in_words(told.value).startswith("starved does not fit")


STARVED = """
import resource, sys
from refocus_core.cli import main
small, large, *options = sys.argv[1:]
assert main([small, *options]) == 0  # everything is loaded
with open("/proc/self/statm") as file:
    held = int(file.read().split()[0]) * resource.getpagesize()
limit = held + 160 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(main([large, *options]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory that hold are Linux's")
@pytest.mark.parametrize("depth", ["picture", "network"])
def test_the_command_line_ends_in_words(tmp_path: Path, depth: str) -> None:
    from tests.helpers.disks import run_program

    rng = np.random.default_rng(0)
    for name, size in (("small", (48, 40)), ("large", (2400, 2000))):
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(tmp_path / f"{name}.bmp")
    ramp = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (40, 1))
    Image.fromarray(ramp).save(tmp_path / "depth.png")
    given = ["--deblur", "none", "--blur", "2", "--refine", "0", "-q", "-o", tmp_path / "o.png"]
    given += ["--depth", tmp_path / "depth.png"] if depth == "picture" else []
    child = run_program(STARVED, tmp_path / "small.bmp", tmp_path / "large.bmp", *given, cwd=tmp_path)
    _, said = child.communicate(timeout=200)
    assert child.returncode == 2, said
    assert "Traceback" not in said and "not enough memory" in said and "smaller picture" in said, said
