// The public face of what is compiled ahead of time: exports only.

export type { StoredWeights } from "./data.ts";
export type { CompiledFiles } from "./files.ts";
export { type CompileFilterOptions, compileFilter } from "./filter.ts";
export { type CompileModelOptions, compileModel, type InputShapes } from "./model.ts";
