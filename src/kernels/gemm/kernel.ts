// The product family: products of matrices in f64, whose factors come packed as panels: [inner blocks][panels][depth][panel].
import type { BufferSpec, GemmSpec } from "../../plan/types.ts";
import type { Kernel, Rows } from "../kernel.ts";
import { depth, emitProduct, productWords, tileRows } from "./wasm.ts";

export { depth, tileRows } from "./wasm.ts";

/** Where entry (k, i) of a packed factor stands, of panels of `width`, `panels` of them. */
export function panelIndex(k: number, i: number, inner: number, width: number, panels: number): number {
  const from = k - (k % depth);
  const count = Math.min(depth, inner - from);
  return from * panels * width + Math.floor(i / width) * count * width + (k - from) * width + (i % width);
}

function reference(spec: GemmSpec, [a, b]: Rows[], write: Rows, rows: number, first: number): void {
  const { inner, aPanels, bPanels, columns, triangle } = spec;
  const [left, right, out] = [a!.row(0), b!.row(0), write.row(0)];
  const width = bPanels * columns;
  for (let r = first * tileRows; r < (first + rows) * tileRows; r++) {
    const last = triangle ? Math.min(width, (Math.floor(r / tileRows) + 1) * tileRows) : width;
    for (let c = 0; c < last; c++) {
      let sum = 0;
      for (let k = 0; k < inner; k++)
        sum += left[panelIndex(k, r, inner, tileRows, aPanels)]! * right[panelIndex(k, c, inner, columns, bPanels)]!;
      out[r * width + c] = sum;
    }
  }
}

export const gemm: Kernel<GemmSpec> = {
  family: "gemm",
  describe: ({ inner, aPanels, bPanels, columns }) =>
    `${tileRows * aPanels} x ${inner} times ${inner} x ${bPanels * columns}`,
  reference,
  entry: ({ columns }, _buffers, { wide }) => `product f64 4x${columns}${wide ? " wide" : ""}`,
  emit: (module, name, { columns }) => emitProduct(module, name, columns),
  work: ({ inner, bPanels, columns }: GemmSpec, _buffers: { write: BufferSpec }) => ({
    ...{
      arithmetic: "matrix",
      multiplications: 2 * inner * tileRows * bPanels * columns,
      additions: 0,
      serialAdditions: 0,
    },
  }),
  params: ({ inner, aPanels, bPanels, triangle }) =>
    productWords.pack({ inner, aPanels, bPanels, triangle: Number(triangle) }),
  overrun: { elements: 0, rows: 0 },
};
