"""One blur: the picture that explains the pixels of about one radius, by the alternating direction method of multipliers (ADMM).

In the notation of Almeida & Figueiredo, "Deconvolving images with unknown boundaries using the alternating direction method of
multipliers", IEEE TIP 2013: with the splittings u1 = A x (blur), u2 = P x (gradient) and u3 = x (light is not negative), which
keep the weights w out of the Fourier domain, and with the scaled multipliers d1, d2, d3, one iteration is

    x  <- (mu1 A'A + mu2 P'P + mu3)^-1 (mu1 A'(u1 - d1) + mu2 P'(u2 - d2) + mu3 (u3 - d3))      `_x_update`, by Fourier transforms
    u1 <- argmin 1/2 w (u1 - y)^2 + mu1/2 (u1 - A x - d1)^2                                     `_data_update`
    u2 <- argmin lambda |u2| + mu2/2 |u2 - P x - d2|^2                                          `_gradient_update`, a shrinkage
    u3 <- argmin of u3 >= 0, (u3 - x - d3)^2                                                    `_positive_update`
    dj <- dj + Hj x - uj,    Hj = A, P, 1

(their d has the opposite sign). In all three, Hj x is over-relaxed: alpha Hj x + (1 - alpha) uj (Eckstein & Bertsekas, 1992). The
total variation |P x| is that of Rudin, Osher & Fatemi (1992), over colours as in Bresson & Chan (2008).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ... import images
from ...progress import silent
from ...types import Progress


@dataclass(frozen=True)
class Constants:
    """Constants of the solver; measured over radii from 2 to 8 px and noise from 0.002 to 0.02.

    Attributes:
        iterations: more of them change nothing that is seen.
        mu_data: mu1. A larger penalty forgets the weights' detail, a smaller one needs more iterations.
        mu_gradient: mu2, likewise for the shrinkage of gradients.
        mu_positive: mu3. A larger penalty keeps light from becoming negative sooner, and slows the rest.
        relaxation: alpha, in 1..2. A larger one converges faster until it overshoots.
        regularisation: lambda is this times the noise level to the power `noise_power`. More smooths more.
        noise_power: 1 would smooth clean photos by far too much, 2 noisy ones.
        outlier_srgb: a pixel that is off by this counts a quarter. A larger one trusts the map more.
        outlier_noise: the same in noise levels; the larger of the two holds.
        first_reweighted: iteration in which pixels are first weighted anew: before it nothing is explained yet.
        reweighted_every: iterations from one reweighting to the next.
        explained: share of the pixels around, over the width of the blur, that must be explained: below the first the photo
            stays, from the second the result is taken. Higher shares ring less and sharpen less beside what the map misses.
        darkest_linear: light below which noise is not taken to grow any further by the tone curve.
        gamma: the exponent of a tone curve like sRGB's.
    """

    iterations: int = 20
    mu_data: float = 0.3
    mu_gradient: float = 0.012
    mu_positive: float = 0.01
    relaxation: float = 1.7
    regularisation: float = 0.6
    noise_power: float = 1.5
    outlier_srgb: float = 0.03
    outlier_noise: float = 6.0
    first_reweighted: int = 3
    reweighted_every: int = 2
    explained: tuple[float, float] = (0.5, 0.85)
    darkest_linear: float = 1e-3
    gamma: float = 2.2


CONSTANTS = Constants()
"""What `solve` uses."""

_LEAST_LENGTH = 1e-12
"""Gradients are raised to this before they divide."""
_LEAST_WEIGHT = 1e-6
"""Mean weights are raised to this before they divide."""


def solve(
    y: Tensor,
    trust: Tensor,
    clipped: Tensor,
    kernel: Tensor,
    sigma: float,
    c: Constants = CONSTANTS,
    progress: Progress = silent,
) -> Tensor:
    """Minimise the functional of the package's docstring for one radius.

    Args:
        y: [3,h,w] linear light.
        trust: [h,w] in 0..1, the weight of the pixels.
        clipped: [3,h,w] bool, where y is a lower bound.
        kernel: [1 or 3,m,m], sum 1, m odd.
        sigma: noise level, sRGB units.
        progress: called twice in every iteration.

    Returns:
        [3,h,w] the picture, and y where it explains nothing.
    """
    problem, inner = _problem(y, trust, clipped, kernel, sigma, c)
    state = _State.start(problem)
    x = problem.y
    for i in range(c.iterations):
        spectrum = _x_update(problem, state)
        x = _picture(spectrum, problem.width)
        blurred = _picture(spectrum.mul_(problem.blur), problem.width)
        progress(2 * i + 1, 2 * c.iterations)
        if i >= c.first_reweighted and (i - c.first_reweighted) % c.reweighted_every == 0:
            state.reweight(problem, _explained(problem, blurred))
        _data_update(problem, state, blurred)
        _gradient_update(problem, state, x)
        _positive_update(problem, state, x)
        progress(2 * i + 2, 2 * c.iterations)
    return _unexplained_replaced(problem, x, state.explained)[(..., *inner)]


@dataclass(frozen=True, eq=False)
class _Problem:
    """What does not change over the iterations. Pictures are [3,H,W], padded by an unknown band.

    Attributes:
        y: the photo's linear light, continued into where it is not known.
        weight: [1,H,W], w before reweighting.
        clipped: where y is a lower bound; `any_clipped` tells whether there is any.
        width: W, which half a spectrum does not tell.
        kernel_px: side of the blur.
        blur: the spectrum of A.
        inverse: 1 / (mu1 |A|^2 + mu2 |P|^2 + mu3), in the Fourier domain.
        from_data: mu1 conj(A) times that.
        threshold: lambda / mu2, over three colours.
        difference_unit: 1 over the largest difference of light that noise would make there.
    """

    c: Constants
    y: Tensor
    weight: Tensor
    clipped: Tensor
    any_clipped: bool
    width: int
    kernel_px: int
    blur: Tensor
    inverse: Tensor
    from_data: Tensor
    threshold: float
    difference_unit: Tensor


def _problem(
    y: Tensor, trust: Tensor, clipped: Tensor, kernel: Tensor, sigma: float, c: Constants
) -> tuple[_Problem, tuple[slice, slice]]:
    """The problem, and where the window lies in its padded pictures."""
    h, w = y.shape[-2:]
    m = kernel.shape[-1]
    # An unknown band so wide that opposite borders do not meet through the periodic Fourier transform.
    gap = m + 1
    height, width = images.fast_fft_length(h + gap), images.fast_fft_length(w + gap)
    top, left = (height - h) // 2, (width - w) // 2
    pad = (left, width - w - left, top, height - h - top)
    weight = F.pad(trust[None], pad)
    y = images.fill_holes(F.pad(y, pad), weight)
    clipped = F.pad(clipped, pad)
    blur = _transfer(kernel, height, width)
    laplacian = _laplacian(height, blur.shape[-1], width, y.device)
    inverse = 1 / (c.mu_data * blur.abs().square() + c.mu_gradient * laplacian + c.mu_positive)
    noise_unit = 1 / c.gamma / max(c.outlier_srgb, c.outlier_noise * sigma)
    problem = _Problem(
        c=c,
        y=y,
        weight=weight,
        clipped=clipped,
        any_clipped=bool(clipped.any()),
        width=width,
        kernel_px=m,
        blur=blur,
        inverse=inverse,
        from_data=c.mu_data * blur.conj() * inverse,
        threshold=c.regularisation * sigma**c.noise_power / c.mu_gradient * math.sqrt(3),
        difference_unit=y.clamp(c.darkest_linear, 1).pow(1 / c.gamma - 1).mul_(noise_unit),
    )
    return problem, (slice(top, top + h), slice(left, left + w))


def _transfer(kernel: Tensor, height: int, width: int) -> Tensor:
    """Half spectrum of a kernel [C,m,m] whose middle pixel is the origin."""
    m = kernel.shape[-1]
    spread = torch.zeros(kernel.shape[0], height, width, device=kernel.device)
    spread[:, :m, :m] = kernel
    return torch.fft.rfft2(spread.roll((-(m // 2), -(m // 2)), (-2, -1)))


def _laplacian(height: int, half_width: int, width: int, device: torch.device) -> Tensor:
    """|P|^2 of forward differences on the torus, [height, half_width]."""
    freq_y = torch.arange(height, device=device)[:, None] * (2 * math.pi / height)
    freq_x = torch.arange(half_width, device=device)[None] * (2 * math.pi / width)
    return 4 - 2 * freq_y.cos() - 2 * freq_x.cos()


@dataclass(eq=False)
class _State:
    """What the iterations change, in place: the time goes into memory traffic.

    Attributes:
        u_data, u_gradient, u_positive: u1 [3,H,W], u2 [2,3,H,W], u3 [3,H,W].
        d_data, d_gradient, d_positive: their scaled multipliers. `_x_update` takes d2 and d3 off u2 and u3, whose own updates
            count on it.
        explained: [1,H,W] in 0..1, how far each pixel is explained.
        fit_y, fit_blur: w y / (w + mu1) and mu1 / (w + mu1): what the data's update takes of the photo and of the blurred
            picture.
    """

    u_data: Tensor
    d_data: Tensor
    u_gradient: Tensor
    d_gradient: Tensor
    u_positive: Tensor
    d_positive: Tensor
    explained: Tensor
    fit_y: Tensor
    fit_blur: Tensor

    @classmethod
    def start(cls, p: _Problem) -> _State:
        """x = y, all multipliers 0, everything explained."""
        y, gradient = p.y, _gradient(p.y)
        zeros, ones = torch.zeros_like(y), torch.ones_like(p.weight)
        fit_y, fit_blur = _fit(p, p.weight)
        return cls(y.clone(), zeros, gradient, torch.zeros_like(gradient), y.clone(), zeros.clone(), ones, fit_y, fit_blur)

    def reweight(self, p: _Problem, explained: Tensor) -> None:
        """Weigh each pixel by how far it is explained."""
        self.explained = explained
        self.fit_y, self.fit_blur = _fit(p, p.weight * explained)


def _fit(p: _Problem, weight: Tensor) -> tuple[Tensor, Tensor]:
    return weight * p.y / (weight + p.c.mu_data), p.c.mu_data / (weight + p.c.mu_data)


def _x_update(p: _Problem, s: _State) -> Tensor:
    """Half spectrum of the next x."""
    prior = _gradient_adjoint(s.u_gradient.sub_(s.d_gradient)).mul_(p.c.mu_gradient)
    prior.add_(s.u_positive.sub_(s.d_positive), alpha=p.c.mu_positive)
    spectrum = torch.fft.rfft2(prior).mul_(p.inverse)
    return spectrum.add_(torch.fft.rfft2(s.u_data - s.d_data).mul_(p.from_data))


def _explained(p: _Problem, blurred: Tensor) -> Tensor:
    """[1,H,W], the weights of Geman & McClure for what the blurred picture is off; 1 where it is not."""
    off = blurred - p.y
    if p.any_clipped:
        off = torch.where(p.clipped, off.clamp_max(0), off)
    return off.mul_(p.difference_unit).square_().amax(0, keepdim=True).add_(1).square_().reciprocal_()


def _data_update(p: _Problem, s: _State, blurred: Tensor) -> None:
    """u1 and d1; `blurred` is A x, and is used up. Where the sensor clipped, more light than the photo's is no error."""
    z = blurred.mul_(p.c.relaxation).add_(s.u_data, alpha=1 - p.c.relaxation).add_(s.d_data)
    u = torch.addcmul(s.fit_y, z, s.fit_blur)
    s.u_data = torch.where(p.clipped & (z > p.y), z, u) if p.any_clipped else u
    s.d_data = z.sub_(s.u_data)


