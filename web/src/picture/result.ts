// The filtered picture, computed by the worker whenever an input changes; of waiting inputs only the latest is computed.
import { batch, computed, effect, signal } from "@preact/signals";
import type { Plan } from "rank1";
import { isDark } from "../colour.ts";
import { call, isAbort, Latest } from "../engine/client.ts";
import type { Against, Filtered, Pixels } from "../engine/protocol.ts";
import { term } from "../filter/edit.ts";
import { applied, chosen, exact, messageOf, parts, shownRank, tell } from "../state/state.ts";
import { display, filterOptions } from "./call.ts";
import { pickedWithin } from "./pixel-at.ts";
import { source } from "./source.ts";

/** What the stage shows: both pictures beside a divider, the result alone, or what has changed. */
export type StageMode = "divider" | "result" | "difference";
export const mode = signal<StageMode>("divider");

/** Differences are to the picture, or to what the whole filter would give. */
export const toWhole = signal(false);
const against = computed((): Against | undefined => {
  if (mode.value !== "difference") return undefined;
  return toWhole.value && shownRank.value < exact.value.exactRank ? { filter: chosen.value } : "input";
});

export const plan = signal<Plan | undefined>(undefined);
export const milliseconds = signal(0);
/** Of differences: the largest, in grey levels. */
export const largest = signal<number | undefined>(undefined);
/** How much of a large picture is done; undefined where nothing takes long. */
export const progress = signal<number | undefined>(undefined);
/** Measured times of plans, by solver. */
export const measured = signal<Record<string, number>>({});

const latest = new Latest();

/** Hands the stage's canvases to the worker, and has it keep the result up to date; `painted` hears of every one. */
export function followResult(
  originalOf: HTMLCanvasElement,
  resultOf: HTMLCanvasElement,
  painted: () => void,
): () => void {
  const [original, result] = [originalOf.transferControlToOffscreen(), resultOf.transferControlToOffscreen()];
  void call("stage", { original, result }, { transfer: [original, result] });
  const stop = effect(() => {
    const shown = source.value;
    const request = { filter: applied.value, options: filterOptions.value, display: display.value };
    const difference = { against: against.value, dark: isDark.value };
    if (!shown) return;
    const onProgress = (done: number): void => {
      progress.value = done;
    };
    const asked = { ...request, ...difference };
    /** The first time of new code tells of compiling it. */
    const timeAgain = (): void => {
      if (latest.busy || shown.image.width * shown.image.height > mostStagedPixels) return;
      latest.run(async (signal) => {
        milliseconds.value = await call("time", asked, { signal });
      });
    };
    latest.run(async (signal) => {
      try {
        say(await call("filter", asked, { signal, onProgress }), timeAgain);
        painted();
      } catch (error) {
        if (signal.aborted) throw error;
        tell(messageOf(error));
      } finally {
        if (progress.peek() !== undefined) progress.value = undefined;
      }
    });
  });
  return () => {
    stop();
    latest.stop();
  };
}

let saying: ReturnType<typeof setTimeout> | undefined;
const sayMilliseconds = 90;

/** The picture stands at once; what is said of it comes when no other follows, for a page that is laid out anew takes time. */
function say(result: Filtered, afterwards: () => void): void {
  clearTimeout(saying);
  saying = setTimeout(() => {
    batch(() => {
      if (result.plan.solver !== plan.peek()?.solver) measured.value = {};
      plan.value = result.plan;
      milliseconds.value = result.milliseconds;
      largest.value = result.largest;
    });
    afterwards();
  }, sayMilliseconds);
}

function draw(canvas: HTMLCanvasElement, context: CanvasRenderingContext2D, { width, height, data }: Pixels): void {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  context.putImageData(new ImageData(new Uint8ClampedArray(data), width, height), 0, 0);
}

// ── Pass by pass ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Larger pictures are not timed again, and shown pass by pass as a piece. */
export const mostStagedPixels = 1 << 22;
const idleMilliseconds = 180;

/** The term whose passes are shown. */
export const shownTerm = computed(() => parts.value.terms[term.value] ?? parts.value.terms[0]);

/** Keeps the picture and those of both passes up to date, once the result is. */
export function followStages(canvases: readonly HTMLCanvasElement[]): () => void {
  const passes = new Latest();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = effect(() => {
    const [shown, one] = [source.value, shownTerm.value];
    const { border, flip } = filterOptions.value;
    clearTimeout(timer);
    if (!shown || !one) return;
    const around = pickedWithin(shown.image.width, shown.image.height);
    const options = { ...(border && { border }), ...(flip && { flip }) };
    timer = setTimeout(() => {
      passes.run(async (signal) => {
        const pictures = await call("stages", { term: one, options, around }, { signal });
        for (const [i, canvas] of canvases.entries()) draw(canvas, canvas.getContext("2d")!, pictures[i]!);
      });
    }, idleMilliseconds);
  });
  return () => {
    clearTimeout(timer);
    stop();
    passes.stop();
  };
}

/** What ends the timing of plans, while it goes on. */
export const measuring = signal<AbortController | undefined>(undefined);

/** Runs all plans in turn. */
export async function measureAll(): Promise<void> {
  const { signal } = (measuring.value = new AbortController());
  const request = { filter: applied.value, options: filterOptions.value, display: display.value };
  try {
    measured.value = await call("measure", { ...request, dark: false }, { signal });
  } catch (error) {
    if (!isAbort(error)) tell(messageOf(error));
  } finally {
    measuring.value = undefined;
  }
}
