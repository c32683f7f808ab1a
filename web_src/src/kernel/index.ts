/** What the tests compare with the core. */

export { planes } from "./character";
export { planesAt } from "./field";
export { paintKernel } from "./shapes";
