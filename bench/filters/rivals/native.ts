// Native OpenCV and SciPy, by Debian's Python: native.py as a child process, asked one thing at a time.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Case, Work } from "../cases.ts";
import type { Picture, Pixels } from "../picture.ts";
import type { Job, Rival } from "./rival.ts";

type Answer = Record<string, unknown> & { error?: string };

/** Beside the work of the contest, what only OpenCV does. */
type NativeWork = Work | { kind: "canny"; low: number; high: number };

export class NativePython {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  readonly folder = mkdtempSync(join(tmpdir(), "rank1-bench-"));
  private ids = 0;

  constructor(command = process.env.PYTHON ?? "/usr/bin/python3") {
    const script = join(import.meta.dirname, "native.py");
    this.child = spawn(command, ["-B", script], { stdio: ["pipe", "pipe", "inherit"] });
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
    // A missing Python shows as an output that ends.
    this.child.on("error", () => {});
    this.child.stdin!.on("error", () => {});
  }

  async ask(operation: string, more: object = {}): Promise<Answer> {
    this.child.stdin!.write(`${JSON.stringify({ operation, ...more })}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error("Python with OpenCV and SciPy did not answer (Debian: python3-opencv, python3-scipy)");
    const answer = JSON.parse(value) as Answer;
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  async prepare(
    library: string,
    { work, output }: { work: NativeWork; output: Case["output"] },
    picture: Picture,
    threads: number,
  ): Promise<Job> {
    const id = ++this.ids;
    const path = join(this.folder, `${id}.raw`);
    writeFileSync(path, picture.data);
    const shape = [picture.height, picture.width, picture.channels];
    await this.ask("prepare", { id, library, path, shape, work, output, threads });
    return {
      run: async () => (await this.ask("run", { id })).ms as number,
      result: async (): Promise<Pixels> => {
        await this.ask("result", { id, path });
        const bytes = new Uint8Array(readFileSync(path)).buffer;
        return output === "u8" ? new Uint8Array(bytes) : new Int16Array(bytes);
      },
      dispose: async () => {
        await this.ask("dispose", { id });
        rmSync(path);
      },
    };
  }

  close(): void {
    this.child.stdin!.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** OpenCV rounds the taps of a Gaussian to 1/256. */
export const openCvLevels = ({ levels, work }: Case): number =>
  work.kind === "gaussian" ? Math.max(levels, 1.5) : levels;

/** Both rivals of one Python. */
export async function native(): Promise<Rival[]> {
  const python = new NativePython();
  const versions = await python.ask("versions").catch((error: unknown) => {
    python.close();
    throw error;
  });
  const rival = (library: "opencv" | "scipy", rest: Pick<Rival, "name" | "note" | "threads" | "levels">): Rival => ({
    version: `${versions[library]}`,
    border: "reflect",
    supports: () => true,
    prepare: (problem, picture, threads) => python.prepare(library, problem, picture, threads),
    close: async () => python.close(),
    ...rest,
  });
  return [
    rival("opencv", {
      name: "OpenCV",
      note: "native, by Python; `dst` given; `setNumThreads`; blurs 8-bit pictures with taps rounded to 1/256",
      threads: [1, 2],
      levels: openCvLevels,
    }),
    rival("scipy", {
      name: "SciPy",
      note: "native, `scipy.ndimage`; `output` given; truncates, after each pass where there are two",
      threads: [1],
      levels: ({ levels, output }) => (output === "u8" ? Math.max(levels, 2.5) : levels),
    }),
  ];
}