def _relaxed(p: _Problem, scaled_hx: Tensor, u_without_d: Tensor, d: Tensor) -> Tensor:
    """alpha H x + (1 - alpha) u + d, in place of alpha H x, from u - d: (1 - alpha) (u - d) + (2 - alpha) d."""
    return scaled_hx.add_(u_without_d, alpha=1 - p.c.relaxation).add_(d, alpha=2 - p.c.relaxation)


def _gradient_update(p: _Problem, s: _State, x: Tensor) -> None:
    """u2 and d2: gradients over all colours and both directions are shortened by lambda / mu2."""
    z = _relaxed(p, _gradient(x).mul_(p.c.relaxation), s.u_gradient, s.d_gradient)
    length = z[0, 0].square()
    for part in z.flatten(0, 1)[1:]:
        length.addcmul_(part, part)
    length.sqrt_()
    s.u_gradient = z * (1 - p.threshold / length.clamp_min_(_LEAST_LENGTH)).clamp_min_(0)
    s.d_gradient = z.sub_(s.u_gradient)


def _positive_update(p: _Problem, s: _State, x: Tensor) -> None:
    """u3 and d3."""
    z = _relaxed(p, x * p.c.relaxation, s.u_positive, s.d_positive)
    s.u_positive = z.clamp_min(0)
    s.d_positive = z.sub_(s.u_positive)


