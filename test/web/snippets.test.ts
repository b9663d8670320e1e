// The code that the studio gives away runs as it stands: JavaScript in Node, NumPy and OpenCV where Python has them.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine, type Filter, type FilterOptions, factorize } from "../../src/index.ts";
import { readPicture, writePicture } from "../../src/node/index.ts";
import { writeNpy } from "../../src/node/npy.ts";
import { filterSnippets, layerSnippets } from "../../web/src/snippets.ts";
import { initial } from "../../web/src/state/hash.ts";

const folder = mkdtempSync(join(tmpdir(), "rank1-snippets-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [width, height] = [23, 17];
const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * 31 + i * 7) % 256);
const image = { width, height, channels: 3, data } as const;
await writePicture(join(folder, "in.png"), { ...image, alpha: false });
writeFileSync(join(folder, "in.npy"), writeNpy({ shape: [height, width, 3], data }));

const python = process.env.PYTHON ?? "python3";
const has = (name: string): boolean => {
  try {
    execFileSync(python, ["-c", `import ${name}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};
const [numpy, opencv] = [has("numpy"), has("cv2")];

const own = { kh: 2, kw: 3, values: [0.5, -1, 2e-7, 3, 0, -2.25], gain: 0.125 };
const cases: [filter: Filter, options: FilterOptions, rank?: number][] = [
  ["sobel-x", { output: "u8", gain: 0.25, offset: 128 }],
  ["gaussian:sigma=1.3", { border: "edge" }],
  ["emboss", { border: "wrap", flip: true }],
  ["laplacian-8", { border: "constant", output: "i16" }],
  ["disk:radius=3", { border: "symmetric" }],
  ["roberts-x", { border: "wrap", flip: true, output: "f32" }],
  [own, { border: "constant", output: "f32" }],
  [
    { column: [-1, 0, 1], row: [1, 2, 1], gain: 0.5 },
    { output: "u8", offset: 128 },
  ],
  ["disk:radius=4", { border: "edge" }, 3],
  ["emboss", { flip: true, output: "f32" }, 1],
];

describe.each(cases)("%j with %j", async (filter, options, rank) => {
  const factors = factorize(filter, rank === undefined ? {} : { rank });
  const { javascript, numpy: array, opencv: picture } = filterSnippets(filter, options, factors);
  const engine = await createEngine({ backend: "reference" });
  const { kh, kw, terms } = factors;
  const sumAt = (y: number, x: number): number => terms.reduce((sum, { column, row }) => sum + column[y]! * row[x]!, 0);
  const values = Array.from({ length: kh * kw }, (_, i) => sumAt(Math.floor(i / kw), i % kw));
  const expected = (await engine.filter(image, rank === undefined ? filter : { kh, kw, values }, options)).data;
  const out = options.output === "i16" || options.output === "f32" ? "out.npy" : "out.png";
  const expectSame = async (file: string): Promise<void> => {
    const found = await readPicture(join(folder, file));
    expect([found.width, found.height]).toEqual([width, height]);
    const off = Array.from(found.data).reduce((worst, one, i) => Math.max(worst, Math.abs(one - expected[i]!)), 0);
    // Real taps are summed in another order, so that a result may round the other way
    expect(off).toBeLessThanOrEqual(options.output === "f32" ? 1e-3 : 1);
  };

  it("runs as JavaScript", async () => {
    const file = join(folder, `${JSON.stringify(filter).replaceAll(/\W/g, "-")}.ts`);
    const source = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
    const code = javascript.replace('"rank1/node"', source("node/index.ts")).replace('"rank1"', source("index.ts"));
    writeFileSync(file, code);
    execFileSync(process.execPath, [file], { cwd: folder, stdio: "pipe" });
    await expectSame(out);
  });

  it("runs as NumPy", async ({ skip }) => {
    skip(!numpy, `${python} has no numpy`);
    execFileSync(python, ["-c", array!], { cwd: folder });
    await expectSame("out.npy");
  });

  it("runs as OpenCV", async ({ skip }) => {
    skip(!opencv, `${python} has no cv2`);
    execFileSync(python, ["-c", `${picture!.replace('cv2.imread("in.png")', 'cv2.imread("in.png")[..., ::-1].copy()')}`.replace(/cv2\.imwrite\("out\.png", (.*)\)$/m, 'cv2.imwrite("out.png", ($1)[..., ::-1])')], { cwd: folder }); // biome-ignore format: one call
    await expectSame(out);
  });
});

it("a layer runs as JavaScript", () => {
  const { javascript } = layerSnippets({ ...initial.layer, multiplier: 2, stride: 2 });
  const source = JSON.stringify(new URL("../../src/index.ts", import.meta.url).href);
  const code = `${javascript.replace('"rank1"', source)}\nconsole.log(y.shape.join());\nengine.dispose();`;
  const file = join(folder, "layer.ts");
  writeFileSync(file, code);
  expect(execFileSync(process.execPath, [file], { encoding: "utf8" })).toBe("1,4,4,256\n");
  expect(readFileSync(file, "utf8")).toContain("separableConv2d");
});
