// What `rank1 separate` takes and what its files keep: `node separating.ts waifu2x [--reduce 3] [--crops 30]` fits to three
// photographs, whole and halved, and compares doubled pictures with the original's; `node separating.ts resnet20 [--reduce 2.5]
// [--seed 0] [--tune]` is calibrated with CIFAR-10 and tells agreement and divergence on its test pictures. `--threads 1` beside
// the usual two: equal inputs give equal files, of which the hash is printed. RANK1_DATA=... names the folder of models and pictures.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { createEngine, type Engine } from "../src/index.ts";
import { loadModel, type Model, runImage } from "../src/onnx/index.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    reduce: { type: "string" },
    crops: { type: "string", default: "30" },
    seed: { type: "string", default: "0" },
    threads: { type: "string", default: "2" },
    tune: { type: "boolean", default: false },
  },
});
const data = process.env.RANK1_DATA ?? join(import.meta.dirname, "../../shared/data");
const folder = mkdtempSync(join(tmpdir(), "rank1-separating-"));
const [mean, deviation] = [
  [0.485, 0.456, 0.406],
  [0.229, 0.224, 0.225],
];
try {
  if (positionals[0] === "waifu2x") await waifu2x();
  else if (positionals[0] === "resnet20") await resnet20();
  else throw new Error("expected waifu2x or resnet20");
} finally {
  rmSync(folder, { recursive: true });
}

async function waifu2x(): Promise<void> {
  const [model, photos] = [join(data, "models/waifu2x-scale2.onnx"), join(folder, "photos")];
  mkdirSync(photos);
  for (const name of ["kodak-04.png", "kodak-08.png", "castle-6mp.jpg"]) await wholeAndHalved(name, photos);
  const separated = await separate(model, photos, values.reduce ?? "3", ["--crops", values.crops]);
  const tests = join(folder, "tests");
  mkdirSync(tests);
  for (const name of ["kodak-15.png", "kodak-23.png"]) await wholeAndHalved(name, tests);
  await withBoth(model, separated, async (before, after) => {
    let [squares, count] = [0, 0];
    for (const name of readdirSync(tests).sort()) {
      const { data, info } = await sharp(join(tests, name)).raw().toBuffer({ resolveWithObject: true });
      const photo = { ...info, data: new Uint8Array(data) };
      const [a, b] = [await runImage(before, photo), await runImage(after, photo)];
      const own = a.data.reduce((sum, value, i) => sum + (value - b.data[i]!) ** 2, 0);
      console.log(`${name}: ${decibels(own, a.data.length)}`);
      squares += own;
      count += a.data.length;
    }
    console.log(`all: ${decibels(squares, count)}`);
  });
}

function decibels(squares: number, count: number): string {
  return `${(10 * Math.log10((255 ** 2 * count) / squares)).toFixed(2)} dB`;
}

async function wholeAndHalved(name: string, to: string): Promise<void> {
  const [from, own] = [join(data, "images", name), name.replace(/\.\w+$/, "")];
  const { width = 0 } = await sharp(from).metadata();
  await sharp(from).png().toFile(join(to, `${own}.png`));
  await sharp(from)
    .resize(width >> 1)
    .png()
    .toFile(join(to, `${own}-half.png`));
}

async function resnet20(): Promise<void> {
  const model = join(data, "models/resnet20-cifar10.onnx");
  const flags = ["--mean", `${mean}`, "--std", `${deviation}`, ...(values.tune ? ["--tune"] : [])];
  const separated = await separate(model, join(data, "cifar10/calibration"), values.reduce ?? "2.5", flags);
  const tests = join(data, "cifar10/test");
  const files = readdirSync(tests).flatMap((label) => readdirSync(join(tests, label)).map((file) => join(label, file)));
  await withBoth(model, separated, async (before, after) => {
    let [agree, lost] = [0, 0];
    for (const file of files) {
      const input = { shape: [1, 3, 32, 32], data: await cifarInput(join(tests, file)) };
      const [p, q] = [await probabilities(before, input), await probabilities(after, input)];
      agree += Number(p.indexOf(Math.max(...p)) === q.indexOf(Math.max(...q)));
      lost += p.reduce((sum, own, i) => sum + own * Math.log(own / q[i]!), 0);
    }
    const [share, divergence] = [(100 * agree) / files.length, lost / files.length];
    console.log(`the same answer for ${share.toFixed(1)} % of ${files.length}, divergence ${divergence.toFixed(4)} nats`);
  });
}

async function cifarInput(file: string): Promise<Float32Array> {
  const pixels = await sharp(file).removeAlpha().toColourspace("srgb").raw().toBuffer();
  return Float32Array.from({ length: 3072 }, (_, i) => {
    const channel = i >> 10;
    return (pixels[(i & 1023) * 3 + channel]! / 255 - mean![channel]!) / deviation![channel]!;
  });
}

async function probabilities(model: Model, input: { shape: number[]; data: Float32Array }): Promise<number[]> {
  const [output] = Object.values(await model.run({ input }));
  const scores = Array.from(output!.data, Number);
  const powers = scores.map((score) => Math.exp(score - Math.max(...scores)));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

/** Runs the command in a process of its own; prints its time, memory and the hash of the file. */
async function separate(model: string, calibration: string, reduce: string, flags: string[]): Promise<string> {
  const output = join(folder, "separated.onnx");
  const say = "process.on('exit',()=>console.error(`most memory ${Math.round(process.resourceUsage().maxRSS/1024)} MiB`))";
  const main = join(import.meta.dirname, "../src/cli/main.ts");
  const own = ["--calibrate", calibration, "--reduce", reduce, "--seed", values.seed, "--threads", values.threads];
  const start = performance.now();
  const child = spawn(
    process.execPath,
    ["--import", `data:text/javascript,${encodeURIComponent(say)}`, main, "separate", model, "-o", output, ...own, ...flags],
    { stdio: "inherit" },
  );
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`rank1 separate ended with ${code}`);
  const hash = createHash("sha256").update(readFileSync(output)).digest("hex").slice(0, 16);
  console.log(`${((performance.now() - start) / 1000).toFixed(1)} s, file ${hash}`);
  return output;
}

async function withBoth(a: string, b: string, use: (a: Model, b: Model) => Promise<void>): Promise<void> {
  const engine: Engine = await createEngine({ threads: 1 });
  try {
    await use(await loadModel(a, { engine }), await loadModel(b, { engine }));
  } finally {
    engine.dispose();
  }
}
