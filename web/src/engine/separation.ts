// Worker call that separates the open model. Fits cannot stop halfway, so the page runs this in a worker of its own,
// which it ends to cancel.
import { saveModel, separateModel } from "rank1/onnx";
import { calibrationOf } from "./calibration.ts";
import { evaluate } from "./evaluation.ts";
import { current } from "./models.ts";
import type { Context, SeparateCall, Separation } from "./protocol.ts";

/** The share of the work that is done when only the evaluation is left. */
const separated = 0.95;

export async function separate(
  { pictures, scaling, goal, evaluated }: SeparateCall,
  { signal, progress }: Context,
): Promise<Separation> {
  const opened = current();
  const skipped: string[] = [];
  const { model, report } = await separateModel(opened.model, {
    ...goal,
    calibration: pictures && calibrationOf(pictures, scaling, skipped),
    signal,
    onProgress: (done, what) => progress((evaluated ? separated : 1) * done, what),
  });
  const onEvaluated = (done: number): void => progress(separated + (1 - separated) * done, "evaluating both");
  const evaluation = evaluated ? await evaluate(opened.model, model, scaling, signal, onEvaluated) : undefined;
  return { report, file: new Uint8Array(saveModel(model)), skipped, evaluation };
}
