"""The conditional forward against a twin that shares no code with it, and against diffusers where no condition is given."""

import pytest
import torch

from refocus_core import generative
from tests.helpers import flux_twin, tiny_flux


def twin(model, arguments, adapter="probe"):
    state = {k.replace(".base_layer.", "."): v for k, v in model.state_dict().items() if "lora_" not in k}
    factors = generative.adapter_factors(model, adapter) if adapter else {}
    return flux_twin.forward(state, factors, heads=tiny_flux.HEADS, axes=tiny_flux.AXES, **arguments)


@pytest.mark.parametrize("conditions", [0, 1, 2, 3])
@pytest.mark.parametrize("grad", [False, True])
@torch.no_grad()
def test_equals_the_twin(conditions, grad):
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    arguments = tiny_flux.call(conditions)
    arguments["condition_ids"] += [tiny_flux.ids(3, 4, 7)] * (conditions - len(arguments["condition_ids"]))
    with torch.set_grad_enabled(grad):  # with gradients, other lines run
        got = generative.conditional_forward(model, adapter="probe", **arguments)
    torch.testing.assert_close(got.double(), twin(model, arguments), atol=1e-4, rtol=0)


@torch.no_grad()
def test_the_adapter_matters_and_only_through_conditions():
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    one, none = tiny_flux.call(1), tiny_flux.call(0)
    with_it, without = (generative.conditional_forward(model, adapter=a, **one) for a in ("probe", None))
    assert (with_it - without).abs().max() > 1e-2
    assert torch.equal(*(generative.conditional_forward(model, adapter=a, **none) for a in ("probe", None)))


@torch.no_grad()
def test_without_conditions_it_is_the_base_model():
    model = tiny_flux.transformer()
    a = tiny_flux.call(0)
    base = model(
        hidden_states=a["latents"],
        encoder_hidden_states=a["text"],
        pooled_projections=a["pooled"],
        timestep=a["timestep"],
        guidance=a["guidance"],
        img_ids=a["image_ids"],
        txt_ids=torch.zeros(5, 3),
    ).sample
    torch.testing.assert_close(generative.conditional_forward(model, adapter=None, **a), base, atol=1e-5, rtol=0)


@torch.no_grad()
def test_conditions_do_not_see_each_other_but_change_the_image():
    """Swapping two conditions together with their positions changes nothing; another second condition does."""
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    a = tiny_flux.call(2)
    out = generative.conditional_forward(model, adapter="probe", **a)
    swapped = a | {"conditions": a["conditions"][::-1], "condition_ids": a["condition_ids"][::-1]}
    torch.testing.assert_close(generative.conditional_forward(model, adapter="probe", **swapped), out, atol=1e-5, rtol=0)
    other = a | {"conditions": [a["conditions"][0], -a["conditions"][1]]}
    assert (generative.conditional_forward(model, adapter="probe", **other) - out).abs().max() > 1e-2


@torch.no_grad()
def test_without_complex_numbers(monkeypatch):
    """What other devices than CPU and CUDA run."""
    from refocus_core.generative import forward

    model, a = tiny_flux.with_adapter(tiny_flux.transformer()), tiny_flux.call(2)
    expected = generative.conditional_forward(model, adapter="probe", **a)
    rotary = forward.rotary
    monkeypatch.setattr(forward, "rotary", lambda *args: (rotary(*args).real, rotary(*args).imag))
    torch.testing.assert_close(generative.conditional_forward(model, adapter="probe", **a), expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_batch_equals_its_items():
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    a = tiny_flux.call(2)
    whole = generative.conditional_forward(model, adapter="probe", **a)
    for i in range(2):
        part = {k: [t[i : i + 1] for t in v] if k == "conditions" else v if "ids" in k else v[i : i + 1] for k, v in a.items()}
        torch.testing.assert_close(
            generative.conditional_forward(model, adapter="probe", **part), whole[i : i + 1], atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_are_those_of_the_twin(checkpointing):
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    model.gradient_checkpointing = checkpointing
    a = tiny_flux.call(2)
    a["conditions"][1].requires_grad_()
    parameters = [t for pair in generative.adapter_factors(model, "probe").values() for t in pair]
    wanted = [a["conditions"][1], *parameters]
    got = torch.autograd.grad(generative.conditional_forward(model, adapter="probe", **a).square().sum(), wanted)
    reference = torch.autograd.grad(twin(model, a).square().sum(), wanted, allow_unused=True)  # the last block's conditions
    for g, r in zip(got, reference, strict=True):
        torch.testing.assert_close(g, torch.zeros_like(g) if r is None else r, atol=1e-3, rtol=1e-3)
    assert sum(r is not None for r in reference) > len(wanted) - 8


@torch.no_grad()
def test_half_precision_stays_near():
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    a = tiny_flux.call(1)
    reference = generative.conditional_forward(model, adapter="probe", **a)
    model.bfloat16()
    half = {k: [t.bfloat16() for t in v] if k == "conditions" else v if "ids" in k else v.bfloat16() for k, v in a.items()}
    out = generative.conditional_forward(model, adapter="probe", **half)
    assert out.dtype == torch.bfloat16
    assert (out.float() - reference).abs().mean() < 0.06 * reference.abs().mean()


def test_what_does_not_fit_is_named():
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    a = tiny_flux.call(1)
    with pytest.raises(ValueError, match=r"no LoRA adapter 'other'\. It has: probe"):
        generative.conditional_forward(model, adapter="other", **a)
    with pytest.raises(ValueError, match="1 conditions but 0 condition_ids"):
        generative.conditional_forward(model, adapter=None, **(a | {"condition_ids": []}))
    with pytest.raises(ValueError, match="position ids of image"):
        generative.conditional_forward(model, adapter=None, **(a | {"image_ids": tiny_flux.ids(2, 2)}))
    with pytest.raises(ValueError, match="needs guidance"):
        generative.conditional_forward(model, adapter=None, **(a | {"guidance": None}))
    with pytest.raises(ValueError, match="Linear is not diffusers'"):
        generative.conditional_forward(torch.nn.Linear(1, 1), adapter=None, **a)
    from peft import LoraConfig

    model.add_adapter(LoraConfig(r=2, target_modules=r".*context_embedder"), adapter_name="text")
    with pytest.raises(ValueError, match="'text' changes context_embedder"):
        generative.conditional_forward(model, adapter="text", **a)
