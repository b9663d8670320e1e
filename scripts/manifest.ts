// The package.json of the package: without what only work on rank1 needs. npm packs the file as it lies there, so it is
// replaced before (`prepack`) and put back after (`postpack`, or at the next time where packing was broken off).
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const file = join(dirname(import.meta.dirname), "package.json");
const kept = `${file}.whole`;

/** The text of a package.json as the package has it. */
export function packedManifest(text: string): string {
  const { scripts: _s, devDependencies: _d, allowScripts: _a, ...manifest } = JSON.parse(text);
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

function restore(): void {
  if (existsSync(kept)) renameSync(kept, file);
}

if (import.meta.main) {
  restore();
  if (process.argv[2] === "pack") {
    const whole = readFileSync(file, "utf8");
    writeFileSync(kept, whole);
    writeFileSync(file, packedManifest(whole));
  }
}
