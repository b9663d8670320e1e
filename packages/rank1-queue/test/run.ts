// Runs rank1-queue from its sources, on those of rank1.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const main = join(import.meta.dirname, "../src/main.ts");
const sources = `--import ${new URL("../../../test/source.ts", import.meta.url).href}`;

/** Why it does not run here. */
export const missing = existsSync(join(import.meta.dirname, "../node_modules/bullmq"))
  ? undefined
  : "npm ci --prefix packages/rank1-queue has not been run";

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Started {
  child: ChildProcess;
  result: Promise<Result>;
}

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** NODE_OPTIONS besides those of the sources. */
  preload?: string;
}

export function start(args: readonly string[], { env, cwd, preload = "" }: RunOptions = {}): Started {
  const own = { NO_COLOR: "1", NODE_OPTIONS: `${sources} ${preload}`, NODE_COMPILE_CACHE: join(tmpdir(), "rank1-test-compile-cache"), RANK1_CACHE: join(tmpdir(), "rank1-test-cache") }; // biome-ignore format: a line
  const child = spawn(process.execPath, [main, ...args], { cwd, env: { ...process.env, ...own, ...env }, stdio: ["ignore", "pipe", "pipe"] }); // biome-ignore format: a line
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const result = Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { child, result: result.then(([code, stdout, stderr]) => ({ code, stdout, stderr })) };
}

export const queue = (args: readonly string[], options?: RunOptions): Promise<Result> => start(args, options).result;
