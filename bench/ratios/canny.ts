// Canny's edges of 12 megapixels, over OpenCV's: equal in every pixel.
import type { Engine } from "../../src/index.ts";
import { makePicture } from "../filters/picture.ts";
import { NativePython } from "../filters/rivals/native.ts";
import type { Pair } from "../ratios.ts";
import { timed } from "../rival.ts";

export async function canny(engine: Engine): Promise<Pair[]> {
  const python = new NativePython();
  const image = makePicture(4000, 3000, 1);
  const out = new Uint8Array(image.data.length);
  const [low, high] = [100, 200];
  const work = { kind: "canny", low, high } as const;
  const rival = await python.prepare("opencv", { work, output: "u8" }, image, 1).catch((error: Error) => error);
  if (rival instanceof Error) {
    console.error(`OpenCV does not take part: ${rival.message}`);
    return [];
  }
  const run = () => engine.filter(image, `canny:sigma=0,low=${low},high=${high}`, { out });
  return [
    {
      name: "Canny, 12 megapixels, over OpenCV's",
      most: 1,
      async check() {
        await rival.run();
        await run();
        const edges = await rival.result();
        const wrong = out.findIndex((value, i) => value !== edges[i]);
        if (wrong >= 0) throw new Error(`pixel ${wrong} is not OpenCV's`);
      },
      variant: () => timed(run),
      plain: rival.run,
      dispose: () => python.close(),
    },
  ];
}
