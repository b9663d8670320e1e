// The command line as the package brings it: built, in a folder of its own, with the demo bundled.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { renderScene } from "../../demo/drawing/scene.ts";
import { buildPackage } from "../../scripts/build.ts";
import { readPicture } from "../../src/node/pictures.ts";
import { temporaryFolder } from "../node/folder.ts";

const root = join(import.meta.dirname, "../..");
const folder = temporaryFolder();
const { files, bin, engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

beforeAll(async () => {
  for (const file of ["package.json", ...files].filter((name) => name !== "dist")) {
    cpSync(join(root, file), join(folder, file), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  await buildPackage(join(folder, "dist"));
}, 120_000);

const run = (...args: string[]): string =>
  execFileSync(process.execPath, [join(folder, bin.rank1), ...args], { cwd: folder, encoding: "utf8" });

test("rank1 demo draws its pictures and its page", async () => {
  expect(existsSync(join(folder, "src"))).toBe(false);
  expect(existsSync(join(folder, "demo"))).toBe(false);
  expect(run("demo", "-o", "tour/")).toMatch(/\nOpen tour\/index\.html in a browser to see it all\.\n$/);
  expect(readdirSync(join(folder, "tour"))).toContain("gabor.png");
  const scene = await readPicture(join(folder, "tour/scene.png"));
  expect(Buffer.from(scene.data.buffer).equals((await renderScene()).data)).toBe(true);
});

test("an older Node is told which one is needed", () => {
  const main = join(folder, bin.rank1);
  expect(readFileSync(main, "utf8")).not.toMatch(/^import /m); // what it lacks could not even be linked
  const older = "Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.19.1'}})";
  const args = ["--import", `data:text/javascript,${older}`, main, "--version"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const message = `rank1 needs Node ${engines.node.replace(">=", "")} or later; this is 20.19.1\n`;
  expect([status, stdout, stderr]).toEqual([1, "", message]);
});

test("types are those of the public names alone", () => {
  expect(readFileSync(join(folder, "dist/index.d.ts"), "utf8")).toContain("createEngine");
  expect(readFileSync(join(folder, "dist/onnx/index.d.ts"), "utf8")).toContain("loadModel");
  expect(readdirSync(join(folder, "dist/cli"))).toEqual(["main.js"]);
});
