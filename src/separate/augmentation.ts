// Augmented training samples for tuning: calibration inputs in random order, mirrored, shifted by up to an eighth of
// their sides, half of them mixed with another one (Zhang et al. 2018, "mixup"). Inputs that have not four axes stay as
// they are.
import type { Value } from "../graph/types.ts";
import { newValue } from "../graph/values.ts";
import type { Values } from "./network.ts";
import type { Random } from "./random.ts";
import { agree, join, type Samples } from "./samples.ts";

/** Bytes of inputs that are kept. */
const mostBytes = 2 ** 28;

const [mirrored, mixed, mostMixed, mostShifted] = [0.5, 0.5, 0.5, 1 / 8];

export class AugmentedSamples {
  private readonly kept: readonly Values[];
  private readonly samples: Samples;
  private readonly random: Random;
  private waiting: number[] = [];

  private constructor(kept: readonly Values[], samples: Samples, random: Random) {
    this.kept = kept;
    this.samples = samples;
    this.random = random;
  }

  /** Of what fits are made for. */
  static async of(samples: Samples, random: Random): Promise<AugmentedSamples> {
    return new AugmentedSamples(await samples.keep("fit", mostBytes), samples, random);
  }

  get count(): number {
    return this.kept.length;
  }

  /** The next so many, each input once before any comes again, up to `most` at a time where the network takes several. */
  next(count: number, most: number): Values[] {
    const batches: Values[][] = [];
    for (let i = 0; i < count; i++) {
      const sample = augmentedSample(this.draw(), this.any(), this.random);
      const last = batches.at(-1);
      const fits = last && last.length < Math.min(most, this.samples.mostJoined(sample)) && agree(last[0]!, sample);
      if (fits) last.push(sample);
      else batches.push([sample]);
    }
    return batches.map(join);
  }

  private any(): Values {
    return this.kept[Math.floor(this.random.uniform() * this.count)]!;
  }

  private draw(): Values {
    if (this.waiting.length === 0) {
      const ordered = this.kept.map((_, index) => ({ index, at: this.random.uniform() }));
      this.waiting = ordered.sort((a, b) => a.at - b.at).map(({ index }) => index);
    }
    return this.kept[this.waiting.pop()!]!;
  }
}

/** A variant of one sample; `other` is what it may be mixed with. */
function augmentedSample(sample: Values, other: Values, random: Random): Values {
  const mirror = random.uniform() < mirrored;
  const [down, right] = [random.uniform(), random.uniform()].map((at) => (2 * at - 1) * mostShifted);
  const share = random.uniform() < mixed ? mostMixed * random.uniform() : 0;
  return new Map(
    [...sample].map(([name, value]) => {
      const own = moved(value, mirror, down!, right!);
      return [name, mix(own, other.get(name)!, share)];
    }),
  );
}

/** Mirrored and shifted by shares of the sides; what comes in over an edge repeats it. */
function moved(value: Value, mirror: boolean, down: number, right: number): Value {
  const { dtype, shape, data } = value;
  if (shape.length !== 4 || dtype !== "f32") return value;
  const [height, width] = [shape[2]!, shape[3]!];
  const [dy, dx] = [Math.round(down * height), Math.round(right * width)];
  const columns = Array.from({ length: width }, (_, x) => {
    const from = Math.min(width - 1, Math.max(0, x - dx));
    return mirror ? width - 1 - from : from;
  });
  const out = newValue(dtype, shape);
  const numbers = out.data as Float32Array;
  for (let row = 0, to = 0; row < numbers.length / width; row++) {
    const y = Math.min(height - 1, Math.max(0, (row % height) - dy));
    const from = (row - (row % height) + y) * width;
    for (const column of columns) numbers[to++] = data[from + column] as number;
  }
  return out;
}

function mix(value: Value, other: Value, share: number): Value {
  if (share === 0 || value.dtype !== "f32" || value.shape.length !== 4 || `${value.shape}` !== `${other.shape}`) {
    return value;
  }
  const out = newValue(value.dtype, value.shape);
  const [numbers, a, b] = [out, value, other].map(({ data }) => data as Float32Array);
  for (let i = 0; i < numbers!.length; i++) numbers![i] = (1 - share) * a![i]! + share * b![i]!;
  return out;
}
