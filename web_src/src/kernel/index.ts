/** What the tests compare with the core. */

export { planes } from "./character";
export { paintKernel } from "./shapes";
