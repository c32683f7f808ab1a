"""Work on several threads gives what one thread gives, and leaves torch's number of threads as it was; freed memory goes back."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator

import pytest
import torch

from refocus_core import bokeh
from refocus_core.bokeh.parallel import give_back_memory, side_by_side
from refocus_core.types import DefocusMap

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def in_new_thread() -> int:
    """How many threads torch would use in a thread that begins now: set for the whole process, unlike the caller's own."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


def scene() -> tuple[torch.Tensor, DefocusMap]:
    """A sharp disc before a blurred background, and a blurred one before both: 300 x 260 px, so several tiles."""
    y, x = torch.meshgrid(torch.arange(260.0), torch.arange(300.0), indexing="ij")
    radius = torch.full((260, 300), 9.0)
    radius[(y - 130) ** 2 + (x - 100) ** 2 < 70**2] = 0
    radius[(y - 160) ** 2 + (x - 210) ** 2 < 50**2] = -12
    return torch.rand(1, 3, 260, 300, generator=torch.Generator().manual_seed(4)), DefocusMap.from_radius(radius)


@pytest.mark.parametrize("quality", ["draft", "normal"])
def test_a_rendering_is_the_same_on_one_thread_and_on_several(quality: str) -> None:
    image, defocus = scene()
    several = bokeh.render(image, defocus, quality=quality)
    assert torch.get_num_threads() == in_new_thread() == 4
    torch.set_num_threads(1)
    torch.testing.assert_close(several, bokeh.render(image, defocus, quality=quality), atol=2e-5, rtol=1e-5)


def test_results_come_in_order_from_threads_that_have_one_thread_each() -> None:
    seen: set[tuple[str, int]] = set()

    def work(n: int) -> int:
        seen.add((threading.current_thread().name, torch.get_num_threads()))
        return n * n

    assert list(side_by_side(work, range(20), CPU)) == [n * n for n in range(20)]
    assert {threads for _, threads in seen} == {1}
    assert threading.current_thread().name not in {name for name, _ in seen}
    assert torch.get_num_threads() == in_new_thread() == 4


def test_modes_of_the_caller_hold_in_the_threads() -> None:
    with torch.inference_mode():
        made = list(side_by_side(lambda n: torch.ones(n), range(1, 5), CPU))
    assert all(t.is_inference() for t in made)
    made = list(side_by_side(lambda n: torch.ones(n, requires_grad=True) * 2, range(1, 5), CPU))
    assert not any(t.is_inference() or t.requires_grad for t in made)


def test_an_error_reaches_the_caller_and_ends_what_has_not_begun() -> None:
    begun: list[int] = []

    def work(n: int) -> int:
        begun.append(n)
        if n == 2:
            raise RuntimeError("no light")
        threading.Event().wait(0.01)
        return n

    with pytest.raises(RuntimeError, match="no light"):
        list(side_by_side(work, range(1000), CPU))
    assert len(begun) < 1000
    assert torch.get_num_threads() == in_new_thread() == 4


def test_a_caller_that_stops_between_two_tiles_ends_the_rendering() -> None:
    """ComfyUI's Cancel raises in the progress callback."""
    image, defocus = scene()
    calls: list[int] = []

    def progress(done: int, total: int) -> None:
        calls.append(done)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        bokeh.render(image, defocus, progress=progress)
    assert len(calls) == 1
    assert torch.get_num_threads() == in_new_thread() == 4


def resident_mib() -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc, which keeps freed memory"
)
def test_freed_memory_goes_back_to_the_system() -> None:
    torch.ones(30 * 2**18)  # freed at once: from now on glibc keeps blocks as large as this
    blocks = [torch.ones(2**18) for _ in range(256)]  # 1 MiB each
    kept = blocks[1::2]
    del blocks
    before = resident_mib()
    give_back_memory()
    assert before - resident_mib() > 100
    assert all(float(t.sum()) == 2**18 for t in kept)
