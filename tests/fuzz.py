"""Generated calls of the core's public functions: right values, values at and beyond the limits, and wrong types.

A call either gives finite values of the right shape, or raises an error of ours: TypeError or ValueError that names the argument.

.venv/bin/python -m tests.fuzz --cases 100000 --seed 1
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers.fuzz_targets import MAKERS, TARGETS

SIDES = st.integers(1, 14)
"""Sides of the pictures in px: small, so that many cases are tried."""
WRONG = (None, "soft", b"1", [1.0], {"x": 1}, float("nan"), float("inf"), -float("inf"), -1.0, 10**400, True, torch.ones(2, 2))
"""What stands in the place of an argument now and then; as a tuple: a value among others must not be changed by a call."""
BAD_TENSORS = ("integer", "empty", "flat", "nan", "channels")
"""Ways in which a tensor is wrong."""


@dataclass
class Case:
    """One call.

    Attributes:
        target: name in `TARGETS`; seed and size: of its pictures.
        values: of the other arguments.
        wrong: argument and what stands in its place, or None.
    """

    target: str
    size: tuple[int, int]
    seed: int
    values: dict[str, Any]
    wrong: tuple[str, Any] | None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Calls of all targets; in one of three an argument is of another kind."""
    name = draw(st.sampled_from(sorted(TARGETS)))
    target = TARGETS[name]
    values = {key: draw(strategy) for key, strategy in target.values.items()}
    wrong = None
    if draw(st.integers(0, 2)) == 0:
        key = draw(st.sampled_from([*target.tensors, *target.values]))
        wrong = (key, draw(st.sampled_from(BAD_TENSORS if key in target.tensors else WRONG)))
    return Case(name, (draw(SIDES), draw(SIDES)), draw(st.integers(0, 99)), values, wrong)


def _damaged(value: Any, how: str) -> Any:
    """A tensor that is wrong, or None in the place of a map."""
    if not isinstance(value, Tensor):
        return None
    broken = value.clone()
    broken.view(-1)[0] = math.nan
    return {
        "integer": (value * 9).int(),
        "empty": value[..., :0],
        "flat": value.flatten(),
        "nan": broken,
        "channels": torch.cat([value, value], 1),
    }[how]


def run(case: Case) -> None:
    """Make the call and judge it.

    Raises:
        AssertionError: if it gives NaN, or fails in another way than in words of ours.
    """
    target = TARGETS[case.target]
    arguments = {key: MAKERS[kind](*case.size, case.seed) for key, kind in target.tensors.items()} | case.values
    if case.wrong is not None:
        key, value = case.wrong
        arguments[key] = _damaged(arguments[key], value) if key in target.tensors else value
    kept = [(key, value, value.clone()) for key, value in arguments.items() if isinstance(value, Tensor)]
    try:
        result = target.call(**arguments)
    except (TypeError, ValueError) as error:
        words = str(error).lower().replace("_", " ")
        names = [key.replace("_", " ").split(" ")[0] for key in arguments] + [*target.words]
        assert any(name in words for name in names), f"{case}: the error names no argument: {error!r}"
    except Exception as error:
        raise AssertionError(f"{case}: {error!r}") from error
    else:
        for tensor in _tensors(result):
            assert not bool(tensor.isnan().any()), f"{case}: NaN in the result"
    for key, value, before in kept:
        assert torch.equal(value.nan_to_num(-9), before.nan_to_num(-9)), f"{case}: {key} was changed"


def _tensors(value: Any) -> Iterator[Tensor]:
    """All floating-point tensors in a result."""
    if isinstance(value, Tensor) and value.is_floating_point():
        yield value
    elif is_dataclass(value):
        for f in fields(value):
            yield from _tensors(getattr(value, f.name))
    elif isinstance(value, tuple):
        yield from itertools.chain.from_iterable(map(_tensors, value))


def campaign(count: int, seed: int) -> dict[str, int]:
    """Run `count` cases from a seed; how many there were of each target.

    Raises:
        AssertionError: on the first one that fails, made as small as possible.
    """
    seen: dict[str, int] = {}

    @seeded(seed)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(cases())
    def judge(case: Case) -> None:
        seen[case.target] = seen.get(case.target, 0) + 1
        run(case)

    judge()
    return seen


def every_wrong_value(count: int, seed: int) -> int:
    """Each argument of each target replaced by each wrong value, `count` times among other values; how many calls that were.

    Raises:
        AssertionError: on the first that fails.
    """
    calls = 0

    @seeded(seed)
    @settings(max_examples=count, deadline=None, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
    @given(st.fixed_dictionaries({name: st.fixed_dictionaries(target.values) for name, target in TARGETS.items()}))
    def judge(values: dict[str, dict[str, Any]]) -> None:
        nonlocal calls
        for name, target in TARGETS.items():
            for key in (*target.tensors, *target.values):
                for wrong in BAD_TENSORS if key in target.tensors else WRONG:
                    calls += 1
                    run(Case(name, (1 + calls % 11, 1 + calls % 7), calls % 100, values[name], (key, wrong)))

    judge()
    return calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000, help="how many calls")
    parser.add_argument("--seed", type=int, default=1, help="where the generator begins")
    args = parser.parse_args()
    start = time.perf_counter()
    seen = campaign(args.cases, args.seed)
    for name, count in sorted(seen.items()):
        sys.stdout.write(f"{count:8d}  {name}\n")
    sys.stdout.write(f"{sum(seen.values()):8d}  cases, seed {args.seed}, {time.perf_counter() - start:.0f} s, none failed\n")


if __name__ == "__main__":
    main()
