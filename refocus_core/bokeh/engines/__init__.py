"""How bins of like radius are blurred and composited: plain torch on any device, Triton kernels on a GPU."""
