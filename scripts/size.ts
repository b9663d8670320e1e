// What rank1 adds to a page: the public face and its worker, and both with models, each bundled, minified and gzipped.
// Exits with 1 where a sum is above its budget.
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Bytes of all parts together, gzipped: of filters and layers, and of models as well. */
export const budgets = { filters: 66_000, models: 97_000 };

export interface Part {
  name: string;
  minified: number;
  gzipped: number;
}

const source = join(dirname(import.meta.dirname), "src");
const options = {
  bundle: true,
  minify: true,
  format: "esm",
  write: false,
  outdir: "bundle",
  logLevel: "error",
} as const;

/** Sizes in bytes: index.js and worker.js, and index.js with models as models.js. */
export async function measure(): Promise<{ parts: Part[]; filters: number; models: number }> {
  const entryPoints = [join(source, "index.ts"), join(source, "wasm", "worker.js")];
  const contents = 'export * from "./index.ts"; export * from "./onnx/index.ts";';
  const bundles = [
    await build({ entryPoints, ...options }),
    await build({ stdin: { contents, resolveDir: source, sourcefile: "models.ts" }, ...options }),
  ];
  const files = bundles.flatMap(({ outputFiles }) => outputFiles);
  const parts = files.map(({ path, contents }) => {
    const name = basename(path).replace("stdin", "models");
    return { name, minified: contents.length, gzipped: gzipSync(contents, { level: 9 }).length };
  });
  const [index, worker, models] = parts.map(({ gzipped }) => gzipped) as [number, number, number];
  return { parts, filters: index + worker, models: models + worker };
}

if (import.meta.main) {
  const { parts, ...sums } = await measure();
  for (const part of parts) {
    console.log(`${part.name.padEnd(9)} ${part.minified} bytes minified, ${part.gzipped} gzipped`);
  }
  for (const name of ["filters", "models"] as const) {
    console.log(`${name.padEnd(9)} ${sums[name]} of ${budgets[name]} bytes`);
    if (sums[name] > budgets[name]) process.exitCode = 1;
  }
}
