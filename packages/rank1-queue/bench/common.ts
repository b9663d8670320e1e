// What measurements of the queue share: pictures, rank1 itself, and a folder that goes with the process.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";

const main = join(import.meta.dirname, "../../../src/cli/main.ts");

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "rank1-queue-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a command of rank1; seconds that it took. */
export async function rank1(...args: string[]): Promise<number> {
  const begun = performance.now();
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`rank1 ${args[0]} ended with code ${code}`);
  return (performance.now() - begun) / 1000;
}

export const load = (): string => `load ${loadavg()[0]!.toFixed(1)}`;

/** "--pictures 2000" */
export function option(name: string, usual: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : Number(process.argv[at + 1]);
}
