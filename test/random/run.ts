// Calls an engine as a case says: the forms in which pictures are given, plans are run and results are taken.
import type { Engine, Image, ImageDType, Plan } from "../../src/index.ts";
import { imageDTypeOf, newArray } from "../../src/tensor.ts";
import type { Case } from "./cases.ts";

type Value = ReturnType<Engine["alloc"]>;
type Data = Image["data"];

const isValue = (one: unknown): one is Value => typeof (one as Value).dispose === "function";

/** The picture in the form in which the case has it. */
async function inputOf(engine: Engine, { image, input }: Case): Promise<Value | Image> {
  const { width, height, channels, dtype, data } = image;
  const plain = { width, height, channels };
  if (input === "ImageData") return { width, height, data: new Uint8ClampedArray(data) } as unknown as Image;
  if (input === "sharp") return { data: data.slice(), info: plain } as unknown as Image;
  if (input === "array") return { ...plain, data: data.slice() };
  if (input === "value") return valueWith(engine, { ...plain, data }, dtype);
  const View = data.constructor as Uint8ArrayConstructor;
  const bytes = View.BYTES_PER_ELEMENT;
  const Memory = input === "shared memory" ? SharedArrayBuffer : ArrayBuffer;
  const view = new View(new Memory((data.length + 7) * bytes) as ArrayBuffer, 3 * bytes, data.length);
  view.set(data);
  return { ...plain, data: view as Data };
}

async function valueWith(engine: Engine, { width, height, channels, data }: Image, dtype: ImageDType): Promise<Value> {
  const value = engine.alloc({ shape: [height, width, channels], dtype });
  await value.write(data);
  return value;
}

/** What takes the result, and what stands in it before. */
async function takerOf(engine: Engine, one: Case, input: Value | Image, dtype: ImageDType) {
  const { width, height, channels, data } = one.image;
  const { place, out } = one;
  const small = { width: place.width, height: place.height, channels };
  const blank = (sides: Omit<Image, "data">): Image => {
    const data = newArray(dtype, sides.width * sides.height * channels).fill(77);
    return { ...sides, channels, data };
  };
  if (out === "none") return undefined;
  if (out === "value")
    return { sides: small, taker: await valueWith(engine, blank(small), dtype), before: blank(small).data };
  if (out === "array" || out === "image" || out === "shared memory") {
    const image = blank(small);
    if (out === "image") return { sides: small, taker: image, before: image.data };
    if (out === "array") return { sides: small, taker: image.data, before: image.data };
    const View = image.data.constructor as Uint8ArrayConstructor;
    const taker = new View(
      new SharedArrayBuffer(image.data.byteLength) as unknown as ArrayBuffer,
      0,
      image.data.length,
    );
    return { sides: small, taker: taker as Data, before: image.data };
  }
  const large = { width, height, channels };
  if (out === "in place" && imageDTypeOf(data) === dtype) {
    const taker = isValue(input) ? input : input.data;
    return { sides: large, taker, before: data.slice() };
  }
  const image = blank(large);
  const before = image.data.slice();
  if (out === "whole value") return { sides: large, taker: await valueWith(engine, image, dtype), before };
  return { sides: large, taker: image.data, before };
}

/** Calls the engine, and reads the result from where it was to go; an error where anything else was written. */
export async function run(engine: Engine, one: Case, plan: Plan, strategy: string | undefined): Promise<Image> {
  const { filter, options, mask, call, place } = one;
  const dtype = plan.problem.y.dtype as ImageDType;
  const input = await inputOf(engine, one);
  const target = await takerOf(engine, one, input, dtype);
  const extra: Record<string, unknown> = { ...(mask && { mask }), ...(target && { out: target.taker }) };
  const stored = call === "stored plan" ? (JSON.parse(JSON.stringify(plan)) as Plan) : plan;
  const result = await (call === "filter" || call === "chosen"
    ? engine.filter(input, filter, { ...options, ...extra, ...(strategy && { strategy }) })
    : engine.run(stored, input, extra));
  const image = target ? await takenFrom(target, result, place) : result;
  for (const used of new Set([input, target?.taker])) if (used && isValue(used)) used.dispose();
  return image;
}

type Taker = NonNullable<Awaited<ReturnType<typeof takerOf>>>;

async function takenFrom({ sides, taker, before }: Taker, result: Image, place: Case["place"]): Promise<Image> {
  const own = isValue(taker) ? taker : "data" in taker ? taker.data : taker;
  if ((isValue(taker) ? result : result.data) !== own) throw new Error("out was not taken");
  const data = (isValue(taker) ? await taker.read() : own) as Data;
  const { width, channels } = sides;
  const small = { width: place.width, height: place.height, channels };
  if (data.length === place.width * place.height * channels) return { ...small, data };
  const part = newArray(imageDTypeOf(data)!, place.width * place.height * channels);
  for (let i = 0; i < data.length; i++) {
    const [c, pixel] = [i % channels, Math.floor(i / channels)];
    const [x, y] = [(pixel % width) - place.x, Math.floor(pixel / width) - place.y];
    const isPart = x >= 0 && y >= 0 && x < place.width && y < place.height;
    if (isPart) part[(y * place.width + x) * channels + c] = data[i]!;
    else if (!Object.is(data[i], before[i])) throw new Error(`${data[i]} was written beside the region, at ${i}`);
  }
  return { ...small, data: part };
}
