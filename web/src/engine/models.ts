// Worker calls on models: reads, inspects and runs one model at a time.
import type { Image, Tensor } from "rank1";
import {
  estimateSplits,
  explainModel,
  type Inspection,
  imageToTensor,
  inspectModel,
  type LayerSplits,
  loadModel,
  type Model,
} from "rank1/onnx";
import { engine, source } from "./pictures.ts";
import type { Calls, Context, ModelRun, Scaling } from "./protocol.ts";

interface Opened {
  id: number;
  model: Model;
  /** What it became, if it was separated. */
  separated?: Model;
  /** Of its inputs, by name: sides that the file leaves open are chosen here. */
  shapes: Record<string, number[]>;
  layers: Inspection["layers"];
  /** Those of the next layer, one at a time. */
  splits: Iterator<LayerSplits>;
}

let opened: Opened | undefined;

/** The side of pictures where a model takes any. */
const openSide = 128;

export async function open({ bytes }: Calls["open"]["args"]): Promise<Calls["open"]["answer"]> {
  const model = await loadModel(new Uint8Array(bytes), { engine: await engine() });
  const shapes = Object.fromEntries(
    model.graph.inputs.map(({ name, shape = [] }) => [
      name,
      shape.map((side, axis) => (typeof side === "number" ? side : axis === 0 ? 1 : openSide)),
    ]),
  );
  const inspection = inspectModel(model, { shapes, splits: false });
  opened?.model.dispose();
  opened?.separated?.dispose();
  const id = (opened?.id ?? 0) + 1;
  opened = { id, model, shapes, layers: inspection.layers, splits: estimateSplits(model, { shapes, spectra: true }) };
  const anySize = model.graph.inputs.some(({ shape }) => shape?.slice(1).some((side) => typeof side !== "number"));
  return { id, inspection, anySize };
}

const splitMilliseconds = 100;

export async function splits({ id }: Calls["splits"]["args"]): Promise<Calls["splits"]["answer"]> {
  const found: LayerSplits[] = [];
  if (id !== opened?.id) return found;
  const end = performance.now() + splitMilliseconds;
  do {
    const next = opened.splits.next();
    if (next.done) break;
    found.push(next.value);
  } while (performance.now() < end);
  return found;
}

export async function openSeparated({ bytes }: Calls["openSeparated"]["args"]): Promise<undefined> {
  const separated = await loadModel(bytes, { engine: await engine() });
  current().separated?.dispose();
  current().separated = separated;
}

export function current(): Opened {
  if (!opened) throw new Error("there is no model yet");
  return opened;
}

const mostKernels = 48;

export async function kernels({ layer }: Calls["kernels"]["args"]): Promise<Calls["kernels"]["answer"]> {
  const { model, layers } = current();
  const { op } = layers[layer]!;
  // Layers are listed in the order of the nodes
  const place = layers.slice(0, layer).filter((one) => one.op === op).length;
  const node = model.graph.nodes.filter((one) => one.op === op)[place];
  const weight = node && model.graph.constants.get(node.inputs[1]!);
  if (!(weight?.data instanceof Float32Array) || weight.shape.length !== 4)
    throw new Error("its weights are not plain numbers of this file");
  const [outputs, channels, kh, kw] = weight.shape as [number, number, number, number];
  const { data } = weight;
  const each = kh * kw;
  const kernels = Array.from({ length: Math.min(outputs, mostKernels) }, (_, i) =>
    Array.from(data.subarray(i * channels * each, i * channels * each + each)),
  );
  return { kh, kw, kernels, count: outputs, channels };
}

/** An abort that came meanwhile gets its turn. */
export async function yieldToEventLoop(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  signal.throwIfAborted();
}

const runMilliseconds = 1000;
const mostRuns = 30;

export async function run({ scaling, piece, separated }: Calls["run"]["args"], { signal }: Context): Promise<ModelRun> {
  const opened = current();
  const { shapes } = opened;
  const model = separated ? opened.separated! : opened.model;
  const { name } = pictureInput(shapes);
  const picture = source();
  const inputs = inputsOf(piece ? middleOf(picture, pictureSize()) : picture, scaling);
  const begin = performance.now();
  let result = await model.run(inputs, { signal });
  const first = performance.now() - begin;
  const times: number[] = [];
  const end = performance.now() + runMilliseconds;
  while (times.length < 3 || (times.length < mostRuns && performance.now() < end)) {
    const start = performance.now();
    result = await model.run(inputs, { signal });
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return {
    input: name,
    shape: shapes[name]!,
    outputs: Object.entries(result).map(([name, { shape, data }]) => ({ name, shape, data: Float32Array.from(data as Float32Array, Number) })), // biome-ignore format: one record
    milliseconds: { first, median: times[times.length >> 1]!, runs: times.length },
    plan: await explainModel(model, { inputs }),
  };
}

/** The piece of some size in the middle of a picture, or a smaller one as it is. */
function middleOf(image: Image, { width, height }: { width: number; height: number }): Image {
  const [left, top] = [(image.width - width) >> 1, (image.height - height) >> 1];
  if (left < 0 || top < 0) return image;
  const data = new Uint8Array(4 * width * height);
  for (let y = 0; y < height; y++) {
    const start = 4 * ((y + top) * image.width + left);
    data.set((image.data as Uint8Array).subarray(start, start + 4 * width), 4 * y * width);
  }
  return { width, height, channels: 4, data };
}

/** The inputs of the model that is open for a picture. */
export function inputsOf(picture: Image, scaling: Scaling): Record<string, Tensor> {
  const { shapes } = current();
  const { name, layout, width, height, channels } = pictureInput(shapes);
  const perChannel = (list: readonly number[]) => (channels === 1 ? [list[0]!] : list);
  const [mean, std] = [perChannel(scaling.mean), perChannel(scaling.std)];
  for (const [other, shape] of Object.entries(shapes)) {
    if (other !== name) throw new Error(`the model also wants ${other} (${shape.join(" x ")}), which is no picture`);
  }
  return { [name]: imageToTensor(picture, { size: { width, height }, channels, layout, mean, std }) };
}

/** Of the pictures that the model that is open takes. */
export const pictureSize = (): { width: number; height: number } => pictureInput(current().shapes);

/** The input that a picture fits: four sides, of which the second or the last are channels. */
function pictureInput(shapes: Record<string, number[]>) {
  const isColours = (n: number | undefined): n is 1 | 3 => n === 1 || n === 3;
  for (const [name, shape] of Object.entries(shapes)) {
    const [, second, third, last] = shape;
    if (shape.length !== 4) continue;
    if (isColours(second)) return { name, layout: "NCHW" as const, channels: second, height: third!, width: last! };
    if (isColours(last)) return { name, layout: "NHWC" as const, channels: last, height: second!, width: third! };
  }
  const [expected] = Object.values(shapes).map((shape) => shape.join(" x "));
  throw new Error(`the model takes no picture: its input is ${expected ?? "missing"}`);
}
