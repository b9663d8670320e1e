// Input pictures of the demo: a painted scene and a test chart, or the user's own picture in place of both.

import { type Picture, readPicture } from "../src/node/pictures.ts";
import { renderChart } from "./drawing/chart.ts";
import { renderScene } from "./drawing/scene.ts";

/** The words that go with a picture. */
export interface View {
  /** Its name in the output folder. */
  file: string;
  caption: string;
  /** What it shows, for those who cannot see it. */
  alt: string;
}

export interface Shot extends View {
  picture: Picture;
}

export interface Inputs {
  scene: Shot;
  chart: Shot;
}

export const inputFiles = { given: "input.png", scene: "scene.png", chart: "chart.png" } as const;

const longestSide = 768;

/** The user's picture, made small enough for a page: 8 bits, and on white where it is transparent. */
export async function readInputs(
  { name, bytes }: { name: string; bytes: Uint8Array },
  signal: AbortSignal,
): Promise<Inputs> {
  const picture = await shrink(await readPicture(bytes, { name, signal }));
  const shot = { file: inputFiles.given, caption: "before", alt: "The picture that was given", picture };
  return { scene: shot, chart: shot };
}

export async function renderInputs(signal: AbortSignal): Promise<Inputs> {
  const [scene, chart] = [
    await renderScene(undefined, undefined, signal),
    await renderChart(undefined, undefined, signal),
  ];
  return {
    scene: {
      file: inputFiles.scene,
      caption: "before",
      alt: "A painted landscape: a tree, a house and spruces in front of fields, woods and mountains with snow",
      picture: { ...scene, alpha: false },
    },
    chart: {
      file: inputFiles.chart,
      caption: "before",
      alt: "A test chart: rings that get finer outwards, a star of spokes, text, colours, checkers and stripes, a ball",
      picture: { ...chart, alpha: false },
    },
  };
}

async function shrink({ width, height, channels, data, alpha, icc }: Picture): Promise<Picture> {
  const { default: sharp } = await import("sharp");
  const grey = channels - Number(alpha) === 1;
  const raw = { width, height, channels: channels as 1 | 2 | 3 | 4 };
  const small = await sharp(data, { raw, limitInputPixels: false })
    .flatten({ background: "white" })
    .resize(longestSide, longestSide, { fit: "inside", withoutEnlargement: true })
    .toColourspace(grey ? "b-w" : "srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return { ...small.info, data: new Uint8Array(small.data), alpha: false, icc };
}
