// Runs the test shapes of kernels by the seam that all plans go through, on seeded data. The benchmark of kernels does, too.
import type { Backend, BackendPlan, Binding, Bindings, SourceBinding } from "../../src/backend/backend.ts";
import type { KernelCase } from "../../src/kernels/case.ts";
import { integerKernels } from "../../src/kernels/integers.ts";
import type { LayerWeights } from "../../src/kernels/kernel.ts";
import { networkKernels, productKernels } from "../../src/kernels/networks.ts";
import { pictureKernels } from "../../src/kernels/pictures.ts";
import { rareKernels } from "../../src/kernels/rare.ts";
import { addKernels, kernels as tableKernels, workOf } from "../../src/kernels/table.ts";
import type { BufferSpec } from "../../src/plan/types.ts";
import { type Elements, newArray, rangeOf, type ViewDType } from "../../src/tensor.ts";
import { random } from "../oracle.ts";

const more = { ...networkKernels, ...productKernels, ...integerKernels, ...pictureKernels, ...rareKernels };
addKernels(more);
export const kernels = { ...tableKernels, ...more };
export type Family = keyof typeof kernels;
export const families = Object.keys(kernels) as Family[];

/** The cases of a family, from its folder. */
export const casesOf = async (family: string): Promise<readonly KernelCase[]> =>
  checkCases(family, await import(`../../src/kernels/${family}/cases.ts`).catch(() => undefined));

/** Throws where a family comes without cases, or has none of its own, or no single shape for the benchmark. */
export function checkCases(family: string, module: { cases?: readonly KernelCase[] } | undefined) {
  const cases = module?.cases ?? [];
  const own = cases.filter(({ steps }) => steps.some(({ kernel }) => kernel.family === family));
  if (own.length === 0) throw new Error(`${family}: src/kernels/${family}/cases.ts has no case of it`);
  const other = cases.find((one) => !own.includes(one));
  if (other) throw new Error(`${family}: the case "${other.name}" has no step of it`);
  const benchmarks = cases.filter(({ benchmark }) => benchmark).length;
  if (benchmarks !== 1) throw new Error(`${family}: ${benchmarks} cases are its benchmark, not one`);
  return cases;
}

/** A case as a plan of one strip, worth any number of threads. */
export const planOf = ({ grid, steps, buffers }: KernelCase): BackendPlan & { cost: { time: number } } => ({
  stages: [{ grid: { ...grid, grain: grid.extent }, steps }],
  buffers: [...buffers],
  cost: { time: Infinity },
});

/** What a case reads: arrays by the ids of buffers, and weights. */
export interface CaseData {
  arrays: Map<string, Elements>;
  weights: Map<string, LayerWeights>;
}

const resultOf = ({ steps, buffers }: KernelCase): BufferSpec => buffers.find(({ id }) => id === steps.at(-1)!.writes)!;

function inputsOf({ steps, buffers }: KernelCase): BufferSpec[] {
  const written = new Set(steps.map(({ writes }) => writes));
  return buffers.filter(({ id, scope }) => (scope === "input" || scope === "arena") && !written.has(id));
}

/** Pixels of a row that an array has. */
const widthOf = ({ width, left = 0, right = 0 }: BufferSpec): number => width - left - right;

/** How many elements the array of a buffer has. */
function lengthOf({ picture, tensors, rows }: KernelCase, spec: BufferSpec): number {
  const channels = tensors?.[spec.id]?.channels ?? spec.channels;
  const height =
    spec.scope === "input" ? picture!.height : spec.scope === "output" ? rows! : spec.height! * spec.images!;
  return height * widthOf(spec) * channels;
}

/** Of integers that kernels of pictures read and write; others are weights, sums or floats. */
const rangeIn = (dtype: ViewDType): readonly [number, number] | undefined =>
  dtype === "u8" || dtype === "u16" || dtype === "i16" ? rangeOf[dtype] : undefined;

/** Equal data for equal seeds: integers from all of their range, other numbers from -1 to 1. */
export function dataOf(one: KernelCase, seed: number): CaseData {
  const next = random(seed);
  const isFloat = (dtype: ViewDType): boolean => dtype === "f32" || dtype === "f64";
  const fill = (dtype: ViewDType, length: number): Elements => {
    const all = rangeIn(dtype) ?? [-1, 1];
    const [low, high] = one.picture?.range ?? all;
    const value = (): number => low + next() * (high - low + (isFloat(dtype) ? 0 : 1));
    const whole = (): number => Math.round(one.integers! * value());
    return newArray(dtype, length).map(one.integers ? whole : isFloat(dtype) ? value : () => Math.floor(value()));
  };
  const real = (length: number, most = 1): Float32Array => Float32Array.from({ length }, () => most * (2 * next() - 1));
  const values = (length: number): Float32Array =>
    one.integers ? real(length, one.integers).map(Math.round) : real(length);
  return {
    arrays: new Map(inputsOf(one).map((spec) => [spec.id, fill(spec.dtype, lengthOf(one, spec))])),
    weights: new Map(
      Object.entries(one.weights ?? {}).map(([id, { weight, bias, factors }]) => [
        id,
        {
          weight: values(weight),
          ...(bias > 0 && { bias: values(bias) }),
          ...(factors && { factors: real(factors, 0.001) }),
        },
      ]),
    ),
  };
}

