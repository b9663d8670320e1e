// Plans as code and data, without an engine: what programs on one thread consist of, for whoever writes them to files or runs
// them where nothing may be compiled. Pure: the same plans and mode give the same bytes.
import { ModuleBuilder } from "../../codegen/assembler.ts";
import { LimitError } from "../../errors.ts";
import type { CodeMode } from "../../kernels/kernel.ts";
import { kernelOf } from "../../kernels/table.ts";
import { bytesOf, viewOf } from "../../tensor.ts";
import type { Weights } from "../backend.ts";
import { buffersOf, type Schedule } from "../margins.ts";
import { defineWhole, tableImport } from "./driver.ts";
import { writeImage } from "./image.ts";
import { kernelCode, nameOf } from "./kernels.ts";
import { type Layout, layoutOf, type Place } from "./layout.ts";
import { align } from "./memory.ts";
import { defineTransfers, type Transfers } from "./transfer.ts";

/** What a module of programs exports: {@link Transfers} within its memory, and what runs a program that stands at an address. */
export interface ClosedExports extends Transfers {
  whole(program: number): void;
}

const exported: readonly (keyof ClosedExports)[] = [
  ...(["whole", "rowsIn", "rowsOut", "planesIn", "planesOut", "channelOut", "pixelsIn", "pixelsOut"] as const),
  ...(["extend1", "extend2", "extend4", "extend8"] as const),
];

/** A program's block of memory, to be written before it runs. */
export interface ProgramImage {
  /** Where it stands in memory, and all its bytes but weights, up to the last that is not zero. */
  base: number;
  bytes: Uint8Array<ArrayBuffer>;
  /** Where it ends. */
  end: number;
  /** By id, with addresses in memory: weights to be packed, inputs and outputs. */
  places: Map<string, Place>;
  layout: Layout;
}

/** Kept free: a call without rows may look for parameters at address 0. */
const base = align(1024);

/**
 * A module that imports nothing but `env.memory`, and the images of its programs, each for a memory of its own. Code without
 * atomics and without several memories: for one thread, and every engine with SIMD.
 */
export function codeOf(
  plans: readonly Schedule[],
  { relaxed }: Pick<CodeMode, "relaxed">,
): { module: Uint8Array<ArrayBuffer>; programs: ProgramImage[] } {
  const mode = { relaxed, wide: false };
  const layouts = plans.map((plan) => layoutOf(plan, 1, { whole: true }));
  for (const layout of layouts) checkRoom(base + layout.bytes);
  const uses = layouts.map(({ stages, specs }) =>
    stages.map(({ steps }) => steps.map(({ step }) => ({ spec: step.kernel, buffers: buffersOf(step, specs) }))),
  );
  const all = uses.flat(2);
  const table = [...new Set(all.map((use) => nameOf(use, mode)))];
  const module = kernelCode(all, mode, new ModuleBuilder(tableImport));
  defineWhole(module);
  defineTransfers(module, 0);
  const programs = layouts.map((layout, i): ProgramImage => {
    const kernels = uses[i]!.map((stage) => stage.map((use) => table.indexOf(nameOf(use, mode))));
    const buffer = new ArrayBuffer(base + layout.bytes);
    writeImage(layout, { buffer, base, kernels });
    const places = new Map([...layout.places].map(([id, place]) => [id, { ...place, data: base + place.data }]));
    const end = base + layout.bytes;
    return { base, bytes: withoutZeros(new Uint8Array(buffer, base)), end, places, layout };
  });
  return { module: module.encode({ shared: false, maximum: 0 }, undefined, { table, exports: exported }), programs };
}

/** Bytes that a program without an engine may take: as many as a memory has. */
const mostBytes = 2 ** 32 - 2 ** 16;

/** Checks that a program fits into a memory. */
export function checkRoom(bytes: number): void {
  if (bytes <= mostBytes) return;
  throw new LimitError({ parameter: "size", expected: `at most ${mostBytes} bytes of memory`, received: `${bytes}` });
}

/** The packed weights of a program, by where they stand in memory. */
export function packedWeights(
  { layout, places }: ProgramImage,
  weights: Weights,
): Map<number, Uint8Array<ArrayBuffer>> {
  const packed = new Map<number, Uint8Array<ArrayBuffer>>();
  for (const { step } of layout.stages.flatMap(({ steps }) => steps)) {
    const { reads } = buffersOf(step, layout.specs);
    for (const { id, scope } of reads) {
      const { data, spec } = places.get(id) ?? {};
      if (scope !== "constant" || packed.has(data!)) continue;
      const { dtype, width, channels } = spec!;
      const room = new Uint8Array(width * channels * bytesOf[dtype]);
      kernelOf(step.kernel).pack!(
        step.kernel,
        reads[0]!,
        weights.get(id)!,
        viewOf(dtype, room.buffer, 0, width * channels),
      );
      packed.set(data!, room);
    }
  }
  return packed;
}

/** A view of the bytes up to the last word that is not zero: programs may be large, and mostly zeros. */
function withoutZeros(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
  let end = words.length;
  while (end > 0 && words[end - 1] === 0) end--;
  return bytes.subarray(0, end === words.length ? bytes.length : 4 * end);
}
