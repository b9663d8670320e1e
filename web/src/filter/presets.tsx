// The named filters on a shelf, each as a small picture with its rank, and the sliders of the one that is chosen.

import { useMemo } from "preact/hooks";
import { namedFilters } from "rank1";
import { Slider } from "../parts/controls.tsx";
import { Heat } from "../parts/heat.tsx";
import { named, weightsOf } from "../state/choice.ts";
import { choose, filter } from "../state/state.ts";
import { number } from "../text.ts";

/** How far sliders go, so that sides stay within 31; parameters that are not listed keep their defaults. */
const ranges: Readonly<Record<string, readonly [min: number, max: number, step: number]>> = {
  sigma: [0.3, 3.8, 0.1],
  size: [1, 31, 1],
  radius: [0.5, 15, 0.5],
  length: [1, 31, 1],
  angle: [0, 180, 1],
  ratio: [1.1, 3, 0.1],
  amount: [0, 3, 0.1],
  wavelength: [2, 16, 0.5],
  aspect: [0.3, 3, 0.1],
  phase: [0, 360, 5],
};

const choices = namedFilters.map(({ name }) => named(name, name === "binomial" ? { size: 5 } : {}));

export function Presets() {
  const pictures = useMemo(() => choices.map((choice) => weightsOf(choice)), []);
  const chosen = filter.value.kind === "named" ? filter.value.name : undefined;
  return (
    <div class="presets">
      <ul aria-label="Filters by name">
        {namedFilters.map(({ name, rank }, i) => (
          <li key={name}>
            <button type="button" aria-pressed={name === chosen} onClick={() => choose(choices[i]!)}>
              <Heat values={pictures[i]!.values} width={pictures[i]!.kw} height={pictures[i]!.kh} />
              <span>{name}</span>
              <small>rank {rank}</small>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

export function Parameters() {
  const choice = filter.value;
  if (choice.kind !== "named") return null;
  const { parameters, summary } = namedFilters.find(({ name }) => name === choice.name)!;
  const shown = parameters.filter(({ name, initial }) => name in ranges && typeof initial === "number");
  return (
    <div class="parameters">
      <p>
        <b>{choice.name}</b> {summary}.
      </p>
      {shown.map(({ name, initial }) => {
        const [min, max, step] = ranges[name]!;
        const value = choice.parameters[name] ?? (initial as number);
        const onInput = (value: number) =>
          choose({ ...choice, parameters: { ...choice.parameters, [name]: value } }, true);
        return <Slider key={name} label={name} {...{ min, max, step, value, onInput }} text={number(value, 3)} />;
      })}
    </div>
  );
}
