"""How one picture is cut into what is in front and what lies behind it near depth edges.

cache          what does not depend on focus and aperture, found once for a picture: calls the steps below in this order
transitions    finds soft steps of a map at three scales
spreading      takes the depths beside such a step into it: of one surface where several meet
matting        how much of each pixel along them belongs to the nearer surface;  laplacian: the closed-form matting Laplacian
snap           turns the narrow soft steps, which transitions leaves to it, into hard ones at the photo's edges
hidden         which surface goes on behind a near one (jump flood), and in which colours (fill by slabs of depth)
unmix          colours of both sides in pixels that mix them
build          all of it as front and back elements of the pixels;  layers: the values that come of it
scale          the reference circle of confusion: the scale, free of the focus, on which all this is found
"""
