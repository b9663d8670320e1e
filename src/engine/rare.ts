// Filters that few pictures go through: loaded when a call names one.

export { checkFilterPlan } from "../plan/stored.ts";
export { canny } from "./canny.ts";
export { unsharp } from "./unsharp.ts";
