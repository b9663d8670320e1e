// Builds dist/ from src/ and demo/: the entry points with what they share, bundled into few files. Two hundred small ones took
// three times as long to load. Packages that package.json does not depend on are bundled, too; THIRD-PARTY.txt has their
// licences. Nothing is minified, so that stack traces can be read. The public faces' types are bundled as well: what is
// internal would only be more that compilers have to agree on.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { build, type Metafile } from "esbuild";
import { rolldown } from "rolldown";
import { dts } from "rolldown-plugin-dts";
import manifest from "../package.json" with { type: "json" };
import { thirdParty } from "./third-party.ts";

const root = dirname(import.meta.dirname);

/** What package.json exports; tsconfig.build.json names them, too. */
const faces = ["index", "onnx/index", "ahead/index", "node/index", "batch/index"];

/** Makes the package's `dist` folder at `outdir`. */
export async function buildPackage(outdir: string): Promise<void> {
  rmSync(outdir, { recursive: true, force: true });
  await Promise.all([bundleCode(outdir), bundleTypes(outdir)]);
  stripExamples(outdir);
}

/** The examples without their types: Node strips none below node_modules. */
function stripExamples(outdir: string): void {
  mkdirSync(join(outdir, "examples"));
  for (const name of readdirSync(join(root, "examples")).filter((one) => one.endsWith(".ts"))) {
    const code = stripTypeScriptTypes(readFileSync(join(root, "examples", name), "utf8"));
    const script = name.replace(/ts$/, "js");
    writeFileSync(join(outdir, "examples", script), code.replace(/(from "\.\/\w+)\.ts"/g, '$1.js"').replaceAll("node examples/", "node node_modules/rank1/dist/examples/").replace(/(dist\/examples\/\w+)\.ts/g, "$1.js")); // biome-ignore format: a line
  }
}

async function bundleCode(outdir: string): Promise<void> {
  const { metafile } = await build({
    ...{ absWorkingDir: root, outbase: "src", outdir, logLevel: "warning", metafile: true },
    entryPoints: [...faces, "cli/main"].map((entry) => `src/${entry}.ts`),
    ...{ bundle: true, splitting: true, external: ["node:*", ...Object.keys(manifest.dependencies)] },
    ...{ format: "esm", platform: "neutral", target: "es2023" },
    // Beside worker.js, which they start by its place.
    chunkNames: "wasm/[name]-[hash]",
  });
  writeFileSync(join(outdir, "THIRD-PARTY.txt"), thirdParty(root, filesIn(metafile)));
  copyFileSync(join(root, "src", "backend", "wasm", "worker.js"), join(outdir, "wasm", "worker.js"));
  chmodSync(join(outdir, "cli", "main.js"), 0o755);
}

async function bundleTypes(outdir: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "rank1-types-"));
  try {
    const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
    execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", folder], {
      stdio: "inherit",
      cwd: root,
    });
    const input = Object.fromEntries(faces.map((face) => [face, join(folder, `${face}.d.ts`)]));
    // The generator would make declarations; these are made.
    const bundle = await rolldown({ input, plugins: [dts({ dtsOnly: true, generator: "oxc", tsconfig: false })] });
    await bundle.write({ dir: outdir, entryFileNames: "[name].d.ts", chunkFileNames: "types.d.ts" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Sources of which something is left. */
function filesIn({ outputs }: Metafile): string[] {
  const used = Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs));
  return used.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => file);
}

if (import.meta.main) await buildPackage(join(root, "dist"));
