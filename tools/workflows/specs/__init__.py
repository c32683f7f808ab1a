"""The example graphs, one a file, in the order in which they are built."""

from __future__ import annotations

from tools.workflows.graph import Workflow
from tools.workflows.specs import (
    aperture_shapes,
    blur_what_you_paint,
    change_focus_in_a_group,
    cut_out,
    depth_from_da3,
    depth_from_moge,
    export_depth_and_blur,
    fix_missed_focus,
    generative_refocus,
    genfocus_steps,
    image_to_image,
    mend_depth,
    painted_portrait,
    phone_portrait,
    rack_focus,
    refocus_a_photo,
    refocus_a_video,
    refocus_with_depth_picture,
    sharpen_a_subject,
    text_to_image,
    tilt_shift,
)

WORKFLOWS: tuple[Workflow, ...] = (
    refocus_a_photo.WORKFLOW,
    refocus_with_depth_picture.WORKFLOW,
    fix_missed_focus.WORKFLOW,
    change_focus_in_a_group.WORKFLOW,
    sharpen_a_subject.WORKFLOW,
    painted_portrait.WORKFLOW,
    phone_portrait.WORKFLOW,
    mend_depth.WORKFLOW,
    blur_what_you_paint.WORKFLOW,
    cut_out.WORKFLOW,
    export_depth_and_blur.WORKFLOW,
    aperture_shapes.WORKFLOW,
    tilt_shift.WORKFLOW,
    rack_focus.WORKFLOW,
    refocus_a_video.WORKFLOW,
    depth_from_da3.WORKFLOW,
    depth_from_moge.WORKFLOW,
    text_to_image.WORKFLOW,
    image_to_image.WORKFLOW,
    generative_refocus.WORKFLOW,
    genfocus_steps.WORKFLOW,
)
"""What the template browser of ComfyUI offers, and what tests run."""
