// What the numbers were measured on.
import { execFileSync } from "node:child_process";
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import type { Results } from "./results.ts";
import { rounded } from "./results.ts";

export function describeMachine(): Results["machine"] {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()} ${arch()}`,
    node: process.version,
    v8: process.versions.v8,
    load: loadavg().map(rounded),
  };
}

/** The processor and its cores as the name of a file. */
export function machineName({ cpu, cores }: Results["machine"]): string {
  const words = cpu.toLowerCase().replace(/\(r\)|\(tm\)/g, "");
  return `${words.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")}-${cores}`;
}

/** The commit of a checkout, this one by default; "+" where the sources differ from it. */
export function commitOf(folder = join(import.meta.dirname, "..")): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "--", "src") ? "+" : ""}`;
  } catch {
    return "unknown";
  }
}
