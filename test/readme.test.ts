// The programs of the README and of docs/models.md run as they stand, each as a file of its own beside the package, a photograph and a model.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "./node/folder.ts";
import { attributeOf, model, node, tensor, value } from "./onnx/build.ts";

const root = join(import.meta.dirname, "..");
const programsOf = (page: string): string[] =>
  [...readFileSync(join(root, page), "utf8").matchAll(/^```(?:js|ts)\n(.*?)^```$/gms)].map((match) => match[1]!);
const programs = programsOf("README.md");
const all = [...programs, ...programsOf("docs/models.md")];
const folder = temporaryFolder();

beforeAll(async () => {
  const installed = join(folder, "node_modules", "rank1");
  mkdirSync(installed, { recursive: true });
  symlinkSync(join(root, "src"), join(installed, "src"));
  symlinkSync(join(root, "node_modules", "sharp"), join(folder, "node_modules", "sharp"));
  const exports = { ".": "./src/index.ts", "./onnx": "./src/onnx/index.ts", "./node": "./src/node/index.ts" };
  writeFileSync(join(installed, "package.json"), JSON.stringify({ name: "rank1", type: "module", exports }));
  const pixels = Buffer.from(Uint8Array.from({ length: 90 * 60 * 3 }, (_, i) => (7 * i) % 251));
  await sharp(pixels, { raw: { width: 90, height: 60, channels: 3 } }).toFile(join(folder, "photo.jpg"));
  copyFileSync(join(root, "assets", "shapes.onnx"), join(folder, "model.onnx"));
  writeFileSync(join(folder, "upscale.onnx"), upscaling);
});

/** A network that doubles pictures, badly: of one size, and without their edges. */
const upscaling = model({
  nodes: [
    node("Conv", ["x", "w"], ["y"]),
    node("DepthToSpace", ["y"], ["z"], { attribute: [attributeOf(["blocksize", 2])] }),
  ],
  initializers: [tensor("w", [12, 3, 3, 3])],
  inputs: [value("x", [1, 3, 32, 32])],
  outputs: [value("z", [1, 3, 60, 60])],
});

/** What the comments behind calls of console.log promise, where they quote a value. */
const promised = (program: string): string[] =>
  [...program.matchAll(/^console\.log\(.*\); \/\/ (.*[\]}]|true)$/gm)].map((match) => match[1]!);

describe("README.md", () => {
  it("has programs, and all of them import what they use", () => {
    expect(programs.length).toBeGreaterThanOrEqual(4);
    for (const program of all) expect(program).toMatch(/^import .* from "/m);
    expect(programs.flatMap(promised)).toEqual(["2 { direct: 225, separable: 60 }", "[ 1, 8, 8, 256 ]"]);
  });

  it.each(all.map((program, i) => [i + 1, program] as const))("program %i runs", (number, program) => {
    const file = join(folder, `program-${number}.mjs`);
    writeFileSync(file, program);
    const args = [file, "model.onnx", "photo.jpg"];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: folder,
      encoding: "utf8",
      timeout: 60_000,
    });
    expect([status, stderr]).toEqual([0, ""]);
    for (const line of promised(program)) expect(stdout.split("\n")).toContain(line);
  });

  it("the first programs have written their files", async () => {
    for (const name of ["blurred.png", "soft.png"])
      expect(await sharp(join(folder, name)).metadata()).toMatchObject({ width: 90, height: 60, channels: 3 });
    expect(await sharp(join(folder, "out/edges.webp")).metadata()).toMatchObject({ width: 90, height: 60 });
  });
});
