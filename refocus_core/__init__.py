"""Refocus core: depth, defocus, all-in-focus restoration and bokeh rendering on torch tensors.

The package never imports ComfyUI. Rooms (`depth`, `defocus`, `restore`, `bokeh`) import `types`, `optics`, `color` and
`weights`, and never each other; whoever composes them (a node, the command line) does so from outside.
"""

__version__ = "0.1.0"
