// The rate of the queue against that of the plain command, on JPEGs of one megapixel, and what a second worker adds; in turns:
//   node packages/rank1-queue/bench/rate.ts --pictures 120 --rounds 3
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { encodePicture } from "../../../src/node/encode.ts";
import { queue } from "../test/run.ts";
import { kinds } from "../test/servers.ts";
import { load, option, rank1, temporaryFolder } from "./common.ts";

const [pictures, rounds] = [option("pictures", 120), option("rounds", 3)];
const folder = temporaryFolder();
const inputs = join(folder, "in");
mkdirSync(inputs);
const [width, height] = [1224, 816];
for (let i = 0; i < pictures; i++) {
  const wave = (x: number, y: number, c: number): number =>
    128 + 60 * Math.sin((x + 7 * i) / (9 + c)) + 50 * Math.cos(y / (11 + (i % 5)));
  const data = new Uint8Array(3 * width * height);
  for (let k = 0; k < data.length; k++) {
    const pixel = Math.floor(k / 3);
    data[k] = wave(pixel % width, Math.floor(pixel / width), k % 3) + ((k * 2654435761) >>> 28);
  }
  writeFileSync(
    join(inputs, `${i}.jpg`),
    await encodePicture({ width, height, channels: 3, data, alpha: false }, "jpeg"),
  );
}
const filter = (out: string): string[] => ["filter", inputs, "-o", `${join(folder, out)}/`, "-f", "gaussian:sigma=2"];
const cores = availableParallelism();
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const clear = (): void => rmSync(join(folder, "out"), { recursive: true, force: true });

for (const { name, missing, open } of kinds) {
  if (missing) console.log(`${name}: left out, ${missing}`);
  if (missing) continue;
  const server = await open(join(folder, name));
  const env = { RANK1_QUEUE_SERVER: server.address };
  /** Seconds until some workers, of so many processes each, have emptied the queue. */
  const queued = async (workers: number, processes: number): Promise<number> => {
    clear();
    await queue(["submit", ...filter("out")], { env });
    const begun = performance.now();
    await Promise.all(
      Array.from({ length: workers }, () => queue(["work", "--until-empty", "--processes", `${processes}`], { env })),
    );
    return (performance.now() - begun) / 1000;
  };
  const times: Record<"plain" | "all" | "one" | "two", number[]> = { plain: [], all: [], one: [], two: [] };
  for (let round = 0; round < rounds; round++) {
    clear();
    times.plain.push(await rank1(...filter("out"), "--quiet", "--workers", `${cores}`));
    times.all.push(await queued(1, cores));
    times.one.push(await queued(1, 1));
    times.two.push(await queued(2, 1));
  }
  const [plain, all, one, two] = [times.plain, times.all, times.one, times.two].map(median) as [
    number,
    number,
    number,
    number,
  ];
  const rate = (seconds: number): string => `${(pictures / seconds).toFixed(1)} a second`;
  console.log(
    `${name}, ${cores} cores, ${load()}: plain ${rate(plain)}, queue ${rate(all)} (${(plain / all).toFixed(2)} x); one process ${rate(one)}, a second worker ${(one / two).toFixed(2)} x`,
  );
  await server.stop("SIGKILL");
}
