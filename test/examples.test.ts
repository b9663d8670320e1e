// The examples run, and say what their comments and the README say.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { createEngine, filters } from "../src/index.ts";
import { dataPath, withoutData } from "./data.ts";
import { temporaryFolder } from "./node/folder.ts";

const root = new URL("../", import.meta.url);
const textOf = (path: string): string => readFileSync(new URL(path, root), "utf8");

function run(example: string, ...args: string[]): string {
  const path = fileURLToPath(new URL(example, root));
  const source = new URL("test/source.ts", root).href;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", source, path, ...args], {
    encoding: "utf8",
    timeout: 60_000,
  });
  expect(status, stderr).toBe(0);
  return stdout;
}

describe("examples/layers.ts", () => {
  it("prints the shape that its comment gives, and a plan", () => {
    const lines = run("examples/layers.ts").split("\n");
    expect(lines[0]).toBe("[ 1, 8, 8, 256 ]");
    expect(textOf("examples/layers.ts")).toContain(`console.log(y.shape); // ${lines[0]}`);
    expect(lines[1]).toMatch(/^separable 5 x 5 on 1 x 12 x 12 x 3 f32 -> 1 x 8 x 8 x 256 f32/);
    expect(lines.some((line) => line.startsWith("> depthwise-pointwise "))).toBe(true);
  });

  it("stands in the README", () => expect(textOf("README.md")).toContain(shown("examples/layers.ts")));
});

it("examples/values.ts keeps values in the engine, and stands in the documents", () => {
  expect(run("examples/values.ts")).toBe("16384\n");
  expect(textOf("docs/layers.md")).toContain(shown("examples/values.ts"));
});

/** An example as the README shows it: without its first comment. */
function shown(example: string): string {
  return `\`\`\`js\n${textOf(example).split("\n").slice(1).join("\n")}\`\`\``;
}

it.each(["compare", "faces", "race", "run", "upscale"])("examples/%s.ts says its usage where arguments are missing", (name) => {
  const path = fileURLToPath(new URL(`examples/${name}.ts`, root));
  const source = new URL("test/source.ts", root).href;
  const { status, stderr } = spawnSync(process.execPath, ["--import", source, path], { encoding: "utf8" });
  expect([status, stderr]).toEqual([2, expect.stringMatching(new RegExp(`^usage: node examples/${name}\\.ts \\S+\\.onnx .*\\n$`))]);
}); // biome-ignore format: lines

it("examples/run.ts ranks classes, and says what a result is", () => {
  const [file, photo] = [fileURLToPath(new URL("assets/shapes.onnx", root)), fileURLToPath(new URL("docs/images/sobel.png", root))]; // biome-ignore format: a line
  const [title, ...best] = run("examples/run.ts", file, photo).trimEnd().split("\n");
  expect(title).toMatch(/^\w+ \[1, 10\]$/);
  expect(best.map((line) => /^ {2}\d: -?\d+\.\d{3}$/.test(line))).toEqual([true, true, true]);
});

it("examples/race.ts times models in turns", () => {
  const file = fileURLToPath(new URL("assets/shapes.onnx", root));
  const [first, second] = run("examples/race.ts", file, file).split("\n");
  expect(first).toMatch(/^shapes\.onnx: [\d.]+ ms, 1\.00 x$/);
  expect(second).toMatch(/^shapes\.onnx: [\d.]+ ms, [\d.]+ x$/);
});

const model = (name: string): string => dataPath("models", `${name}.onnx`);
const missing = withoutData();

it("examples/classify.ts stands in the README", () => {
  expect(textOf("README.md")).toContain(shown("examples/classify.ts"));
});

