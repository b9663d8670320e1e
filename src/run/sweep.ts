// Runs a sweep: stage after stage, strips are taken from a shared counter by the caller and, where there are any, workers;
// no stage begins before all strips of the one before are done. worker.js does the same on its side.
import type { PoolRun } from "../wasm/pool.ts";
import type { KernelUse, Sweep } from "./machine.ts";
import { Slices } from "./slices.ts";
import type { RunOptions } from "./stage.ts";

type Args = [rows: number, ...addresses: number[]];

/** Calls `use` with the arguments of each call of the strip whose words begin at `script`. */
export function stripCalls(
  words: Int32Array,
  script: number,
  calls: readonly KernelUse[],
  scratch: number,
  use: (args: Args, call: number) => void,
): void {
  let at = script / 4;
  for (let call = 0; call < calls.length; call++) {
    const args: Args = [words[at++]!];
    for (let i = 0; i < calls[call]!.arity; i++, at++) {
      const word = words[at]!;
      args.push(word & 1 ? word - 1 + scratch : word);
    }
    use(args, call);
  }
}

export interface SweepOptions extends RunOptions {
  /** Called when a stage begins, and once more when the last has ended; such a run is on one thread. */
  onStage?: () => void;
}

/** How often the caller looks whether others are done before it lets events run. */
const looks = 10_000;

export async function runSweep(
  sweep: Sweep,
  buffer: ArrayBufferLike,
  execute: (stage: number, args: Args, call: number) => void,
  { signal, onProgress, onStage }: SweepOptions,
  startOthers: () => PoolRun | undefined = () => undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const { stages, counters, scratch } = sweep;
  const words = new Int32Array(buffer);
  words.fill(0, counters / 4, counters / 4 + 2 * stages.length);
  // Others would run ahead of whoever times stages.
  const others = onStage ? undefined : startOthers();
  const slices = new Slices(signal);
  try {
    for (const [index, { script, words: length, strips, calls }] of stages.entries()) {
      const [begun, finished] = [counters / 4 + 2 * index, counters / 4 + 2 * index + 1];
      onStage?.();
      for (;;) {
        const strip = Atomics.add(words, begun, 1);
        if (strip >= strips) break;
        stripCalls(words, script + strip * length * 4, calls, scratch[0]!, (args, call) => execute(index, args, call));
        Atomics.add(words, finished, 1);
        if (slices.due()) {
          onProgress?.((index + strip / strips) / stages.length);
          await slices.next();
        }
      }
      if (!others) continue;
      Atomics.notify(words, finished);
      for (let look = 0; Atomics.load(words, finished) < strips; look++) {
        if (look < looks) continue;
        const seen = others.finished();
        if (Atomics.load(words, finished) < strips) await others.waitForOthers(seen);
        signal?.throwIfAborted();
      }
    }
    onStage?.();
    onProgress?.(1);
  } finally {
    await others?.end();
  }
}
