// Filters on small pictures that give the same results in a page as in Node. Bundled into the page: only types of src/
// and plain test data are imported.
import type { Engine, Filter, FilterOptions, Image, ImageDType } from "../../src/index.ts";
import { type Border, random, randomImage } from "../oracle.ts";
import { strategiesOf } from "../strategies.ts";

export interface Case {
  name: string;
  image: Image;
  dtype: ImageDType;
  filter: Filter;
  options: FilterOptions;
  /** Integers all through: there is one right result. */
  exact: boolean;
}

function matrix(kh: number, kw: number, seed: number, tap: (random: number) => number): number[][] {
  const next = random(seed);
  return Array.from({ length: kh }, () => Array.from({ length: kw }, () => tap(next())));
}

const small = (r: number): number => Math.floor(r * 9) - 4;
const integers: [string, Filter][] = [
  ["sobel-x", "sobel-x"],
  ["box:5", "box:5"],
  ["emboss", "emboss"],
  ["5 x 5 integers of full rank", matrix(5, 5, 1, small)],
];
const reals: [string, Filter][] = [
  ["gaussian:1.5", "gaussian:1.5"],
  ["gaussian:3", "gaussian:3"],
  ["unsharp", "unsharp"],
  ["4 x 3 numbers of full rank", matrix(4, 3, 2, (r) => r - 0.5)],
];
const borders: Border[] = ["constant", "edge", "reflect", "symmetric", "wrap"];
const dtypes: ImageDType[] = ["u8", "u16", "i16", "f32"];
const outputs: (ImageDType | undefined)[] = [undefined, "f32", "u8", "i16", "u16"];

/** Every filter under every border and on every type; channels and output types take turns. */
export const cases: readonly Case[] = [...integers, ...reals].flatMap(([name, filter], f) =>
  borders.flatMap((border, b) => {
    const [dtype, output, channels] = [dtypes[(f + b) % 4]!, outputs[(f + 2 * b) % 5], 1 + ((f + b) % 3)];
    const image = randomImage(21 + 7 * f, 17 + 3 * b, b === 4 ? 4 : channels, dtype, 10 * f + b);
    const exact = f < integers.length && dtype !== "f32" && output !== "f32";
    const options: FilterOptions = { border, borderValue: 3, output, gain: output === "u8" ? 0.5 : 1 };
    return { name: `${name}, ${border}, ${dtype} to ${output}`, image, dtype, filter, options, exact };
  }),
);

export interface Result {
  index: number;
  solver: string;
  data: number[];
}

/** The results of every case by every solver that applies. */
export async function runCases(engine: Engine): Promise<Result[]> {
  const results: Result[] = [];
  for (const [index, { image, dtype, filter, options }] of cases.entries()) {
    const plan = engine.plan(engine.filterProblem({ ...image, dtype }, filter, options));
    for (const strategy of strategiesOf(plan)) {
      const { data } = await engine.filter(image, filter, { ...options, strategy });
      results.push({ index, solver: strategy, data: Array.from(data) });
    }
  }
  return results;
}
