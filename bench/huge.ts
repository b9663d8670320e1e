// A picture larger than memory through `rank1 filter`: how long it takes, and the most memory that the processes have of their own
// (RssAnon, on Linux). `node bench/huge.ts 40000 gaussian:2` makes one of that many pixels a side, and removes it again.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { tiffFile } from "../src/node/tiff.ts";

const [side = "12000", filter = "gaussian:2", memory = "500M"] = process.argv.slice(2);
const size = Number(side);

async function* pixels(): AsyncGenerator<Uint8Array> {
  for (let top = 0; top < size; top += 64) {
    const rows = Math.min(64, size - top);
    const data = new Uint8Array(rows * size * 3);
    for (let y = top, at = 0; y < top + rows; y++)
      for (let x = 0; x < size; x++) {
        data[at++] = (x >> 3) + (y >> 2) * 3;
        data[at++] = (x * y) >> 12;
        data[at++] = (x ^ y) >> 1;
      }
    yield data;
  }
}

async function make(path: string): Promise<void> {
  const file = await open(path, "w");
  const tiff = tiffFile((bytes) => file.writeFile(bytes));
  await tiff.page({ width: size, height: size, channels: 3, data: new Uint8Array(0), alpha: false }, pixels());
  const head = await tiff.end();
  await file.write(head, 0, head.length, 0);
  await file.close();
}

/** Bytes of their own that a process and those that it has started have. */
function ownBytes(pid: number): number {
  try {
    const own = Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean),
    );
    return children.reduce((sum, child) => sum + ownBytes(Number(child)), own);
  } catch {
    return 0;
  }
}

const folder = await mkdtemp(join(tmpdir(), "rank1-huge-"));
try {
  const [input, output] = ["in.tif", "out.tif"].map((name) => join(folder, name)) as [string, string];
  await make(input);
  const start = performance.now();
  const main = join(import.meta.dirname, "../src/cli/main.ts");
  const child = spawn(process.execPath, [main, "filter", input, "-o", output, "-f", filter, "--memory", memory], { stdio: "inherit" });
  let [most, running] = [0, true];
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve)).finally(() => (running = false));
  for (; running; await wait(20)) most = Math.max(most, ownBytes(child.pid!));
  const seconds = (performance.now() - start) / 1000;
  const bytes = statSync(output).size;
  console.log(`${size} x ${size}: ${seconds.toFixed(1)} s, ${(most / 1e6).toFixed(0)} MB of its own at most, result ${bytes} bytes`);
  process.exitCode = (await ended) ?? 1;
} finally {
  await rm(folder, { recursive: true });
}
