/** The law of the core on thumbnails, as the tests call it in the built file. */

export { solve, radiiPx, largestRadiusPx } from "./solve";
export { paintDefocus } from "./paint";
export { greyOf } from "./srgb";
export { unpack } from "./unpack";
