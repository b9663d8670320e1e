// The named filters in two groups, each as a small picture, and the sliders of the one that is chosen.
import { useSignal } from "@preact/signals";
import { useId, useMemo } from "preact/hooks";
import { namedFilters } from "rank1";
import { Slider } from "../parts/controls.tsx";
import { Heat } from "../parts/heat.tsx";
import { type Choice, named, nameOf, resized, weightsOf } from "../state/choice.ts";
import { choose, exact, filter } from "../state/state.ts";
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

const choices = namedFilters.map((info) => ({
  ...info,
  choice: named(info.name, info.name === "binomial" ? { size: 5 } : {}),
}));

const groups = [
  ["One column × one row", choices.filter(({ rank }) => rank === 1)],
  ["Needs more", choices.filter(({ rank }) => rank > 1)],
] as const;

/** Pictures of all named filters, and where there is little room a list of their names. */
export function Presets() {
  return (
    <>
      <Pictures />
      <Names />
    </>
  );
}

function Names() {
  const id = useId();
  const choice = filter.value;
  return (
    <div class="select preset-names">
      <label for={id}>Filter</label>
      <select
        id={id}
        value={choice.kind === "named" ? choice.name : ""}
        onChange={({ currentTarget: { value } }) => {
          const found = choices.find(({ name }) => name === value);
          if (found) choose(found.choice);
        }}
      >
        {choice.kind !== "named" && <option value="">{nameOf(choice)}</option>}
        {groups.map(([title, list]) => (
          <optgroup key={title} label={title}>
            {list.map(({ name, rank }) => (
              <option key={name} value={name}>
                {rank > 1
                  ? `${name}, rank ${choice.kind === "named" && name === choice.name ? exact.value.exactRank : rank}`
                  : name}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
    </div>
  );
}

/** One stop of the tab key; arrows move along all names. */
function Pictures() {
  const chosen = filter.value.kind === "named" ? filter.value.name : undefined;
  const stop = useSignal<string | undefined>(undefined);
  const names = groups.flatMap(([, list]) => list.map(({ name }) => name));
  const reached = stop.value ?? chosen ?? names[0]!;
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const at = Math.min(names.length - 1, Math.max(0, names.indexOf(reached) + by));
    stop.value = names[at]!;
    (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("button")[at]!.focus();
  };
  return (
    <div class="presets" role="toolbar" aria-label="Filters by name" onKeyDown={onKeyDown}>
      {groups.map(([title, list]) => (
        <fieldset key={title}>
          <legend>{title}</legend>
          {list.map(({ name, rank, choice }) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === chosen}
              tabIndex={name === reached ? 0 : -1}
              onFocus={() => (stop.value = name)}
              onClick={() => choose(choice)}
            >
              <Thumbnail choice={choice} />
              <span>{name}</span>
              {rank > 1 && <small>rank {name === chosen ? exact.value.exactRank : rank}</small>}
            </button>
          ))}
        </fieldset>
      ))}
    </div>
  );
}

/** Small filters stand in a frame of zeros, without which some would look alike. */
function Thumbnail({ choice }: { choice: Choice }) {
  const { kh, kw, values } = useMemo(() => {
    const weights = weightsOf(choice);
    return Math.max(weights.kh, weights.kw) <= 3 ? resized(weights, weights.kh + 2, weights.kw + 2) : weights;
  }, [choice]);
  return <Heat values={values} width={kw} height={kh} />;
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
