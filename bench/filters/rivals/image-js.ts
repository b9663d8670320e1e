// image-js: TypeScript, one thread, f64.
import { Image, rawDirectConvolution } from "image-js";
import { timedNow, versionOf } from "../../rival.ts";
import { rowsOf } from "../cases.ts";
import type { Rival } from "./rival.ts";

const models = { 1: "GREY", 3: "RGB", 4: "RGBA" } as const;

export function imageJs(): Rival {
  return {
    name: "image-js",
    version: versionOf("image-js"),
    note: "`gaussianBlur`, `blur`, `directConvolution`; the derivative by `rawDirectConvolution`, in f64; returns a fresh image",
    threads: [1],
    border: "reflect",
    supports: ({ channels }) => channels < 4 || "it lays colours over opaque ones by their alpha first",
    async prepare({ work }, { width, height, channels, data }) {
      const image = new Image(width, height, { data, colorModel: models[channels as keyof typeof models] });
      const rows = rowsOf(work);
      const borderType = "reflect101";
      const filter = (): Image | Float64Array => {
        if (work.kind === "gaussian") return image.gaussianBlur({ sigma: work.sigma, size: work.size, borderType });
        if (work.kind === "box") return image.blur({ width: work.size, height: work.size, borderType });
        if (work.kind === "matrix") return image.directConvolution(rows, { borderType });
        return rawDirectConvolution(image, rows, { borderType });
      };
      let last: Image | Float64Array = image;
      return {
        run: () =>
          timedNow(() => {
            last = filter();
          }),
        result: async () => (last instanceof Float64Array ? last : (last.getRawImage().data as Uint8Array)),
        dispose() {},
      };
    },
    async close() {},
  };
}