def _unexplained_replaced(p: _Problem, x: Tensor, explained: Tensor) -> Tensor:
    """x, and y where it explains nothing: between many such pixels little is known, however well the rest is explained."""
    low, high = p.c.explained
    around = images.box_mean(p.weight * explained, p.kernel_px) / images.box_mean(p.weight, p.kernel_px).clamp_min(_LEAST_WEIGHT)
    explained = explained.minimum(images.box_mean(explained, 3))
    explained *= ((around - low) / (high - low)).clamp_(0, 1)
    return torch.lerp(x, p.y, p.weight * (1 - explained))


def _picture(spectrum: Tensor, width: int) -> Tensor:
    """`torch.fft.irfft2`, which is slower at both axes at once."""
    return torch.fft.irfft(torch.fft.ifft(spectrum, dim=-2), n=width)


def _gradient(x: Tensor) -> Tensor:
    """P: forward differences on the torus, [C,H,W] -> [2,C,H,W]."""
    return torch.stack([x.roll(-1, -1), x.roll(-1, -2)]).sub_(x)


def _gradient_adjoint(d: Tensor) -> Tensor:
    """P': [2,C,H,W] -> [C,H,W]."""
    return d[0].roll(1, -1).sub_(d[0]).add_(d[1].roll(1, -2)).sub_(d[1])
