// Convolutions of groups: each group is a convolution of its own and is fitted as one, all of them in the same form and of the same
// rank, so that they can be written as convolutions of as many groups.
import { type DecompositionName, decompositions, type Shape } from "../factor/decompositions.ts";
import { type Fit, type Found, fitDecomposition } from "../factor/fit.ts";
import { columnsFrom, inner, type Matrix, matrix, stack, transpose } from "../factor/matrix.ts";
import type { MinimizeOptions } from "../factor/minimize.ts";
import type { Value } from "../graph/types.ts";
import { newValue, sizeOf } from "../graph/values.ts";
import type { Gemm } from "./gemm.ts";
import { biasOf, blindFitting, type Fitting, Moments } from "./moments.ts";
import type { Target } from "./targets.ts";

/** The fit problem of each group. */
export type Fittings = readonly Fitting[];

/** The convolution of each group. */
export function partsOf(target: Target): Target[] {
  const { groups, weight, bias } = target;
  if (groups === 1) return [target];
  const [values, outputs] = [weight.length / groups, target.outChannels / groups];
  return Array.from({ length: groups }, (_, i) => ({
    ...{ ...target, groups: 1, outChannels: outputs },
    weight: weight.subarray(i * values, (i + 1) * values),
    bias: bias.subarray(i * outputs, (i + 1) * outputs),
  }));
}

/** The channels of one group of a value [n, channels, ...]. */
export function channelsOf(value: Value, group: number, groups: number): Value {
  if (groups === 1) return value;
  const [images, channels, ...sides] = value.shape as [number, number, ...number[]];
  const part = newValue(value.dtype, [images, channels / groups, ...sides]);
  const size = sizeOf(part.shape) / images;
  for (let n = 0; n < images; n++) {
    const from = (n * groups + group) * size;
    (part.data as Float32Array).set((value.data as Float32Array).subarray(from, from + size), n * size);
  }
  return part;
}

/** {@link Moments} of each group. */
export class GroupMoments {
  private readonly parts: readonly Moments[];

  constructor(target: Target, gemm: Gemm, share: number, outputs: boolean) {
    this.parts = partsOf(target).map((part) => new Moments(part, gemm, share, outputs));
  }

  add(x: Value, y?: Value): void {
    const groups = this.parts.length;
    for (const [i, part] of this.parts.entries()) part.add(channelsOf(x, i, groups), y && channelsOf(y, i, groups));
  }

  /** An error of one group is taken to cost what it costs alone. */
  fitting(metric: Matrix): Fittings {
    const size = metric.rows / this.parts.length;
    return this.parts.map((part, i) =>
      part.fitting(matrix(size, size, (a, b) => metric.data[(i * size + a) * metric.cols + i * size + b]!)),
    );
  }
}

export const blindFittings = (target: Target): Fittings => partsOf(target).map(blindFitting);

/** {@link fitDecomposition} of all groups. */
export function fitGroups(
  name: DecompositionName,
  fittings: Fittings,
  rank: number,
  tools: Parameters<typeof fitDecomposition>[3],
  search: MinimizeOptions,
  from?: Found,
): Fit {
  const groups = fittings.length;
  const fits = fittings.map((fitting, i) =>
    fitDecomposition(name, fitting, rank, tools, search, from && shareOfFound(from, i, groups)),
  );
  const [first] = fits as [Fit];
  if (groups === 1) return first;
  const energies = fittings.map(({ target, metric, gram }) =>
    inner(tools.multiply(target, metric), tools.multiply(gram, target)),
  );
  const whole = energies.reduce((a, b) => a + b, 0) || 1;
  return {
    ...{ decomposition: name, rank },
    weights: joinedWeights(fits.map(({ weights }) => weights)),
    weight: transpose(stack(fits.map(({ weight }) => transpose(weight)))),
    error: fits.reduce((sum, { error }, i) => sum + error * energies[i]!, 0) / whole,
    found: {
      parameters: joined(fits.map(({ found }) => found.parameters)),
      worth: joined(fits.map(({ found }) => found.worth)),
    },
  };
}

/** Weights of one convolution after the other, of each group, as those of grouped convolutions: their outputs come group by group. */
export function joinedWeights(groups: readonly Fit["weights"][]): Fit["weights"] {
  return groups[0]!.map(({ shape: [outputs, ...rest] }, i) => ({
    shape: [groups.length * outputs, ...rest],
    data: Float32Array.from(groups.flatMap((own) => [...own[i]!.data])),
  }));
}

const joined = (parts: readonly Float64Array[]): Float64Array => Float64Array.from(parts.flatMap((part) => [...part]));

function shareOfFound({ parameters, worth }: Found, group: number, groups: number): Found {
  const own = (all: Float64Array): Float64Array =>
    all.slice((group * all.length) / groups, ((group + 1) * all.length) / groups);
  return { parameters: own(parameters), worth: own(worth) };
}

/** {@link biasOf} a weight [patch of a group, outputs of all]. */
export function biasOfGroups(fittings: Fittings, weight: Matrix): Float64Array {
  const outputs = weight.cols / fittings.length;
  return joined(fittings.map((fitting, i) => biasOf(fitting, columnsFrom(weight, i * outputs, outputs))));
}

/** Shapes of the convolutions of a decomposition, in their order. */
export function shapesOf({ groups, sizes }: Target, decomposition: DecompositionName, rank: number): Shape[] {
  const { before, last } = decompositions[decomposition].shapes(sizes, rank);
  return [...before, last].map(([outputs, ...rest]) => [groups * outputs, ...rest]);
}
