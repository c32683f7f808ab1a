"""On PYTHONPATH of the test server only: PyPI's torchvision beside a CPU build of torch.

That torchvision is compiled for CUDA, so its library of operators does not load, and its Python part stops at the first
operator that it wants to describe. Declaring the two that it describes on import is enough: ComfyUI and spandrel use
transforms and plain-Python parts. The operators themselves stay unavailable.
"""

import importlib.abc
import sys

_declared = []  # a torch.library.Library takes its declarations back when it dies


class _BeforeTorchvision(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            import torch

            if torch.version.cuda is None:
                library = torch.library.Library("torchvision", "DEF")
                for operator in ("nms", "qnms"):
                    library.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
                _declared.append(library)
        return None


sys.meta_path.insert(0, _BeforeTorchvision())
