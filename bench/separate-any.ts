// Separating networks that other people published, and whether equal inputs give equal files: `node separate-any.ts zoo [--only <part
// of a name>] [--speedup <factor>]` or `node separate-any.ts same`, both with `--out <folder>` for what is written. RANK1_DATA names
// the folder of models and pictures. The judge of what is lost is ONNX Runtime, which runs both files.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { dataFolder } from "./models/cases.ts";
import { zooFolder } from "./models/zoo.ts";
import { number, table } from "./tables.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", default: "" },
    speedup: { type: "string", default: "1.3" },
    out: { type: "string", default: mkdtempSync(join(tmpdir(), "rank1-separate-")) },
  },
});
const main = join(import.meta.dirname, "..", "src", "cli", "main.ts");
const photos = join(options.out, "photos");
mkdirSync(photos, { recursive: true });
for (const name of readdirSync(join(dataFolder, "images")).filter((one) => /^(kodak|faces)-/.test(one)))
  copyFileSync(join(dataFolder, "images", name), join(photos, name));

/** Runs the command line; its standard output, or the error's text. */
const rank1 = (...args: string[]): Promise<{ stdout?: string; failed?: string }> =>
  promisify(execFile)(process.execPath, [main, ...args], { maxBuffer: 2 ** 26 })
    .then(({ stdout }) => ({ stdout }))
    .catch((error: { stderr?: string }) => ({ failed: (error.stderr ?? `${error}`).trim() }));

if (positionals[0] === "same") await same();
else if (positionals[0] === "zoo") await zoo();
else throw new Error('expected "zoo" or "same"');
// Threads of ONNX Runtime may still spin.
process.exit();

/** Four files of the same inputs: on one thread and on two, each twice. */
async function same(): Promise<void> {
  const model = join(dataFolder, "models", "resnet20-cifar10.onnx");
  const settings = ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--reduce", "2.5", "--quiet", "--force"];
  const calibrate = ["--calibrate", join(dataFolder, "cifar10", "calibration")];
  const hashes = new Set<string>();
  for (const threads of [1, 2, 1, 2]) {
    const file = join(options.out, `same-${threads}.onnx`);
    const { failed } = await rank1("separate", model, "-o", file, "--threads", `${threads}`, ...settings, ...calibrate);
    if (failed) throw new Error(failed);
    const hash = createHash("sha256").update(readFileSync(file)).digest("hex");
    console.log(`${threads} threads: ${hash}`);
    hashes.add(hash);
  }
  console.log(hashes.size === 1 ? "equal" : "NOT equal");
}

async function zoo(): Promise<void> {
  const names = ["hand_landmark", "subpixel-cnn", "chinese_ocr_dbnet", "prisma_seg"];
  const rows: string[][] = [];
  for (const name of names.filter((one) => one.includes(options.only))) {
    const [from, to] = [join(zooFolder, `${name}.onnx`), join(options.out, `${name}.onnx`)];
    const flags = ["--speedup", options.speedup, "--calibrate", photos, "--json", "--force"];
    const start = performance.now();
    const { stdout, failed } = await rank1("separate", from, "-o", to, ...flags);
    const seconds = number((performance.now() - start) / 1000);
    if (!stdout) {
      console.error(`${name}: refused\n${failed}`);
      rows.push([name, "refused", "", "", seconds]);
      continue;
    }
    const { reached, outputs } = JSON.parse(stdout);
    for (const [kind, file] of [["original", from], ["separated", to]] as const) // biome-ignore format: a line
      for (const picture of readdirSync(photos).slice(0, 2))
        await rank1("run", file, join(photos, picture), "-o", `${join(options.out, name, kind)}/`, "--force");
    const time = reached.milliseconds ? `${number(reached.milliseconds.before / reached.milliseconds.after)} ×` : "";
    const losses = outputs.map((one: { name: string; loss: number }) => `${one.name} ${number(one.loss)}`).join(", ");
    rows.push([name, time, `÷ ${number(reached.reduction)}`, losses, seconds]);
    console.error(`${name}: ${await lostBy(from, to)}`);
  }
  console.log(table(["model", "as fast, measured", "multiplications", "loss of each output", "seconds"], rows));
  console.log(`pictures and arrays of both files lie in ${options.out}`);
}

/** The mean and the largest difference of each output of two files in ONNX Runtime, on noise between 0 and 1. */
async function lostBy(from: string, to: string): Promise<string> {
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const sessions = await Promise.all([from, to].map((file) => InferenceSession.create(file, { logSeverityLevel: 4 })));
  const [first] = sessions[0]!.inputMetadata;
  if (!first?.isTensor) return "no tensor";
  const shape = first.shape.map((side, axis) => (typeof side === "number" ? side : axis === 0 ? 1 : 320));
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => (i * 0.6180339887) % 1);
  const feeds = { [first.name]: new Tensor("float32", data, shape) };
  const [a, b] = [await sessions[0]!.run(feeds), await sessions[1]!.run(feeds)];
  return Object.entries(a)
    .map(([name, { data: own }]) => {
      const [x, y] = [own, b[name]!.data].map((list) => Float64Array.from(list as Float32Array));
      const differences = x!.map((value, i) => Math.abs(value - y![i]!));
      const mean = differences.reduce((sum, one) => sum + one, 0) / differences.length;
      const [largest, most] = [x!, differences].map((all) => all.reduce((a, b) => Math.max(a, Math.abs(b)), 0));
      return `${name} (up to ${number(largest!)}) differs by ${number(mean)}, at most ${number(most!)}`;
    })
    .join("; ");
}
