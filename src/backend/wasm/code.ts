// A plan as code and data, without an engine: what a program on one thread consists of, for whoever writes it to a file or runs
// it where nothing may be compiled. Pure: the same plan and mode give the same bytes.
import type { CodeMode } from "../../kernels/kernel.ts";
import { buffersOf, type Schedule } from "../margins.ts";
import { driverCode } from "./driver.ts";
import { writeImage } from "./image.ts";
import { kernelCode, nameOf } from "./kernels.ts";
import { type Layout, layoutOf, type Place } from "./layout.ts";
import { align, pageBytes } from "./memory.ts";
import { control } from "./script.ts";
import { transferCode } from "./transfer.ts";

export interface ProgramCode {
  /** Modules that import `env.memory`; the driver also `env.table` and `env.due`. */
  driver: Uint8Array<ArrayBuffer>;
  kernels: Uint8Array<ArrayBuffer>;
  transfers: Uint8Array<ArrayBuffer>;
  /** Exports of the kernels' module in the order in which they stand in the table. */
  table: string[];
  /** Where the program stands in memory, and its bytes up to the last that is not zero; weights are zeros. */
  base: number;
  image: Uint8Array<ArrayBuffer>;
  /** Pages of memory that it needs. */
  pages: number;
  /** By id, with addresses in memory: weights to be packed, inputs and outputs. */
  places: Map<string, Place>;
  layout: Layout;
}

/** Kept free: a call without rows may look for parameters at address 0. */
const controlAddress = 2048;

/** Code without atomics and without several memories: for one thread, and every engine with SIMD. */
export function codeOf(plan: Schedule, { relaxed }: Pick<CodeMode, "relaxed">): ProgramCode {
  const mode = { relaxed, wide: false };
  const layout = layoutOf(plan, 1);
  const uses = layout.stages.map(({ steps }) =>
    steps.map(({ step }) => ({ spec: step.kernel, buffers: buffersOf(step, layout.specs) })),
  );
  const table = [...new Set(uses.flat().map((use) => nameOf(use, mode)))];
  const indices = uses.map((stage) => stage.map((use) => table.indexOf(nameOf(use, mode))));
  const base = align(controlAddress + control.bytes);
  const buffer = new ArrayBuffer(base + layout.bytes);
  writeImage(layout, { buffer, base, kernels: indices });
  const memory = { shared: false, maximum: 0 };
  return {
    driver: driverCode({ control: controlAddress, ...memory }),
    kernels: kernelCode(uses.flat(), mode).encode(memory),
    transfers: transferCode({ ...memory, apart: false }),
    ...{ table, base, layout },
    image: withoutZeros(new Uint8Array(buffer, base)),
    pages: Math.ceil((base + layout.bytes) / pageBytes),
    places: new Map([...layout.places].map(([id, place]) => [id, { ...place, data: base + place.data }])),
  };
}

function withoutZeros(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.slice(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
}
