"""Numbers for a picture against its truth. Pictures are [3,H,W] sRGB in 0..1.

LPIPS (AlexNet, v0.1, package lpips) and DISTS (package piq) stand on networks whose weights are published as PyTorch files. They
are looked for in the folder of torch's hub and never fetched here; without them a table says "not available".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from refocus_core.train.genfocus.measure import laplacian_variance, ssim

Metric = Callable[[Tensor, Tensor], float]
"""(result, truth) -> number."""

FILES: dict[str, tuple[str, ...]] = {
    "lpips": ("alexnet-owt-7be5be79.pth",),
    "dists": ("vgg16-397923af.pth", "dists_weights.pt"),
}
"""What each metric needs, by the names under which torch's hub keeps them."""
ORIGIN = {
    "alexnet-owt-7be5be79.pth": "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "vgg16-397923af.pth": "https://download.pytorch.org/models/vgg16-397923af.pth",
    "dists_weights.pt": (
        "https://github.com/photosynthesis-team/photosynthesis.metrics/releases/download/v0.4.0/dists_weights.pt"
    ),
}
"""Where each file of weights is published."""
ALL = ("psnr", "ssim", "lpips", "dists")
"""Metrics of a picture against its truth, in the order of a table."""
BETTER = {"psnr": "higher", "ssim": "higher", "lpips": "lower", "dists": "lower", "lvcorr": "higher"}
"""Which way each metric is better."""


class MetricMissingError(FileNotFoundError):
    """A metric's weights are not on this machine; the message names the file and where it is published."""


def weights_folder() -> Path:
    """Where torch's hub keeps downloaded weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def psnr(result: Tensor, truth: Tensor) -> float:
    """dB over all pixels and channels, of values clipped to 0..1; 100 for equal pictures."""
    error = float((result.clamp(0, 1) - truth.clamp(0, 1)).double().square().mean())
    return float(-10 * torch.tensor(max(error, 1e-10), dtype=torch.float64).log10())


def _ssim(result: Tensor, truth: Tensor) -> float:
    return ssim(result.clamp(0, 1), truth.clamp(0, 1))


def _load(folder: Path, name: str) -> dict[str, Tensor]:
    return torch.load(folder / name, map_location="cpu", weights_only=True)


def _lpips(folder: Path) -> Metric:
    import lpips

    # The trained heads come with the package; the trunk is built empty and filled here.
    net: Any = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    trunk = _load(folder, FILES["lpips"][0])
    own = {k: k.split(".") for k in net.net.state_dict()}  # slice2.3.weight is torchvision's features.3.weight
    net.net.load_state_dict({k: trunk[f"features.{i}.{part}"] for k, (_, i, part) in own.items()})

    @torch.no_grad()
    def measure(result: Tensor, truth: Tensor) -> float:
        return float(net(result[None].clamp(0, 1) * 2 - 1, truth[None].clamp(0, 1) * 2 - 1))

    return measure


def _dists(folder: Path) -> Metric:
    import piq
    from torchvision.models.vgg import cfgs, make_layers

    features = make_layers(cfgs["D"])  # VGG-16 without the classifier, which is most of it
    trunk = _load(folder, FILES["dists"][0])
    features.load_state_dict({k.removeprefix("features."): v for k, v in trunk.items() if k.startswith("features.")})
    heads = _load(folder, FILES["dists"][1])

    class Offline(piq.DISTS):
        """piq's DISTS with weights from files instead of the network."""

        def __init__(self) -> None:
            channels = [3, 64, 128, 256, 512, 512]
            weights = [*torch.split(heads["alpha"], channels, 1), *torch.split(heads["beta"], channels, 1)]
            piq.ContentLoss.__init__(
                self,
                feature_extractor=features,
                layers=["3", "8", "15", "22", "29"],  # relu1_2, relu2_2, relu3_3, relu4_3, relu5_3
                weights=weights,
                replace_pooling=True,
                normalize_features=False,
                allow_layers_weights_mismatch=True,
            )

    net = Offline()

    @torch.no_grad()
    def measure(result: Tensor, truth: Tensor) -> float:
        return float(net(result[None].clamp(0, 1), truth[None].clamp(0, 1)))

    return measure


def load(wanted: Sequence[str] | None, folder: Path | None = None) -> dict[str, Metric | None]:
    """The metrics, None where one is not available.

    Args:
        wanted: names that must be there; None takes all that are.
        folder: of weights; default `weights_folder()`.

    Raises:
        ValueError: on an unknown name.
        MetricMissingError: if a wanted one lacks its weights or its package.
    """
    folder = folder or weights_folder()
    makers: Mapping[str, Callable[[Path], Metric]] = {"lpips": _lpips, "dists": _dists}
    out: dict[str, Metric | None] = {}
    for name in ALL if wanted is None else wanted:
        if name not in ALL:
            raise ValueError(f"Unknown metric {name!r}. Known: {', '.join(ALL)}.")
        missing = [f for f in FILES.get(name, ()) if not (folder / f).is_file()]
        if missing and wanted is not None:
            raise MetricMissingError(
                f"{name} needs {missing[0]}, which is not in {folder}. Fetch {ORIGIN[missing[0]]} and put it there, "
                "or leave the metric out."
            )
        if missing:
            out[name] = None
        elif name in makers:
            try:
                out[name] = makers[name](folder)
            except ImportError as error:
                if wanted is not None:
                    raise MetricMissingError(f"{name} needs the package {error.name}: pip install {error.name}.") from error
                out[name] = None
        else:
            out[name] = psnr if name == "psnr" else _ssim
    return out


def lvcorr(gains: Sequence[float], results: Sequence[Tensor]) -> float:
    """How evenly blur follows K: Pearson correlation of K with the fall of the Laplacian's variance.

    Over pictures [3,H,W] of one scene. 1 where the variance falls in proportion to K. NaN where nothing changes.
    """
    k = torch.tensor(gains, dtype=torch.float64)
    v = -torch.tensor([laplacian_variance(r.clamp(0, 1)) for r in results], dtype=torch.float64)
    k, v = k - k.mean(), v - v.mean()
    scale = k.norm() * v.norm()
    return float((k * v).sum() / scale) if float(scale) > 0 else float("nan")
