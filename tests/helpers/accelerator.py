"""A stand-in for accelerators that this machine lacks: tensors that say they lie on one, and refuse what it refuses.

`Accelerator` is a mode. Within it `x.to("mps")` gives a `Placed` tensor, whose data stay on the CPU. Everything computed from
it lies there too, until `.cpu()` or `.to("cpu")`. As a real device it refuses to mix with tensors of the CPU, to become a numpy
array, types it does not have, and operators without a kernel. Which operators Apple's GPUs have is read from the installed torch
(`native_functions.yaml`, which its kernels are registered from); `MPS_GAINED_LATE`
are those that older versions lack.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchgen
import yaml
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

MPS_GAINED_LATE = frozenset(
    {
        "_upsample_bicubic2d_aa",
        "_upsample_bilinear2d_aa",
        "upsample_bicubic2d",
        "col2im",
        "cummax",
        "cummin",
        "grid_sampler_3d",
        "hypot",
        "isin",
        "kthvalue",
        "linalg_lstsq",
        "linalg_solve_ex",
        "max_pool3d_with_indices",
        "avg_pool3d",
        "scatter_reduce",
        "nextafter",
    }
)
"""Operators that MPS has in the newest torch and lacked in versions in use (2.3 to 2.6)."""

COMPOSITE = ("CompositeImplicitAutograd", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional")
"""Dispatch keys of operators that are made of others, on any device."""


@dataclass(frozen=True)
class Kind:
    """What a kind of device refuses.

    Attributes:
        types: dtypes that it does not have.
        lacks: whether it has no kernel for an operator, by name and overload.
    """

    types: frozenset[torch.dtype]
    lacks: Callable[[str, str], bool]


@functools.cache
def _without_mps_kernel() -> frozenset[str]:
    """Operators (`name.overload`) that have no kernel on MPS and are not made of others."""
    path = Path(torchgen.__file__).parent / "packaged/ATen/native/native_functions.yaml"
    # The fast loader is missing where PyYAML was built without libyaml.
    entries = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    by_name = {entry["func"].split("(")[0]: entry for entry in entries}

    def has(entry: Mapping[str, Any]) -> bool:
        if "structured_delegate" in entry:
            return has(by_name[entry["structured_delegate"]])
        keys = [key.strip() for group in entry.get("dispatch", {}) for key in group.split(",")]
        return not keys or "MPS" in keys or any(key in COMPOSITE for key in keys)

    return frozenset(name for name, entry in by_name.items() if not has(entry))


def _mps_lacks(name: str, overload: str) -> bool:
    if name.endswith("_for_cpu") or name.startswith("mkldnn_"):
        return False  # what torch makes of an operator on the CPU, where the data are
    full = name if overload in ("", "default") else f"{name}.{overload}"
    return name in MPS_GAINED_LATE or full in _without_mps_kernel()


_LONG = frozenset({torch.float64, torch.complex128})

KINDS = {
    "mps": Kind(_LONG, _mps_lacks),
    "xpu": Kind(_LONG, lambda name, overload: False),
    "privateuseone": Kind(_LONG | {torch.complex64}, lambda name, overload: name.startswith("_fft_")),
}
"""Apple's GPUs; Intel's, some of which have no float64; DirectML, which has no complex numbers."""


class Placed(Tensor):
    """A tensor that lies on the stand-in; made by `Accelerator` alone."""

    # The mode sees every call; torch has no public name for "leave it alone".
    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportPrivateUsage, reportAssignmentType]


class RefusedError(RuntimeError):
    """What a device would not do."""


class _Watch(TorchDispatchMode):
    """Sees the operators that one call on the device consists of."""

    def __init__(self, name: str, kind: Kind) -> None:
        super().__init__()
        self.name, self.kind = name, kind

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.is_inference_mode_enabled() and func._can_decompose():
            with self:
                parts = func.decompose(*args, **(kwargs or {}))
            if parts is not NotImplemented:
                return parts
        name, overload = func._schema.name.removeprefix("aten::"), func._overloadname
        if self.kind.lacks(name, overload):
            raise RefusedError(f"The operator 'aten::{name}.{overload}' is not implemented for {self.name}.")
        out = func(*args, **(kwargs or {}))
        for value in tree_flatten(out)[0]:
            if isinstance(value, Tensor) and value.dtype in self.kind.types:
                raise RefusedError(f"{self.name} has no {value.dtype} (aten::{name}).")
        return out


def is_placed(value: object) -> bool:
    """Whether a value is a tensor on the stand-in. A parameter keeps its class when a module moves, and is marked instead."""
    return isinstance(value, Placed) or (isinstance(value, nn.Parameter) and "placed" in value.__dict__)


_ANYWHERE = {
    "_has_compatible_shallow_copy_type",
    "copy_",
    "__setitem__",
    "__getitem__",
    "type_as",
    "to",
    "cpu",
    "as_tensor",
    "index_put_",
}
"""Functions that may be given tensors of several devices."""


class Accelerator(TorchFunctionMode):
    """Within it, tensors can be moved to a device of one of `KINDS`, which is not there.

    Args:
        name: "mps", "xpu" or "privateuseone".
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.device, self.kind = torch.device(name), KINDS[name]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        # Properties come as bound methods of their descriptors, made anew each time.
        of = getattr(func, "__self__", None)
        if of is Tensor.device:
            return self.device if is_placed(args[0]) else torch.device("cpu")
        if of is Tensor.is_cpu:
            return not is_placed(args[0])
        if of is Tensor.data and func.__name__ == "__set__":
            if is_placed(args[1]):
                args[0].placed = True
            return func(*args)
        name = getattr(func, "__name__", str(func))
        if func is torch.device or name == "_parse_to":
            return func(*args, **kwargs)
        tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
        if not any(map(is_placed, tensors)) and not self._names_device((args, kwargs)):
            return func(*args, **kwargs)
        if name in ("numpy", "__array__"):
            raise RefusedError(f"A tensor on {self.device} has no numpy array: call .cpu() first.")
        target = self._target(name, args, kwargs, tensors)
        if name not in _ANYWHERE and not name.startswith("new_"):
            self._same_device(name, tensors)
        args, kwargs = tree_map(self._without_device, (args, kwargs))
        with _Watch(str(self.device), self.kind):
            out = func(*args, **kwargs)
        return tree_map(lambda v: self._placed(v, target), out)

    def _names_device(self, values: object) -> bool:
        return any(self._is_own(v) for v in tree_flatten(values)[0])

    def _is_own(self, value: object) -> bool:
        if isinstance(value, str):
            return value.split(":")[0] == self.device.type
        return isinstance(value, torch.device) and value.type == self.device.type

    def _without_device(self, value: object) -> object:
        return torch.device("cpu") if self._is_own(value) else value

    def _target(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor]) -> bool:
        """Whether the result lies on the device."""
        if name == "cpu":
            return False
        named = [kwargs["device"]] if kwargs.get("device") is not None else []
        if name in ("to", "as_tensor"):
            named += [a for a in args[1:] if isinstance(a, (str, torch.device))]
            if len(tensors) > 1:
                return is_placed(tensors[1])
        if named:
            return self._is_own(named[0])
        if name == "type_as":
            return is_placed(tensors[1])
        if name.startswith("new_") or name in ("__getitem__", "__setitem__", "copy_"):
            return is_placed(args[0])
        return any(map(is_placed, tensors))

    def _same_device(self, name: str, tensors: list[Tensor]) -> None:
        off = [t for t in tensors if not is_placed(t) and t.ndim > 0]
        on = [t for t in tensors if is_placed(t)]
        if on and off:
            raise RefusedError(f"{name}: expected all tensors to be on one device, found {self.device} and cpu.")

    def _placed(self, value: object, target: bool) -> object:
        if not isinstance(value, Tensor):
            return value
        if target and not is_placed(value):
            return value.detach().as_subclass(Placed)
        return value.as_subclass(Tensor) if isinstance(value, Placed) and not target else value
