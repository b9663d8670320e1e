// What the outside may use of separating: exports only.
export type { SeparateOptions } from "./options.ts";
export type { LayerReport, Report } from "./report.ts";
export { separateModel } from "./separate.ts";
