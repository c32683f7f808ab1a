"""Settings of a stage of training, as YAML files hold them; `configs` has those of the stages that docs/training.md tells of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ...generative import LAYOUTS, Layout
from ..common.optimizers import OptimizerSettings
from ..common.settings import Settings

CONFIGS = Path(__file__).parent / "configs"
"""Settings files that have names: stages of training, recipes of the data engine, and accelerate's."""
TIMES = ("logit_normal", "uniform")
"""How the time of flow matching is drawn; see `Training.time`."""
DTYPES = ("bfloat16", "float32")
"""What FLUX may be computed in."""


@dataclass(frozen=True)
class Data:
    """Latents to train on.

    Attributes:
        shards: folder, file or address (with braces) of shards that `encode` made.
        parts: how many of every `sum(parts)` examples come from here.
        cache: folder for remote shards.
    """

    shards: str
    parts: int = 1
    cache: str | None = None


@dataclass(frozen=True)
class Validation:
    """What is measured every `run.validate_every` steps.

    Attributes:
        shards: held-out latents.
        count: how many of them.
        pictures: of these, how many are sampled, decoded and shown (needs `vae`).
        steps: of sampling.
        vae: folder of FLUX (or of its autoencoder).
    """

    shards: str
    count: int = 8
    pictures: int = 0
    steps: int = 8
    vae: str | None = None


@dataclass(frozen=True)
class Training:
    """One stage.

    Attributes:
        layout: what the adapter sees: a name in `generative.LAYOUTS`.
        transformer: folder of FLUX.1 in diffusers' layout (its `transformer` folder is taken), or of the transformer itself.
        prompts: file that the command `prompts` made.
        data: where latents come from.
        run: see `loop.Settings`; `precision` stays "no": weights are cast by `dtype`.
        optimizer: see `OptimizerSettings`.
        rank: of the adapter.
        modules: regular expression of the adapted layers, or "released" for those of the published files.
        start: adapter file to begin from, or None for a new one (A Gaussian, B zero).
        frozen: adapter file that stays as it is and that the new one is added to (the shape stage), or None.
        time: "logit_normal" (sigmoid of a normal number) or "uniform".
        guidance: FLUX's guidance while training.
        no_prompt: share of examples with the empty prompt.
        dtype: of FLUX's weights and of the computation; the adapter is kept in float32.
        checkpointing: recompute blocks in the backward pass to save memory.
        together: shards that are mixed at a time.
        validation: or None.
    """

    layout: str
    transformer: str
    prompts: str
    data: tuple[Data, ...]
    run: Settings
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    rank: int = 64
    modules: str = "released"
    start: str | None = None
    frozen: str | None = None
    time: str = "logit_normal"
    guidance: float = 1.0
    no_prompt: float = 0.0
    dtype: str = "bfloat16"
    checkpointing: bool = True
    together: int = 4
    validation: Validation | None = None

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"Unknown layout {self.layout!r}. Known: {', '.join(LAYOUTS)}.")
        if self.time not in TIMES:
            raise ValueError(f"time must be one of {', '.join(TIMES)}, got {self.time!r}.")
        if self.dtype not in ("bfloat16", "float32"):
            raise ValueError(f"dtype must be bfloat16 or float32, got {self.dtype!r}.")
        if self.run.precision != "no":
            raise ValueError("run.precision must be 'no': FLUX is cast as a whole, by `dtype`, and the adapter stays in float32.")
        if not self.data:
            raise ValueError("data: at least one source of latents is needed.")
        if self.start is not None and self.frozen is not None:
            raise ValueError("Give `start` (train this adapter on) or `frozen` (train another one beside it), not both.")
        if not 0 <= self.no_prompt < 1:
            raise ValueError(f"no_prompt must lie in 0..1, got {self.no_prompt}.")

    @property
    def sees(self) -> Layout:
        return LAYOUTS[self.layout]
