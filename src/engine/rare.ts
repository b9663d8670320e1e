// What few calls ask for: loaded when one does.

export { checkFilterPlan } from "../plan/stored.ts";
export { canny } from "./canny.ts";
export { gradientOf, magnitudeOf } from "./gradient.ts";
export { runTurned } from "./turned.ts";
export { unsharp } from "./unsharp.ts";
