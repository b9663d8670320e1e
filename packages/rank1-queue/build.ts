// Builds dist/main.js from src/, and what it loads: Node strips no types below node_modules.
import { build } from "esbuild";

await build({
  // Its paths would lead to the sources of rank1.
  tsconfigRaw: "{}",
  ...{ absWorkingDir: import.meta.dirname, entryPoints: { main: "src/start.ts" }, outdir: "dist" },
  ...{
    bundle: true,
    splitting: true,
    chunkNames: "[name]-rest",
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node22",
    logLevel: "warning",
  },
});
