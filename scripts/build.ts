// Builds dist/ from src/, and from demo/, which the command line shows: types of the public names by tsc, and the entry points
// with what they share bundled into few files. Two hundred small ones took three times as long to load. Nothing is minified, so that stack traces can be read.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const root = dirname(import.meta.dirname);

/** Makes the package's `dist` folder at `outdir`. */
export async function buildPackage(outdir: string): Promise<void> {
  rmSync(outdir, { recursive: true, force: true });
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
  const types = ["-p", join(root, "tsconfig.build.json"), "--outDir", outdir];
  execFileSync(process.execPath, [tsc, ...types], { stdio: "inherit", cwd: root });
  await build({
    ...{ absWorkingDir: join(root, "src"), outbase: ".", outdir, logLevel: "warning" },
    entryPoints: ["index.ts", "onnx/index.ts", "cli/main.ts"],
    ...{ bundle: true, splitting: true, packages: "external", external: ["node:*"] },
    ...{ format: "esm", platform: "neutral", target: "es2023" },
    // Beside worker.js, which they start by its place.
    chunkNames: "wasm/[name]-[hash]",
  });
  copyFileSync(join(root, "src", "wasm", "worker.js"), join(outdir, "wasm", "worker.js"));
  chmodSync(join(outdir, "cli", "main.js"), 0o755);
}

if (import.meta.main) await buildPackage(join(root, "dist"));
