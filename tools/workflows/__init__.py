"""The example graphs: described in `specs`, put together by ComfyUI's own page in `build`."""
