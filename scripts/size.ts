// What rank1 adds to a page: the public face and its worker, both with what runs models, and with all that there is, each
// bundled, minified and gzipped.
// Exits with 1 where a sum is above its budget.
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Bytes of all parts together, gzipped: of filters and layers, of running models as well, and of what separates them, too. */
export const budgets = { filters: 66_000, models: 97_000, all: 124_000 };

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

/** Sizes in bytes: index.js and worker.js, and index.js with models as models.js, with everything as all.js. */
export async function measure(): Promise<{ parts: Part[]; filters: number; models: number; all: number }> {
  const entryPoints = [join(source, "index.ts"), join(source, "wasm", "worker.js")];
  const whole = 'export * from "./index.ts";';
  const models = `${whole} export { loadModel, inspectModel, explainModel, imageToTensor, saveModel } from "./onnx/index.ts";`;
  const all = `${whole} export * from "./onnx/index.ts";`;
  const bundles = [
    await build({ entryPoints, ...options }),
    await build({ stdin: { contents: models, resolveDir: source }, ...options, external: ["./separate.ts"] }),
    await build({ stdin: { contents: all, resolveDir: source }, ...options }),
  ];
  const files = bundles.flatMap(({ outputFiles }) => outputFiles);
  const parts = files.map(({ path, contents }, i) => {
    const name = basename(path).replace("stdin", i === files.length - 1 ? "all" : "models");
    return { name, minified: contents.length, gzipped: gzipSync(contents, { level: 9 }).length };
  });
  const sizes = parts.map(({ gzipped }) => gzipped) as [number, number, number, number];
  const [index, worker, withModels, everything] = sizes;
  return { parts, filters: index + worker, models: withModels + worker, all: everything + worker };
}

if (import.meta.main) {
  const { parts, ...sums } = await measure();
  for (const part of parts) {
    console.log(`${part.name.padEnd(9)} ${part.minified} bytes minified, ${part.gzipped} gzipped`);
  }
  for (const name of ["filters", "models", "all"] as const) {
    console.log(`${name.padEnd(9)} ${sums[name]} of ${budgets[name]} bytes`);
    if (sums[name] > budgets[name]) process.exitCode = 1;
  }
}
