// The third view: a layer of a network as it stands, and as depthwise and pointwise; what both cost, and take here.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { type LayerCost, layerCost } from "rank1";
import { call, isAbort, Latest } from "../engine/client.ts";
import type { LayerPlans } from "../engine/protocol.ts";
import { Bar, Figure, Slider } from "../parts/controls.tsx";
import { Copy } from "../parts/copy.tsx";
import { PlanTable } from "../parts/plan.tsx";
import { layerSnippets } from "../snippets.ts";
import { fitted, initial, type LayerChoice, layerRanges, mostOf } from "../state/hash.ts";
import { layer, messageOf } from "../state/state.ts";
import { change, count, milliseconds, noun } from "../text.ts";
import { Scenes } from "./scenes.tsx";
import { Weights } from "./weights.tsx";

const labels: Record<keyof LayerChoice, string> = {
  size: "Input, height and width",
  inputs: "Input channels",
  kernel: "Filters (kernels), height and width",
  multiplier: "Depth multiplier",
  outputs: "Output channels",
  stride: "Stride",
  dilation: "Dilation",
};

type Costs = { conv: LayerCost; separable: LayerCost } | { error: string };

function costsOf({ size, inputs, kernel, multiplier, outputs, stride, dilation }: LayerChoice): Costs {
  const base = { input: [size, size, inputs], size: [kernel, kernel], outputs } as const;
  const options = { strides: stride, dilations: dilation, pads: "valid" } as const;
  try {
    return {
      conv: layerCost({ ...base, ...options, form: "conv" }),
      separable: layerCost({ ...base, ...options, form: "separable", depthMultiplier: multiplier }),
    };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

export function LayerView() {
  const choice = layer.value;
  const costs = useMemo(() => costsOf(choice), [choice]);
  return (
    <div class="layer-view">
      <header class="lead">
        <h1>A layer’s weights are a table, too.</h1>
        <p>
          Where it is of low rank, the layer falls into two: each channel is filtered alone, then the channels are
          mixed. The rank is the depth multiplier.
        </p>
      </header>
      <div class="workshop">
        <div class="panel">
          {"error" in costs ? (
            <p role="status">These sizes do not fit: {costs.error}.</p>
          ) : (
            <Scenes choice={choice} {...costs} />
          )}
        </div>
        <div class="panel side">
          <Sliders choice={choice} />
        </div>
      </div>
      {!("error" in costs) && (
        <>
          <Sums {...costs} />
          <Weights multiplier={choice.multiplier} />
          <Plans choice={choice} />
        </>
      )}
      <Copy snippets={layerSnippets(choice)} />
    </div>
  );
}

function Sliders({ choice }: { choice: LayerChoice }) {
  return (
    <>
      {(Object.keys(labels) as (keyof LayerChoice)[]).map((key) => (
        <Slider
          key={key}
          label={labels[key]}
          value={choice[key]}
          min={layerRanges[key].least}
          max={mostOf(key, choice)}
          onInput={(value) => {
            layer.value = fitted({ ...choice, [key]: value });
          }}
        />
      ))}
      <button
        type="button"
        onClick={() => {
          layer.value = initial.layer;
        }}
      >
        12 × 12 × 3, 5 × 5
      </button>
    </>
  );
}

function Sums({ conv, separable }: { conv: LayerCost; separable: LayerCost }) {
  const most = Math.max(conv.multiplications, separable.multiplications);
  const saved = change(conv.multiplications, separable.multiplications);
  const parts = separable.stages.map(({ multiplications }) => count(multiplications)).join(" + ");
  return (
    <section class="panel sums" aria-label="Multiplications" aria-live="polite">
      <div class="figures">
        <Figure value={count(conv.multiplications)}>{noun(conv.multiplications, "multiplication")} as it stands</Figure>
        <Figure value={count(separable.multiplications)} strong>
          = {parts}, depthwise and pointwise
        </Figure>
        <Figure value={saved.value}>
          {saved.same ? "as many" : saved.fewer ? "fewer" : "as many: it does not pay here"}
        </Figure>
        <Figure value={count(separable.parameters)}>
          {noun(separable.parameters, "weight")}; {count(conv.parameters)} as it stands
        </Figure>
      </div>
      <div class="two-bars">
        <Bar share={conv.multiplications / most} quiet />
        <Bar share={separable.multiplications / most} />
      </div>
    </section>
  );
}

const idleMilliseconds = 350;
const latest = new Latest();

function Plans({ choice }: { choice: LayerChoice }) {
  const plans = useSignal<LayerPlans | undefined>(undefined);
  const error = useSignal("");
  useEffect(() => {
    const timer = setTimeout(
      () =>
        latest.run(async (signal) => {
          try {
            plans.value = await call("layer", choice, { signal });
            error.value = "";
          } catch (reason) {
            if (isAbort(reason)) throw reason;
            error.value = messageOf(reason);
          }
        }),
      idleMilliseconds,
    );
    return () => clearTimeout(timer);
  }, [choice, plans, error]);
  if (error.value) return <p class="panel">{error.value}</p>;
  if (!plans.value) return null;
  const { conv, separable, milliseconds: ms } = plans.value;
  return (
    <section class="plans panel" aria-label="The plans">
      <h2>
        Measured here: {milliseconds(ms.conv)} as it stands, {milliseconds(ms.separable)} depthwise and pointwise
      </h2>
      <PlanTable total plan={conv} measured={{ [conv.solver]: ms.conv }} caption="As it stands." />
      <PlanTable
        total
        plan={separable}
        measured={{ [separable.solver]: ms.separable }}
        caption="Depthwise and pointwise."
      />
    </section>
  );
}
