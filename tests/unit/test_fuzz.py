"""A few hundred generated calls of the core: `python -m tests.fuzz` makes as many as are wanted."""

from __future__ import annotations

from tests import fuzz

CASES, SEED = 300, 1
"""As many as take some seconds, and always the same ones."""


def test_generated_calls_give_finite_values_or_errors_that_name_the_argument() -> None:
    seen = fuzz.campaign(CASES, SEED)
    assert sum(seen.values()) >= CASES
    assert len(seen) > len(fuzz.TARGETS) // 2, "chance leaves out few of the functions"


def test_every_argument_of_a_wrong_kind_is_named() -> None:
    wanted = sum(len(fuzz.BAD_TENSORS) * len(t.tensors) + len(fuzz.WRONG) * len(t.values) for t in fuzz.TARGETS.values())
    assert fuzz.every_wrong_value(2, SEED) >= wanted
