// Pairs of calls on pictures: with a mask and without, of a thin picture and of a wide one, of a part and of a small picture.
import type { Engine, Filter, FilterCallOptions, Image } from "../../src/index.ts";
import { makePicture } from "../filters/picture.ts";
import { generator } from "../random.ts";
import type { Pair } from "../ratios.ts";
import { timed } from "../rival.ts";

interface Call {
  image: Image;
  filter: Filter | string;
  options: FilterCallOptions;
}

/** Runs a call; what it wrote is compared with what index loops give on its first rows. */
function job(engine: Engine, reference: Engine, { image, filter, options }: Call, tolerance: number) {
  const run = () => engine.filter(image, filter, options);
  async function check(): Promise<void> {
    const { data, width, channels } = (await run()) as Image;
    const { out: _, region: given, ...others } = options;
    const region = given ?? { x: 0, y: 0, width: image.width, height: Math.min(image.height, 24) };
    const right = (await reference.filter(image, filter, { ...others, region })) as Image;
    const least = Math.min(data.length, width * channels * region.height);
    for (let i = 0; i < least; i++)
      if (!(Math.abs(data[i]! - right.data[i]!) <= tolerance)) throw new Error(`value ${i} is ${data[i]}, not ${right.data[i]}`);
  }
  return { check, run: () => timed(run) };
}

function pair(engine: Engine, reference: Engine, name: string, most: number, variant: Call, plain: Call): Pair {
  const tolerance = plain.image.data instanceof Float32Array ? 1e-3 : 1;
  const [one, other] = [variant, plain].map((call) => job(engine, reference, call, tolerance)) as [
    ReturnType<typeof job>,
    ReturnType<typeof job>,
  ];
  const check = async (): Promise<void> => {
    await one.check();
    await other.check();
  };
  return { name, most, check, variant: one.run, plain: other.run };
}

function floats(width: number, height: number, channels: number) {
  const { data } = makePicture(width, height, channels);
  return { width, height, channels, data: Float32Array.from(data) };
}

/** A third is unknown. */
export function maskPairs(engine: Engine, reference: Engine): Pair[] {
  const [width, height, filter] = [1500, 1000, "gaussian:sigma=2"];
  const random = generator(3);
  const known = Uint8Array.from({ length: width * height }, () => (random() < 1 / 3 ? 0 : 255));
  const masks: Record<string, FilterCallOptions> = {
    "u8 mask": { mask: known },
    "float mask": { mask: Float32Array.from(known, (value) => value / 255) },
    NaN: { nan: "ignore" },
  };
  return [1, 3, 4].flatMap((channels) => {
    const image = floats(width, height, channels);
    const out = new Float32Array(image.data.length);
    const holes = { ...image, data: image.data.map((value, i) => (known[Math.floor(i / channels)] ? value : Number.NaN)) };
    const plain = { image, filter, options: { alpha: "none", out } as const };
    return Object.entries(masks).map(([what, options]) =>
      pair(engine, reference, `${what}, ${channels} channels, over none`, 2.2, { image: what === "NaN" ? holes : image, filter, options: { ...plain.options, ...options } }, plain), // biome-ignore format: a line
    );
  });
}

/** Thin pictures, over the same ones lying. */
export function thinPairs(engine: Engine, reference: Engine): Pair[] {
  return [1, 2, 3, 8].map((side) => {
    const lying = makePicture(50_000, side, 1);
    const standing = { ...lying, width: side, height: 50_000 };
    const call = (image: Image) => ({ image, filter: "gaussian:sigma=2", options: { out: new Uint8Array(image.data.length) } });
    return pair(engine, reference, `${side} × 50000 over 50000 × ${side}`, 2, call(standing), call(lying));
  });
}

/** A part of a large picture, over a picture of the part's size. */
export function regionPairs(engine: Engine, reference: Engine): Pair[] {
  const whole = makePicture(4000, 3000, 3);
  return [64, 256, 1024].map((side) => {
    const [region, filter] = [{ x: 1001, y: 733, width: side, height: side }, "gaussian:sigma=2"];
    const out = new Uint8Array(side * side * 3);
    const part = { image: whole, filter, options: { region, out } };
    return pair(engine, reference, `${side} × ${side} of 12 megapixels over a picture of that size`, 1.5, part, { image: makePicture(side, side, 3), filter, options: { out } }); // biome-ignore format: a line
  });
}
