// Runs the command line from its sources: in this process, which is quick, or as a child process, which is the real one.
import { type ChildProcess, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { vi } from "vitest";
import { runProgram } from "../../src/cli/program.ts";

// Not the user's own.
process.env.RANK1_CACHE = join(tmpdir(), "rank1-test-cache");

const main = join(import.meta.dirname, "../../src/cli/main.ts");

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface Options {
  cwd?: string;
  /** All that the standard input holds; null leaves it open. */
  input?: string | Uint8Array | null;
  env?: Record<string, string>;
  /** Called when the process has started. */
  started?: (child: ChildProcess) => void;
}

/** In a child process; `bytes` is the standard output as it is. */
export async function spawnRank1(
  args: readonly string[],
  { cwd, input = "", env, started }: Options = {},
): Promise<Result & { bytes: Buffer }> {
  const cache = join(tmpdir(), "rank1-test-compile-cache"); // halves the time of a start
  const all = { ...process.env, NO_COLOR: "1", NODE_COMPILE_CACHE: cache, ...env };
  const child = spawn(process.execPath, [main, ...args], { cwd, env: all });
  child.stdin.on("error", () => {}); // it may end before it has read everything
  if (input !== null) child.stdin.end(input);
  started?.(child);
  const code = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [bytes, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
  return { code: await code, stdout: bytes.toString(), bytes, stderr: stderr.toString() };
}

/** In this process; one at a time. */
export function rank1(...args: string[]): Promise<Result> {
  return rank1With(new AbortController().signal, ...args);
}

export async function rank1With(signal: AbortSignal, ...args: string[]): Promise<Result> {
  const texts = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((chunk, ...rest) => {
      texts[name] += chunk.toString();
      const done = rest.find((value) => typeof value === "function");
      done?.();
      return true;
    }),
  );
  try {
    return { code: await runProgram(args, signal), ...texts };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
