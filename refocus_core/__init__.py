"""Refocus core: depth, defocus, all-in-focus restoration and bokeh rendering on torch tensors. It never imports ComfyUI.

depth, defocus, restore, bokeh, generative      the rooms: each imports the foundation, and none imports another
types, checks, optics, color, psf, images, options, models, files      the foundation, which imports no room
cli, train      compose the rooms: the command line, and everything that makes the weights

The nodes of the pack compose the same rooms inside ComfyUI. docs/architecture.md describes the whole house.
"""

__version__ = "0.1.0"
