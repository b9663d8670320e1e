// Builds dist/main.js from src/: Node strips no types below node_modules.
import { join } from "node:path";
import { build } from "esbuild";

await build({
  // Its paths would lead to the sources of rank1.
  tsconfigRaw: "{}",
  ...{ absWorkingDir: import.meta.dirname, entryPoints: ["src/main.ts"], outfile: join("dist", "main.js") },
  ...{ bundle: true, packages: "external", format: "esm", platform: "node", target: "node22", logLevel: "warning" },
});
