// Builds dist/main.js from src/: Node strips no types below node_modules.
import { join } from "node:path";
import { build } from "esbuild";

await build({
  ...{ absWorkingDir: import.meta.dirname, entryPoints: ["src/main.ts"], outfile: join("dist", "main.js") },
  ...{ bundle: true, packages: "external", format: "esm", platform: "node", target: "node22", logLevel: "warning" },
});
