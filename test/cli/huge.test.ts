// rank1 filter of a picture that is larger than the memory it may take: how much it takes, what it says, and what it leaves when it is
// interrupted.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { writePicture } from "../../src/node/index.ts";
import { temporaryFolder } from "../node/folder.ts";
import { rank1, spawnRank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const side = 5000;

beforeAll(async () => {
  const data = new Uint8Array(side * side * 3);
  for (let i = 0; i < data.length; i++) data[i] = (i >> 10) + (i % 3);
  await writePicture(path("in.tif"), { width: side, height: side, channels: 3, data });
});

/** The most memory of its own that a process has while it runs. */
function watch(child: { pid?: number }, seen: (bytes: number) => void): void {
  const look = setInterval(() => {
    try {
      seen(1024 * Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0));
    } catch {
      clearInterval(look);
    }
  }, 20);
}

test("takes a fraction of what the picture would, says what it puts beside the result, and removes it", async () => {
  let most = 0;
  const args = ["filter", path("in.tif"), "-o", path("out/soft.tif"), "-f", "gaussian:2", "--memory", "200M"];
  const started = (child: { pid?: number }) => watch(child, (bytes) => void (most = Math.max(most, bytes)));
  const { code, stderr } = await spawnRank1(args, { started });
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(
      /in\.tif: is filtered strip by strip, with 75\.00 MB in files beside \S*soft\.tif meanwhile\n.*5000 × 5000 × 3 u8/,
    ),
  ]);
  expect(readdirSync(path("out"))).toEqual(["soft.tif"]);
  // 75 MB of pixels would take 0.5 GB; node, sharp and the engine take 0.1.
  expect(most).toBeLessThan(300e6);
}, 120_000);

test("Ctrl-C ends it, and takes its files along", async () => {
  const started = (child: { kill(name: string): void }) => {
    const look = setInterval(() => {
      const files = readdirSync(folder).filter((name) => name.endsWith(".tmp.v"));
      if (files.length === 0) return;
      clearInterval(look);
      child.kill("SIGINT");
    }, 5);
  };
  const args = ["filter", path("in.tif"), "-o", path("stopped.png"), "-f", "box:3", "--memory", "200M", "--quiet"];
  const { code, stderr } = await spawnRank1(args, { started: started as never });
  expect([code, stderr]).toEqual([130, "rank1: interrupted\n"]);
  expect(readdirSync(folder).filter((name) => name.startsWith(".") || name.startsWith("stopped"))).toEqual([]);
}, 120_000);

test("among many, with a journal, too; and what is refused is said in the command line's words", async () => {
  writeFileSync(path("small.raw"), new Uint8Array(600 * 900));
  const raw = ["--raw", "600x900x1:u8", "--format", "png", "-f", "box:3", "--memory", "2M"];
  const many = ["filter", path("small.raw"), "-o", `${path("many")}/`, "--workers", "1", ...raw];
  expect((await rank1(...many)).code).toBe(0);
  const again = await rank1(...many, "--resume");
  expect([again.code, again.stderr]).toEqual([0, expect.stringMatching(/0 pictures in .*, 1 were done before/)]);
  const few = (...more: string[]) => rank1("filter", path("small.raw"), "-o", path("few.png"), ...more);
  const edges = await few("--raw", "600x900x1:u8", "-f", "canny", "--memory", "2M");
  expect([edges.code, edges.stderr]).toEqual([1, expect.stringMatching(/got canny, whose edges .*--memory/)]);
  writeFileSync(path("cut.tif"), readFileSync(path("in.tif")).subarray(0, 2e5));
  const cut = await rank1("filter", path("cut.tif"), "-o", path("cut.png"), "-f", "box:3", "--memory", "2M");
  expect([cut.code, cut.stderr]).toEqual([1, expect.stringMatching(/cut\.tif: expected /)]);
  const size = await few(...raw, "--memory", "much");
  expect([size.code, size.stderr]).toEqual([2, expect.stringMatching(/--memory.* Expected bytes such as 500M or 2G/)]);
}, 120_000);
