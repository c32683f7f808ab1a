"""A uniform picture is sharp: whatever looks for detail in it finds none."""

from __future__ import annotations

import pytest
import torch

from refocus_core import restore


@pytest.mark.parametrize("method", ["refocus-deblur-s", "blind-deconvolution"])
def test_a_uniform_picture_stays_uniform_without_a_map(method: str) -> None:
    for height, width in ((1, 1), (1, 50), (17, 3), (40, 64), (150, 90)):
        for value in (0.0, 0.05, 0.5, 1.0):
            image = torch.full((1, 3, height, width), value)
            result = restore.all_in_focus(image, method).image
            torch.testing.assert_close(result, image, atol=1e-3, rtol=0)
