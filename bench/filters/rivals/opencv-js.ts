// OpenCV in WebAssembly, by @techstark/opencv-js: one thread, no SIMD.
import { createRequire } from "node:module";
import { timedNow, versionOf } from "../../rival.ts";
import { outputFor } from "../call.ts";
import { rowsOf } from "../cases.ts";
import type { Rival } from "./rival.ts";

// The package's types do not describe what the module is before it is ready.
// biome-ignore lint/suspicious/noExplicitAny: see above
type OpenCv = any;

export async function opencvJs(): Promise<Rival> {
  const cv: OpenCv = await createRequire(import.meta.url)("@techstark/opencv-js");
  const border = cv.BORDER_REFLECT_101;
  return {
    name: "opencv.js",
    version: versionOf("@techstark/opencv-js"),
    note: "`@techstark/opencv-js`, compiled without SIMD and threads; copies into and out of its memory counted",
    threads: [1],
    border: "reflect",
    supports: () => true,
    async prepare(problem, picture, _threads) {
      const { width, height, channels, data } = picture;
      const { work, output } = problem;
      const type = [cv.CV_8UC1, undefined, cv.CV_8UC3, cv.CV_8UC4][channels - 1];
      const source = new cv.Mat(height, width, type);
      const target = new cv.Mat(height, width, output === "u8" ? type : cv.CV_16SC1);
      const rows = rowsOf(work);
      const weights = cv.matFromArray(rows.length, rows[0]!.length, cv.CV_32F, rows.flat());
      const size = new cv.Size(rows[0]!.length, rows.length);
      const anchor = new cv.Point(-1, -1);
      const filter = (): void => {
        if (work.kind === "gaussian") cv.GaussianBlur(source, target, size, work.sigma, work.sigma, border);
        else if (work.kind === "sobel-x") cv.Sobel(source, target, cv.CV_16S, 1, 0, 3, 1, 0, border);
        else if (work.kind === "box") cv.blur(source, target, size, anchor, border);
        else cv.filter2D(source, target, -1, weights, anchor, 0, border);
      };
      const out = outputFor(problem, picture);
      return {
        run: () =>
          timedNow(() => {
            source.data.set(data);
            filter();
            out.set(output === "u8" ? target.data : target.data16S);
          }),
        result: async () => out,
        dispose() {
          for (const mat of [source, target, weights]) mat.delete();
        },
      };
    },
    async close() {},
  };
}
