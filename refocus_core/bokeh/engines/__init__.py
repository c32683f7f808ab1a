"""How bins of like radius are blurred and composited: plain torch on any device, Triton kernels on a GPU.

choose         which engine runs on a device, after `selftest`
torch_engine   tile by tile;  window: one window of layers and its tiles;  spans: intervals and boxes of pixels
fourier        blurs by fast Fourier transforms, or pixel by pixel for small kernels
compositing    bins put in front of one another, from near to far
triton/        the same in kernels for a GPU, each stage with a twin in plain torch
"""
