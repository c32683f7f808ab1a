/** Colours of the views, lighter than those of the map, to be read on the node's dark ground. */

/** What is in focus, and what is pressed. */
export const FOCUS_COLOUR = "#f2d64b";
/** What lies in front of the focal plane, and behind it. */
export const NEAR_COLOUR = "#3b6cff";
export const FAR_COLOUR = "#ff4a2e";
/** The aperture on the timeline. */
export const APERTURE_COLOUR = "#59b8ff";
