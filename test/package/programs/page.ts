// What pages alone have. Compiled, never run.
import { createEngine, type Image } from "rank1";

export async function blurred(picture: ImageData): Promise<Image> {
  const engine = await createEngine({ createWorker: () => new Worker("worker.js", { type: "module" }) });
  return engine.filter(picture, "box:3");
}

export async function shown(picture: ImageData): Promise<ImageData> {
  const { data, width, height } = await blurred(picture);
  if (!(data instanceof Uint8ClampedArray)) throw new Error("an ImageData gives one");
  return new ImageData(new Uint8ClampedArray(data), width, height);
}
