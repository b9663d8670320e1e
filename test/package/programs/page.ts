// What pages alone have. Compiled, never run.
import { createEngine, type Image } from "rank1";

export async function blurred(picture: ImageData): Promise<Image> {
  const engine = await createEngine({ createWorker: () => new Worker("worker.js", { type: "module" }) });
  return engine.filter(picture, "box:3");
}
