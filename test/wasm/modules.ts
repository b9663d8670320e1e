// Small modules of the assembler, read back by wabt under the names of the specification, or run.
import loadWabt from "wabt";
import { type Code, type FunctionBuilder, ModuleBuilder, type ValueType } from "../../src/codegen/assembler.ts";
import { instantiate } from "./instructions.ts";

export const wabt = await loadWabt();
export const features = { simd: true, relaxed_simd: true, threads: true, sat_float_to_int: true, sign_extension: true };

/** A module as wabt writes it. */
export function text(bytes: Uint8Array): string {
  return wabt.readWasm(bytes, features).toText({ foldExprs: false, inlineExport: false });
}

/** The instructions of each function of a module, as wabt reads them. */
export function decode(module: ModuleBuilder): string[][] {
  const [, ...functions] = text(module.encode({ shared: false, maximum: 1 })).split(/^ {2}\(func /m);
  return functions.map((body) => {
    const lines = body.split(/\n {4}/).slice(1);
    return lines.filter((line) => !line.startsWith("(")).map((line) => line.split(/\)?\)\n/)[0]!.replace(/\)$/, ""));
  });
}

/** A module of one function. */
export function single(params: readonly ValueType[], build: (f: FunctionBuilder) => void): ModuleBuilder {
  const module = new ModuleBuilder();
  module.define("f", params, build);
  return module;
}

/** Runs statements as a function without parameters, and gives the memory. */
export function run(
  build: (f: FunctionBuilder) => Code[],
  { pages = 1, before = new Uint8Array(0) } = {},
): ArrayBuffer {
  const { entries, buffer } = instantiate(
    single([], (f) => f.emit(...build(f))),
    pages,
  );
  new Uint8Array(buffer).set(before);
  entries.f!();
  return buffer;
}
