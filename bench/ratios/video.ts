// Frames a second of examples/video.ts, on the package as it is built: two lengths of a video, so that its start is not counted.
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPackage } from "../../scripts/build.ts";
import { median } from "../gate/change.ts";
import { generator } from "../random.ts";

const root = join(import.meta.dirname, "..", "..");
const [width, height] = [1280, 720];

export async function framesPerSecond(): Promise<number> {
  await buildPackage(join(root, "dist"));
  const folder = mkdtempSync(join(tmpdir(), "rank1-video-"));
  const lengths = [40, 200];
  const paths = lengths.map((frames) => write(join(folder, `${frames}.y4m`), frames));
  const seconds: number[] = [];
  for (let round = 0; round < 3; round++) {
    const [short, long] = [await run(paths[0]!, lengths[0]!), await run(paths[1]!, lengths[1]!)];
    seconds.push((long - short) / (lengths[1]! - lengths[0]!));
  }
  rmSync(folder, { recursive: true });
  return 1 / median(seconds);
}

function write(path: string, frames: number): string {
  const random = generator(5);
  const frame = Uint8Array.from({ length: (width * height * 3) / 2 }, () => 255 * random());
  const file = openSync(path, "w");
  writeSync(file, Buffer.from(`YUV4MPEG2 W${width} H${height} F30:1 C420\n`));
  for (let i = 0; i < frames; i++) {
    writeSync(file, Buffer.from("FRAME\n"));
    writeSync(file, frame);
  }
  closeSync(file);
  return path;
}

/** Seconds; every frame comes out. */
async function run(path: string, frames: number): Promise<number> {
  const input = openSync(path, "r");
  const start = performance.now();
  const child = spawn(process.execPath, [join(root, "examples", "video.ts"), "8"], { stdio: [input, "pipe", "inherit"] });
  let bytes = 0;
  child.stdout!.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await new Promise((resolve) => child.on("close", resolve));
  closeSync(input);
  const least = frames * ((width * height * 3) / 2 + 6);
  if (bytes < least) throw new Error(`${bytes} bytes came out of ${path}, not ${least} and more`);
  return (performance.now() - start) / 1000;
}