function bindingOf(one: KernelCase, spec: BufferSpec, data: Elements): Binding {
  const { dtype, channels, scope } = spec;
  if (scope === "arena") {
    const { images, height, width } = spec;
    const sides = { images: images!, height: height!, width, channels, ...one.tensors?.[spec.id] };
    return { kind: "tensor", format: "NHWC", ...sides, data: data as Float32Array };
  }
  const { height, border } = one.picture ?? { height: 0, border: "reflect" };
  const picture = {
    ...{ data: data as Uint8Array, dtype: dtype as SourceBinding["dtype"], alpha: "none" as const },
  };
  const source: SourceBinding = {
    ...{ kind: "source", ...picture, width: widthOf(spec), channels, border, borderValue: dtype === "f32" ? 0.5 : 3 },
    height: scope === "output" ? one.rows! : height,
  };
  if (scope === "input") return source;
  const { width, height: rows } = source;
  return { kind: "target", ...picture, width, height: rows, gain: 1, offset: 0, source };
}

/** The result of a case on a backend. */
export async function runCase(backend: Backend, one: KernelCase, data: CaseData): Promise<Elements> {
  const program = await backend.compile(planOf(one), data.weights);
  try {
    const spec = resultOf(one);
    const result = newArray(spec.dtype, lengthOf(one, spec)).fill(spec.dtype === "f32" ? Number.NaN : 77);
    const inputs = inputsOf(one).map((input): [string, Elements] => [input.id, data.arrays.get(input.id)!]);
    // Doubles are no values of a caller: whoever runs such a plan fills and reads its rows.
    if (spec.dtype === "f64" && spec.scope === "arena" && program.runSync) {
      const fill = inputs.map(([id, array]) => [id, (room: unknown) => (room as Elements).set(array)] as const);
      program.runSync(new Map(fill), new Map([[spec.id, (room) => result.set(room as Elements)]]));
      return result;
    }
    const bound: Bindings = inputsOf(one).map((input) => [input.id, bindingOf(one, input, data.arrays.get(input.id)!)]);
    await program.run(bound, [[spec.id, bindingOf(one, spec, result)]]);
    return result;
  } finally {
    program.dispose();
  }
}

/** Whether code and reference must not differ: results are integers, and so is all that they are made of. */
export const isExact = (one: KernelCase): boolean =>
  resultOf(one).dtype !== "f32" &&
  one.steps.every(
    ({ kernel }) =>
      kernel.family === "running-sum" ||
      kernel.family === "edges" ||
      (kernel.family === "taps" && kernel.arithmetic !== "f32" && resultOf(one).dtype !== "f32"),
  );

/** The same case with a result that is not rounded. */
const inDoubles = (one: KernelCase): KernelCase => ({
  ...one,
  buffers: one.buffers.map((spec) => (spec === resultOf(one) ? { ...spec, dtype: "f64" } : spec)),
});

/** What a case should give, and what is wrong with a result; undefined where nothing is. */
export type Judge = (result: Elements) => string | undefined;

/** By the reference: equal integers; else as much as the products and sums of one result may round. */
export async function judgeOf(reference: Backend, one: KernelCase, data: CaseData): Promise<Judge> {
  const exact = isExact(one);
  const wanted = await runCase(reference, exact ? one : inDoubles(one), data);
  const [low, high] = rangeIn(resultOf(one).dtype) ?? [-Infinity, Infinity];
  const allowed = exact ? 0 : roundingOf(one, wanted, data) + (Number.isFinite(high) ? 0.5 : 0);
  return (result) => {
    for (const [i, value] of result.entries()) {
      if (one.counts?.(i) === false) continue;
      const expected = Math.min(high, Math.max(low, wanted[i]!));
      if (Math.abs(value - expected) <= allowed) continue;
      return `element ${i} of ${result.length} is ${value}, not ${expected} (by at most ${allowed})`;
    }
    return undefined;
  };
}

/** A rounding for each product and sum of one result, of the largest number there is; four of them, since they pile up. */
function roundingOf(one: KernelCase, wanted: Elements, { arrays }: CaseData): number {
  const buffers = new Map(one.buffers.map((buffer) => [buffer.id, buffer]));
  const terms = one.steps.reduce((sum, step) => {
    const { multiplications, additions, serialAdditions } = workOf(step, buffers);
    const { width, channels } = buffers.get(step.writes)!;
    return sum + (multiplications + additions + serialAdditions) / (width * channels);
  }, 0);
  let most = 1;
  for (const array of [wanted, ...arrays.values()]) for (const value of array) most = Math.max(most, Math.abs(value));
  return (resultOf(one).dtype === "f64" ? 2 ** -52 : 2 ** -23) * (32 + 4 * terms) * most;
}

/** Equal where no bit differs of what is wanted. */
export function isEqual(a: Elements, b: Elements, { counts }: KernelCase): boolean {
  if (!counts) return Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
  return a.every((value, i) => !counts(i) || Object.is(value, b[i]));
}
