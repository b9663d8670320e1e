// The package as npm would get it, packed from a folder of its own so that nobody's dist/ is touched, and installed.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { buildPackage } from "../../scripts/build.ts";
import { packedManifest } from "../../scripts/manifest.ts";

const root = join(import.meta.dirname, "..", "..");

export interface Packed {
  tarball: string;
  /** Paths in the package. */
  files: string[];
}

/** Packs below `folder`. */
export async function pack(folder: string): Promise<Packed> {
  const stage = join(folder, "stage");
  const named = ["package.json", "README.md", "LICENSE", ...manifest.files.filter((path) => path !== "dist")];
  for (const path of named) cpSync(join(root, path), join(stage, path), { recursive: true });
  writeFileSync(join(stage, "package.json"), packedManifest(readFileSync(join(root, "package.json"), "utf8")));
  await buildPackage(join(stage, "dist"));
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const text = execFileSync("npm", args, { cwd: stage, encoding: "utf8", shell: process.platform === "win32" });
  const [{ filename, files }] = JSON.parse(text) as [{ filename: string; files: { path: string }[] }];
  return { tarball: join(folder, filename), files: files.map(({ path }) => path) };
}

/** Puts the package, without what it depends on, into the node_modules of `app`: no network is asked. */
export function install(tarball: string, app: string): string {
  const target = join(app, "node_modules", "rank1");
  mkdirSync(target, { recursive: true });
  execFileSync("tar", ["-xzf", tarball, "--strip-components=1", "-C", target]);
  return target;
}
