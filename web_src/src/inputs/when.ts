/** When an input has an effect. Made by `python -m tools.page_constants` from refocus_core/options; do not edit. */

import type { Case } from "./case";

/** Node -> option -> cases in which it has an effect, any of them; always, where it is not listed. */
export const WHEN: Record<string, Record<string, readonly Case[]>> = {
  RefocusDepthEstimate: {
    model: [{"source": ["model"]}, {"source": ["auto"], "da3_geometry": ["open"], "moge_geometry": ["open"], "depth_image": ["open"]}],
    allow_download: [{"source": ["model"]}, {"source": ["auto"], "da3_geometry": ["open"], "moge_geometry": ["open"], "depth_image": ["open"]}],
    geometry_units: [{"source": ["da3_geometry", "moge_geometry"]}, {"source": ["auto"], "da3_geometry": ["connected"]}, {"source": ["auto"], "moge_geometry": ["connected"]}],
    da3_resolution: [{"source": ["da3_geometry"]}, {"source": ["auto"], "da3_geometry": ["connected"]}],
    depth_kind: [{"source": ["depth_image"]}, {"source": ["auto"], "depth_image": ["connected"]}],
    depth_near: [{"source": ["depth_image"]}, {"source": ["auto"], "depth_image": ["connected"]}],
    metres_per_unit: [{"source": ["depth_image"]}, {"source": ["auto"], "depth_image": ["connected"]}],
  },
  RefocusAdjustDepth: {
    action: [{"mask": ["connected"]}],
    target: [{"mask": ["connected"], "action": ["pull", "move"]}, {"isolate": ["on"]}],
    x: [{"mask": ["connected"], "action": ["pull", "move"], "target": ["point"]}, {"isolate": ["on"], "target": ["point"]}],
    y: [{"mask": ["connected"], "action": ["pull", "move"], "target": ["point"]}, {"isolate": ["on"], "target": ["point"]}],
    amount: [{"mask": ["connected"], "action": ["flatten", "plane", "pull", "move"]}],
    level: [{"mask": ["connected"], "action": ["pull", "move"], "target": ["level"]}, {"isolate": ["on"], "target": ["level"]}],
    distance_m: [{"mask": ["connected"], "action": ["pull", "move"], "target": ["distance"]}, {"isolate": ["on"], "target": ["distance"]}],
    feather: [{"mask": ["connected"], "action": ["flatten", "plane", "pull", "move"]}],
    tolerance: [{"isolate": ["on"]}],
    softness: [{"isolate": ["on"]}],
  },
  RefocusDepthToImage: {
    farthest_m: [{"values": ["metres"]}],
  },
  RefocusDefocusMap: {
    x: [{"focus": ["point", "two points"]}],
    y: [{"focus": ["point", "two points"]}],
    distance_m: [{"focus": ["distance"]}],
    percent: [{"strength": ["percent of long edge"]}],
    f_number: [{"strength": ["camera"]}],
    focal_mm: [{"strength": ["camera"]}],
    sensor: [{"strength": ["camera"]}],
    focus_radius: [{"focus": ["point", "two points"]}],
    sensor_mm: [{"strength": ["camera"], "sensor": ["other: sensor_mm"]}],
    x2: [{"focus": ["two points"]}],
    y2: [{"focus": ["two points"]}],
    tilt_deg: [{"focus": ["point"]}],
    swing_deg: [{"focus": ["point"]}],
  },
  RefocusDefocusFromImage: {
    above: [{"signs": ["signed", "grey"]}],
    focus: [{"signs": ["unsigned"]}],
    x: [{"signs": ["unsigned"], "focus": ["point"]}],
    y: [{"signs": ["unsigned"], "focus": ["point"]}],
  },
  RefocusDefocusToImage: {
    above: [{"signs": ["signed", "grey"]}],
  },
  RefocusAllInFocus: {
    strength: [{"method": ["auto", "refocus-deblur-s", "deconvolution", "blind-deconvolution", "model:", "generative"]}],
    noise: [{"method": ["deconvolution", "blind-deconvolution"]}, {"method": ["auto"], "defocus": ["connected"]}],
    tile_px: [{"method": ["auto", "refocus-deblur-s", "deconvolution", "blind-deconvolution", "model:"]}],
  },
  RefocusReblur: {
    quality: [{"method": ["render", "hybrid"]}],
    redraw: [{"method": ["hybrid"]}],
  },
  RefocusBokehKernel: {
    shape: [{"preset": ["none"]}],
    blades: [{"shape": ["polygon"], "preset": ["none"]}],
    curvature: [{"shape": ["polygon", "triangle"], "preset": ["none"]}],
    rotation_deg: [{"shape": ["polygon", "heart", "star", "triangle"], "preset": ["none"]}],
    inner: [{"shape": ["ring", "star"], "preset": ["none"]}],
    points: [{"shape": ["star"], "preset": ["none"]}],
    softness: [{"preset": ["none"]}],
    color: [{"shape": ["image"], "preset": ["none"]}],
    center: [{"shape": ["image"], "preset": ["none"]}],
    squeeze: [{"preset": ["none"]}],
    spherical: [{"preset": ["none"]}],
    fringe: [{"preset": ["none"]}],
    onion: [{"preset": ["none"]}],
    field: [{"preset": ["none"]}],
    cat_eye: [{"field": ["on"], "preset": ["none"]}],
    swirl: [{"field": ["on"], "preset": ["none"]}],
    coma: [{"field": ["on"], "preset": ["none"]}],
  },
  RefocusDepthMatte: {
    x: [{"select": ["point"]}],
    y: [{"select": ["point"]}],
    tolerance: [{"select": ["point"]}],
    near: [{"select": ["limits"]}],
    far: [{"select": ["limits"]}],
  },
  RefocusGenfocusApply: {
    tiles_per_batch: [{"tiling": ["auto"]}],
  },
};
