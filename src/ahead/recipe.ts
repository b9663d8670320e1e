// What a compiled file says of its programs, as JSON; runtime.js follows it.
import type { DataFormat } from "../backend/backend.ts";
import type { Alpha, Border } from "../plan/types.ts";
import type { ImageDType } from "../tensor.ts";

/** From one word of the data to another. */
export type Words = [from: number, to: number];

/** A program's memory. */
export interface ProgramRecipe {
  pages: number;
  base: number;
  /** Its block but weights, packed. */
  image: Words;
  /** Where packed weights go, and where they are; of half floats, how many. */
  weights: [address: number, from: number, to: number, half: number][];
  /** Where arrays stand on their way. */
  staging: number;
}

/** Where a tensor's rows stand. */
interface PlaceRecipe {
  data: number;
  pitch: number;
  rows: number;
  left: number;
  stored: number;
}

/** A tensor's axes as the program holds it. */
export interface TensorRecipe {
  format: DataFormat;
  /** Images, height, width, channels. */
  sides: readonly number[];
  place: PlaceRecipe;
}

export interface NamedTensor {
  name: string;
  /** Half floats are given as numbers, and come as numbers that are rounded to them. */
  dtype: "f32" | "f16" | "bool";
  dims: readonly number[];
}

export interface ModelRecipe extends ProgramRecipe {
  /** Each as often as the program reads it in another order, and never where nothing reads it. */
  inputs: (NamedTensor & { reads: TensorRecipe[] })[];
  outputs: (NamedTensor & TensorRecipe)[];
  /** Values that never change, which the program reads as it reads its inputs. */
  constants: (TensorRecipe & { words: Words })[];
}

export interface FilterRecipe extends ProgramRecipe {
  width: number;
  height: number;
  channels: number;
  input: ImageDType;
  output: ImageDType;
  /** What results saturate to; absent of floats. */
  range?: readonly [number, number];
  border: Border;
  borderValue: number;
  alpha: Alpha;
  gain: number;
  offset: number;
  tapSum?: number;
  /** The alpha that means opaque, but of floats; and below which share of it nothing is seen. */
  opaque?: number;
  leastAlpha: number;
  /** `pairs`: where a list of pixels beyond the ends of rows goes. */
  x: { data: number; pitch: number; rows: number; above: number; left: number; width: number; dtype: ImageDType; pairs: number }; // biome-ignore format: a line
  y: { data: number; pitch: number; dtype: ImageDType };
}

export interface Recipe {
  data: { words: number; hash: number };
  /** What the code carries as its section "rank1": that it was written with this recipe. */
  mark: number;
  models?: ModelRecipe[];
  /** One, or two: the second for pictures that are opaque everywhere. */
  filters?: FilterRecipe[];
}