describe.skipIf(missing)(`examples of models${missing}`, () => {
  const folder = temporaryFolder();

  it("examples/classify.ts knows a horse", () => {
    const horse = dataPath("cifar10/test/horse", readdirSync(dataPath("cifar10/test/horse"))[0]!);
    expect(run("examples/classify.ts", model("resnet20-cifar10"), horse)).toBe("horse\n");
  });

  it("examples/run.ts writes a picture", async () => {
    const photo = dataPath("images/kodak-23.png");
    expect(run("examples/run.ts", model("waifu2x-scale2"), photo, folder)).toMatch(/^conv7 \[1, 3, 284, 284\]\n {2}-> .*conv7\.png\n$/); // biome-ignore format: a line
    expect(await sharp(join(folder, "conv7.png")).metadata()).toMatchObject({ width: 284, height: 284, channels: 3 });
  });

  it("examples/faces.ts draws the faces of a group", async () => {
    const [photo, output] = [dataPath("images/faces-1.jpg"), join(folder, "faces.png")];
    const found = Number.parseInt(run("examples/faces.ts", model("ultraface-rfb-320"), photo, output), 10);
    expect(found).toBeGreaterThan(5);
    const pixels = (path: string): Promise<Buffer> => sharp(path).removeAlpha().raw().toBuffer();
    const [before, after] = [await pixels(photo), await pixels(output)];
    expect(after.length).toBe(before.length);
    const changed = after.filter((value, i) => value !== before[i]).length / after.length;
    expect(changed).toBeGreaterThan(0.003);
    expect(changed).toBeLessThan(0.2);
  });

  it("examples/upscale.ts doubles a photograph", async () => {
    const [small, output] = [join(folder, "small.png"), join(folder, "doubled.png")];
    const crop = { left: 300, top: 200, width: 150, height: 40 };
    await sharp(dataPath("images/kodak-23.png")).extract(crop).toFile(small);
    expect(run("examples/upscale.ts", model("waifu2x-scale2"), small, output)).toMatch(
      /^150 x 40 -> 300 x 80 in [\d.]+ s\n$/,
    );
    // Halved again it is what it was; a seam between tiles (142 pixels wide) or a shift would show.
    const halved = await sharp(output).resize(150, 40, { kernel: "linear" }).raw().toBuffer();
    const original = await sharp(small).raw().toBuffer();
    const error = (x0: number, x1: number): number => {
      let [sum, count] = [0, 0];
      for (let y = 0; y < 40; y++)
        for (let at = (y * 150 + x0) * 3; at < (y * 150 + x1) * 3; at++, count++)
          sum += (halved[at]! - original[at]!) ** 2;
      return Math.sqrt(sum / count);
    };
    expect(error(0, 150)).toBeLessThan(6);
    expect(error(140, 144)).toBeLessThan(10);

    const said = run("examples/compare.ts", model("waifu2x-scale2"), model("waifu2x-scale2"), small, output);
    expect(said).toMatch(/^original: [\d.]+ s\nseparated: [\d.]+ s\nthey agree to Infinity dB/);
    expect(said).toMatch(/against the truth: Infinity dB and Infinity dB\n$/);
    const difference = await sharp(join(folder, "small-difference.png")).raw().toBuffer();
    expect(difference.every((value) => value === 128)).toBe(true);
  });
});

describe("examples/video.ts", () => {
  const start = (input: Uint8Array) => {
    const path = fileURLToPath(new URL("examples/video.ts", root));
    const source = new URL("test/source.ts", root).href;
    return spawnSync(process.execPath, ["--import", source, path, "3"], { input, timeout: 60_000 });
  };
  const frame = (planes: readonly (Uint8Array | Uint16Array)[]): Buffer =>
    Buffer.concat([Buffer.from("FRAME\n"), ...planes.map((p) => Buffer.from(p.buffer, p.byteOffset, p.byteLength))]);

  it.each([
    ["420jpeg", Uint8Array, [2, 2]],
    ["422", Uint8Array, [2, 1]],
    ["444p10", Uint16Array, [1, 1]],
    ["mono", Uint8Array, undefined],
  ] as const)("blurs each plane of frames in %s", async (name, Elements, steps) => {
    const [width, height] = [37, 25];
    const sides = [[width, height, 1, 1], ...(steps ? [1, 2].map(() => [Math.ceil(width / steps[0]), Math.ceil(height / steps[1]), ...steps]) : [])]; // biome-ignore format: a line
    const frames = [1, 2, 3].map((seed) =>
      sides.map(([w, h]) => new Elements(w! * h!).map((_, i) => (i * i * seed * 37) % 256)),
    );
    const header = `YUV4MPEG2 W${width} H${height} F25:1 C${name} XTEST\n`;
    const { status, stdout, stderr } = start(Buffer.concat([Buffer.from(header), ...frames.map(frame)]));
    expect(status, String(stderr)).toBe(0);
    const engine = await createEngine();
    const blurred: Buffer[] = [];
    for (const planes of frames) {
      const results = planes.map(async (data, i) => {
        const [width, height, x, y] = sides[i] as [number, number, number, number];
        const { data: out } = await engine.filter({ width, height, channels: 1, data }, filters.gaussian({ sigma: [3 / y, 3 / x] })); // biome-ignore format: a line
        return out as Uint8Array;
      });
      blurred.push(frame(await Promise.all(results)));
    }
    engine.dispose();
    expect(stdout.equals(Buffer.concat([Buffer.from(header), ...blurred]))).toBe(true);
  });

  it.each([
    ["", "the standard input is empty"],
    ["RIFF....\n", "no YUV4MPEG2 video of planes in 420, 411, 422, 444 or mono: RIFF...."],
    ["YUV4MPEG2 W4 H4 C420\nFRAME\nabc", "frame 0 is cut off"],
    ["YUV4MPEG2 W4 H4 Cmono\nFRAM\n", "frame 0 begins with FRAM"],
  ])("says what is wrong with %j", (input, why) => {
    const { status, stderr } = start(Buffer.from(input));
    expect([status, String(stderr)]).toEqual([1, `video: ${why}\n`]);
  });
});
