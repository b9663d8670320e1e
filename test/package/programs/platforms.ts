// What pages and programs of Node have: signals, workers and pictures of the platform. Compiled, never run.
import { createEngine, type Image } from "rank1";
import { loadModel } from "rank1/onnx";

export async function filtered(image: Image, bytes: ArrayBuffer): Promise<Image> {
  const engine = await createEngine();
  const { signal } = new AbortController();
  const model = await loadModel(bytes, { engine });
  await model.run({}, { signal: AbortSignal.timeout(1000) });
  // @ts-expect-error: where the platform has signals, nothing else is one
  await engine.filter(image, "box:3", { signal: { aborted: false } });
  return engine.filter(image, "box:3", { signal });
}
