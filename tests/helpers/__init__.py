"""What tests share with each other, with `tools` and with `bench`: pictures, twins, a real ComfyUI and its page."""
