// What rank1 adds to a page: the public face and its worker, each bundled, minified and gzipped. Exits with 1 where both
// together are above the budget.
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Bytes of all parts together, gzipped. */
export const budget = 54_000;

export interface Part {
  name: string;
  minified: number;
  gzipped: number;
}

/** Sizes in bytes. */
export async function measure(): Promise<{ parts: Part[]; gzipped: number }> {
  const source = join(dirname(import.meta.dirname), "src");
  const { outputFiles } = await build({
    entryPoints: [join(source, "index.ts"), join(source, "wasm", "worker.js")],
    ...{ bundle: true, minify: true, format: "esm", write: false, outdir: "bundle", logLevel: "error" },
  });
  const parts = outputFiles.map(({ path, contents }) => {
    const gzipped = gzipSync(contents, { level: 9 }).length;
    return { name: basename(path), minified: contents.length, gzipped };
  });
  return { parts, gzipped: parts.reduce((sum, part) => sum + part.gzipped, 0) };
}

if (import.meta.main) {
  const { parts, gzipped } = await measure();
  for (const part of parts) {
    console.log(`${part.name.padEnd(9)} ${part.minified} bytes minified, ${part.gzipped} gzipped`);
  }
  console.log(`together  ${gzipped} of ${budget} bytes`);
  if (gzipped > budget) process.exitCode = 1;
}
