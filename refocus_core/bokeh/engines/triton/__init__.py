"""Blurring and compositing with Triton kernels on a GPU: the fast twin of `torch_engine.TileEngine`.

A window is rendered in four launches and some arithmetic on small tables:

1. `kernels.occupancy`: which bins occur in each cell of 16 x 16 px. From this follow (`schedule`) the strips of content of every
   bin, the bins that reach each tile of 32 x 32 px, and the tiles that need the aperture cut into segments.
2. `kernels.strips`: running sums of a bin's content along the rows. A blur with a hard-edged aperture is then a sum over the
   pixels where a row of its kernel changes (`taps`), about 12 times the radius in number, instead of over its area, and exact for
   any shape; apertures without flat parts, and very small blurs, are summed directly.
3. `kernels.coarse`: bins at reduced resolution are blurred.
4. `kernels.composite`: every tile composites its bins from near to far in registers, and blurs those at full resolution on the
   way.

`twins` has 1 to 3 in plain torch, slow and obvious, for tests; the twin of 4, and of the whole, is the plain engine.

Scratch memory is 16 bytes for each pixel of a strip, one strip pixel for each bin that a pixel falls into, and 16 bytes for
each blurred coarse pixel; a window that would need more than `Limits.scratch_mib` is rendered in parts. Beside it there are 8
bytes for each pixel of the window. All sums are float32.
"""
