"""What guides a run: the condition pictures of an adapter's layout, encoded, for every host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_image, match_batch, same_size
from ..types import Progress
from .forward import Backbone
from .lora import Layout
from .sampling import Tiling, velocity
from .tokens import defocus_picture, pack, pad

Encode = Callable[[Tensor], Tensor]
"""Picture [B,3,H,W] as the autoencoder takes it (photos -1..1) -> normalised latents [B,16,H/8,W/8]."""


@dataclass(frozen=True, eq=False)
class Guide:
    """Encoded conditions of a batch of pictures.

    Attributes:
        layout: what they are.
        conditions: packed tokens [B,rows*columns,64] of each.
        rows, columns: size in tokens of 16 px.
        tiling: how each step is cut.
    """

    layout: Layout
    conditions: tuple[Tensor, ...]
    rows: int
    columns: int
    tiling: Tiling

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        layout: Layout,
        photo: Tensor,
        encode: Encode,
        *,
        radius_px: Tensor | None = None,
        pre_deblurred: Tensor | None = None,
        tiling: Tiling,
    ) -> Guide:
        """Encode what `layout` asks for; sizes that are no multiples of 16 are padded.

        Args:
            layout: from `Lora.layout`.
            photo: [B,3,H,W] sRGB; what lies outside 0..1 is cut off (the autoencoder knows nothing else).
            encode: the autoencoder.
            radius_px: [B,H,W] or [1,H,W] signed blur radius in px of this picture, for "bokeh".
            pre_deblurred: [B,3,H,W] sRGB, the photo as another method deblurred it, for "pre_deblur".
            tiling: how each step is cut.

        Raises:
            ValueError: if a picture is missing, or of another size than the photo.
        """
        check_image(photo, "image")
        batch, _, height, width = photo.shape
        photo = photo.float().clamp(0, 1)

        def as_photo(image: Tensor) -> Tensor:
            return pad(image) * 2 - 1

        latents: list[Tensor] = []
        for source in layout.conditions:
            if source == "photo":
                latents.append(encode(as_photo(photo)))
            elif source == "black":
                latents.append(encode(as_photo(torch.zeros_like(photo[:1]))).expand(batch, -1, -1, -1))
            elif source == "pre_deblurred":
                if pre_deblurred is None:
                    raise ValueError(
                        "This adapter wants the photo as another method deblurred it beside the photo itself. Give that picture, "
                        "or choose deblurNet.safetensors, which needs none."
                    )
                other = match_batch(check_image(pre_deblurred, "pre_deblurred"), batch, "pre_deblurred")
                same_size(other, height, width, "deblurred picture")
                latents.append(encode(as_photo(other.float().clamp(0, 1))))
            elif source == "aperture":
                raise ValueError(
                    "This adapter also wants a picture of the aperture, which only training gives it so far. Use one with the "
                    "layout 'bokeh'; the physical renderer draws shaped apertures."
                )
            else:
                if radius_px is None:
                    raise ValueError("BokehNet needs a defocus map: how strongly each part shall blur.")
                radius = match_batch(radius_px, batch, "The defocus map")
                same_size(radius, height, width, "defocus map")
                latents.append(encode(pad(defocus_picture(radius).to(photo))))
        rows, columns = latents[0].shape[-2] // 2, latents[0].shape[-1] // 2
        return cls(layout, tuple(pack(z) for z in latents), rows, columns, tiling)

    @property
    def tokens(self) -> int:
        """Image tokens of a frame."""
        return self.rows * self.columns

    def frame(self, index: int) -> Guide:
        """The guide of one frame."""
        one = tuple(c[index : index + 1] for c in self.conditions)
        return Guide(self.layout, one, self.rows, self.columns, self.tiling)

    def velocity(
        self,
        backbone: Backbone,
        latents: Tensor,
        *,
        text: Tensor,
        pooled: Tensor,
        timestep: Tensor,
        guidance: Tensor | None,
        progress: Progress | None = None,
    ) -> Tensor:
        """One step's prediction [B,N,64]; a batch of several times the guide's frames repeats them in order."""
        batch, frames = latents.shape[0], self.conditions[0].shape[0]
        if batch % frames or latents.shape[1] != self.tokens:
            raise ValueError(
                f"The guide was made for {frames} frame(s) of {self.columns * 16}x{self.rows * 16} px (padded), but the sampler "
                f"has {batch} of {latents.shape[1]} tokens. Use the LATENT that came with this MODEL."
            )
        return velocity(
            backbone,
            latents=latents,
            conditions=[c.to(latents).repeat(batch // frames, 1, 1) for c in self.conditions],
            columns_right=self.layout.columns,
            text=text,
            pooled=pooled,
            timestep=timestep,
            guidance=guidance,
            rows=self.rows,
            columns=self.columns,
            tiling=self.tiling,
            progress=progress,
        )
