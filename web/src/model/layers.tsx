// The layers of a model as bars of their multiplications; each opens to what its weights lose when it is split.
import { useSignal } from "@preact/signals";
import type { Inspection } from "rank1/onnx";
import { Bar, Choices } from "../parts/controls.tsx";
import { percent, plural, quantity, times } from "../text.ts";
import { Kernels } from "./kernels.tsx";
import { Losses, splitNames } from "./losses.tsx";
import type { OpenModel } from "./state.ts";

type Layer = Inspection["layers"][number];

/** "conv 3 × 3 / 2". */
function kindText({ kind, window, strides = [] }: Layer): string {
  const sides = window && kind !== "pointwise conv" ? ` ${times(window)}` : "";
  const step = strides.every((one) => one === 1) ? "" : ` / ${[...new Set(strides)].join(" × ")}`;
  return kind + sides + step;
}

/** "column, row: 3.1 % lost"; an ellipsis where that is still to come. */
function lossText({ kind, splits: [best] }: Layer, isEstimating: boolean): string {
  if (best) return `${splitNames[best.split]}: ${percent(best.error)} lost`;
  return isEstimating && kind === "conv" ? "…" : "";
}

const orders = [
  ["run", "As they run"],
  ["cost", "Dearest first"],
] as const;

/** Long networks would push all else out of sight. */
const mostAtFirst = 16;

export function Layers({ open: { inspection, estimated } }: { open: OpenModel }) {
  const { layers, totals } = inspection;
  const opened = useSignal<number | undefined>(undefined);
  const all = useSignal(false);
  const order = useSignal<"run" | "cost">("run");
  const inOrder = layers.map((layer, index) => ({ layer, index })).filter(({ layer }) => layer.multiplications > 0);
  const byCost = [...inOrder].sort((a, b) => b.layer.multiplications - a.layer.multiplications);
  const listed = order.value === "cost" ? byCost : inOrder;
  const most = Math.max(1, ...listed.map(({ layer }) => layer.multiplications));
  const others = layers.length - listed.length;
  return (
    <section class="panel layers" aria-label="Layers">
      <div class="row spread">
        <h2>Where the multiplications are</h2>
        {listed.length > 1 && (
          <Choices
            label="Order"
            hideLabel
            value={order.value}
            options={orders}
            onChange={(one) => (order.value = one)}
          />
        )}
      </div>
      {estimated < 1 && (
        <div class="working">
          <p class="hint" role="status">
            Estimating what splits lose…
          </p>
          <progress max={1} value={estimated} aria-label="Estimating what splits lose" />
        </div>
      )}
      {listed.length > 0 && (
        <p class="heads hint" aria-hidden="true">
          <span>layer</span>
          <span>result</span>
          <span class="amount">multiplications</span>
          <span>best split, at half of them</span>
        </p>
      )}
      <ol>
        {listed.slice(0, all.value ? Infinity : mostAtFirst).map(({ layer, index }) => {
          const isOpen = opened.value === index;
          const [best] = layer.splits;
          return (
            <li key={index}>
              <button
                type="button"
                aria-expanded={isOpen}
                disabled={layer.splits.length === 0 && !layer.window}
                onClick={() => {
                  opened.value = isOpen ? undefined : index;
                }}
              >
                <span class="kind">
                  <b>{kindText(layer)}</b> <small>{layer.name || layer.op}</small>
                </span>
                <span class="shape">{layer.outputs.map(times).join(", ")}</span>
                <span class="amount">{quantity(layer.multiplications)}</span>
                <span class="amount">{percent(layer.multiplications / totals.multiplications)}</span>
                <span class="loss">{lossText(layer, estimated < 1).replaceAll(" %", "\u00a0%")}</span>
                <Bar share={layer.multiplications / most} quiet={!best} />
              </button>
              {isOpen && (
                <>
                  {layer.window?.length === 2 && Math.max(...layer.window) > 1 && <Kernels at={index} />}
                  {layer.splits.length > 0 && <Losses splits={layer.splits} />}
                </>
              )}
            </li>
          );
        })}
      </ol>
      {!all.value && listed.length > mostAtFirst && (
        <div class="row">
          <button type="button" onClick={() => (all.value = true)}>
            Show the other {listed.length - mostAtFirst}
          </button>
        </div>
      )}
      <p class="hint">
        {listed.length > 0 &&
          "What is lost is the relative error of a layer’s weights when two layers with half its multiplications take its place. Open a layer for all splits and their singular values. "}
        {others > 0 && `${plural(others, "layer")} without multiplications ${others === 1 ? "is" : "are"} not listed.`}
      </p>
    </section>
  );
}
