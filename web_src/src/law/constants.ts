/** Numbers shared with the core. Made by `python -m tools.page_constants`; do not edit. */

// refocus_core/color.py
export const LUMA_WEIGHTS = [0.2126, 0.7152, 0.0722] as const;

// refocus_core/optics.py
export const SHARP_RADIUS_PX = 0.5;
export const SHARP_PRINT = 0.0008333333333333334;

// refocus_core/bokeh/character.py
export const MOST_SPHERICAL = 0.3;
export const MOST_FRINGE = 0.1;
export const ONION_RINGS = 9;

// refocus_core/bokeh/field.py
export const MOST_SWIRL = 0.3333333333333333;
export const MOST_COMA = 0.12;
export const LEAST_AREA = 0.05;
export const MOST_MISS = 0.01;
export const DARK = 1e-06;

// refocus_core/bokeh/shown.py
export const CORNER = [0.6, -0.6] as const;

// refocus_core/defocus/from_lens.py
export const FLAT_SHARE = 1e-06;

// refocus_core/defocus/thumbnail.py
export const LEVELS = 32767;

// refocus_core/defocus/preview.py
export const NEAR_RGB = [0.05, 0.3, 1.0] as const;
export const FAR_RGB = [1.0, 0.16, 0.06] as const;
export const FOCUS_RGB = [1.0, 0.93, 0.45] as const;
export const NO_PHOTO_GREY = 0.5;
export const SHARP_SHARE = 0.02;
export const LEAST_COLOUR = 0.15;
export const MORE_COLOUR = 0.75;
export const SHADE_OVER_BLACK = 0.3;
export const FOCUS_TINT = 0.4;
export const FOCUS_OVER_BLACK = 0.25;
export const OUTLINE_TINT = 0.85;
export const LONG_EDGE_PER_LINE_PX = 900;
export const LEAST_SCALE_PX = 1e-06;

// refocus_core/defocus/focus.py: FocusPoint.radius
export const FOCUS_POINT_RADIUS = 0.01;
