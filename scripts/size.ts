// What rank1 adds to a page: the public face and its worker, and both with models; each bundled, minified and gzipped.
// "At first" is what loads before anything is called; "in all", with the parts that load when a model or a call asks for them.
// Exits with 1 where a sum is above its budget.
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/**
 * Gzipped bytes: of filters and layers at first (the goal is 60,000), of these and models at first (95,000), and of all that there
 * is. A budget of a size that is above its goal is that size, rounded up.
 */
export const budgets = { core: 105_700, models: 203_700, all: 333_000 };

export interface Part {
  name: string;
  minified: number;
  gzipped: number;
  /** Loaded only when something asks for it. */
  later: boolean;
}

const source = join(dirname(import.meta.dirname), "src");

/** The files of a page that imports everything from some modules. */
async function bundle(...modules: string[]): Promise<Part[]> {
  const contents = modules.map((module) => `export * from "${module}";`).join("");
  const { outputFiles, metafile } = await build({
    ...{ stdin: { contents, resolveDir: source }, absWorkingDir: source, outdir: "bundle" },
    ...{ bundle: true, minify: true, splitting: true, format: "esm", write: false, metafile: true, logLevel: "error" },
    ...{ entryNames: "index", chunkNames: "[name]-[hash]" },
  });
  const first = new Set(["bundle/index.js"]);
  for (const path of first)
    for (const { kind, path: target } of metafile.outputs[path]!.imports)
      if (kind === "import-statement") first.add(target);
  return outputFiles.map(({ path, contents }) =>
    partOf(basename(path), contents, !first.has(`bundle/${basename(path)}`)),
  );
}

function partOf(name: string, contents: Uint8Array, later: boolean): Part {
  return { name, minified: contents.length, gzipped: gzipSync(contents, { level: 9 }).length, later };
}

const sum = (parts: readonly Part[]): number => parts.reduce((total, { gzipped }) => total + gzipped, 0);
const atFirst = (parts: readonly Part[]): readonly Part[] => parts.filter(({ later }) => !later);

export interface Sizes {
  core: Part[];
  models: Part[];
}

/** The files of both pages. Each has a worker. */
export async function measure(): Promise<Sizes> {
  const { outputFiles } = await build({
    ...{
      entryPoints: [join(source, "backend", "wasm", "worker.js")],
      format: "esm",
      minify: true,
      bundle: true,
      write: false,
    },
  });
  const worker = partOf("worker.js", outputFiles[0]!.contents, false);
  return {
    core: [...(await bundle("./index.ts")), worker],
    models: [...(await bundle("./index.ts", "./onnx/index.ts")), worker],
  };
}

/** Gzipped bytes of what {@link budgets} names. */
export function sums({ core, models }: Sizes): typeof budgets {
  return { core: sum(atFirst(core)), models: sum(atFirst(models)), all: sum(models) };
}

if (import.meta.main) {
  const sizes = await measure();
  for (const [page, parts] of Object.entries(sizes)) {
    for (const { name, minified, gzipped, later } of parts)
      console.log(`${page}: ${name} ${minified} bytes minified, ${gzipped} gzipped${later ? ", when asked for" : ""}`);
  }
  for (const [name, bytes] of Object.entries(sums(sizes)) as [keyof typeof budgets, number][]) {
    console.log(`${name} ${bytes} of ${budgets[name]} bytes`);
    if (bytes > budgets[name]) process.exitCode = 1;
  }
}
