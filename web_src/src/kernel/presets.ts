/** Presets of Bokeh Kernel. Made by `python -m tools.page_constants` from `bokeh.PRESETS`; do not edit. */

import type { Settings } from "./character";

export const PRESETS: Record<string, Settings> = {
  "soft portrait": {"shape": "circle", "blades": 6, "curvature": 0.0, "rotation_deg": 0.0, "inner": 0.5, "points": 5, "softness": 0.9, "squeeze": 1.0, "spherical": 0.0, "fringe": 0.0, "onion": 0.0, "cat_eye": 0.0, "swirl": 0.0, "coma": 0.0, "barn_doors": 0.0},
  "bright-edged bubbles": {"shape": "circle", "blades": 6, "curvature": 0.0, "rotation_deg": 0.0, "inner": 0.5, "points": 5, "softness": 0.0, "squeeze": 1.0, "spherical": 0.9, "fringe": 0.15, "onion": 0.0, "cat_eye": 0.0, "swirl": 0.0, "coma": 0.0, "barn_doors": 0.0},
  "creamy background": {"shape": "circle", "blades": 6, "curvature": 0.0, "rotation_deg": 0.0, "inner": 0.5, "points": 5, "softness": 0.0, "squeeze": 1.0, "spherical": -0.7, "fringe": 0.0, "onion": 0.0, "cat_eye": 0.0, "swirl": 0.0, "coma": 0.0, "barn_doors": 0.0},
  "mirror lens": {"shape": "ring", "blades": 6, "curvature": 0.0, "rotation_deg": 0.0, "inner": 0.45, "points": 5, "softness": 0.0, "squeeze": 1.0, "spherical": 0.0, "fringe": 0.0, "onion": 0.0, "cat_eye": 0.0, "swirl": 0.0, "coma": 0.0, "barn_doors": 0.0},
  "classic five blades": {"shape": "polygon", "blades": 5, "curvature": 0.25, "rotation_deg": 0.0, "inner": 0.5, "points": 5, "softness": 0.0, "squeeze": 1.0, "spherical": 0.35, "fringe": 0.0, "onion": 0.0, "cat_eye": 0.0, "swirl": 0.0, "coma": 0.0, "barn_doors": 0.0},
  "modern nine blades": {"shape": "polygon", "blades": 9, "curvature": 0.4, "rotation_deg": 0.0, "inner": 0.5, "points": 5, "softness": 0.0, "squeeze": 1.0, "spherical": 0.0, "fringe": 0.0, "onion": 0.0, "cat_eye": 0.0, "swirl": 0.0, "coma": 0.0, "barn_doors": 0.0},
  "old triplet": {"shape": "polygon", "blades": 10, "curvature": 0.9, "rotation_deg": 0.0, "inner": 0.5, "points": 5, "softness": 0.0, "squeeze": 1.0, "spherical": 1.0, "fringe": 0.4, "onion": 0.0, "cat_eye": 0.0, "swirl": 0.0, "coma": 0.0, "barn_doors": 0.0},
  "swirling portrait": {"shape": "circle", "blades": 6, "curvature": 0.0, "rotation_deg": 0.0, "inner": 0.5, "points": 5, "softness": 0.0, "squeeze": 1.0, "spherical": 0.3, "fringe": 0.0, "onion": 0.0, "cat_eye": 0.7, "swirl": 0.7, "coma": 0.0, "barn_doors": 0.0},
  "cinema prime": {"shape": "polygon", "blades": 11, "curvature": 0.9, "rotation_deg": 0.0, "inner": 0.5, "points": 5, "softness": 0.0, "squeeze": 1.0, "spherical": 0.0, "fringe": 0.0, "onion": 0.0, "cat_eye": 0.6, "swirl": 0.0, "coma": 0.0, "barn_doors": 0.0},
  "fast prime wide open": {"shape": "circle", "blades": 6, "curvature": 0.0, "rotation_deg": 0.0, "inner": 0.5, "points": 5, "softness": 0.0, "squeeze": 1.0, "spherical": 0.25, "fringe": 0.7, "onion": 0.0, "cat_eye": 0.0, "swirl": 0.0, "coma": 0.0, "barn_doors": 0.0},
  "moulded aspheric": {"shape": "polygon", "blades": 9, "curvature": 0.8, "rotation_deg": 0.0, "inner": 0.5, "points": 5, "softness": 0.0, "squeeze": 1.0, "spherical": 0.0, "fringe": 0.0, "onion": 0.5, "cat_eye": 0.0, "swirl": 0.0, "coma": 0.0, "barn_doors": 0.0},
  "anamorphic": {"shape": "circle", "blades": 6, "curvature": 0.0, "rotation_deg": 0.0, "inner": 0.5, "points": 5, "softness": 0.0, "squeeze": 2.0, "spherical": 0.0, "fringe": 0.2, "onion": 0.0, "cat_eye": 0.0, "swirl": 0.0, "coma": 0.0, "barn_doors": 0.0},
};
