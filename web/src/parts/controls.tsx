// The controls that all views share: native inputs with a label and the value in words.
import { type ComponentChild, type ComponentChildren, toChildArray } from "preact";
import { useId } from "preact/hooks";

interface SliderProps {
  label: ComponentChildren;
  value: number;
  min: number;
  max: number;
  step?: number;
  /** What the value means, for eyes and screen readers alike. */
  text?: string;
  disabled?: boolean;
  onInput(value: number): void;
}

export function Slider({ label, value, min, max, step = 1, text = String(value), disabled, onInput }: SliderProps) {
  const id = useId();
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <output for={id}>{text}</output>
      <input
        {...{ id, min, max, step, value, disabled }}
        type="range"
        aria-valuetext={text}
        onInput={(event) => onInput(event.currentTarget.valueAsNumber)}
      />
    </div>
  );
}

interface ChoicesProps<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [value: T, text: string])[];
  onChange(value: T): void;
  hideLabel?: boolean;
}

/** One of a few, all of them in sight. */
export function Choices<T extends string>({ label, value, options, onChange, hideLabel }: ChoicesProps<T>) {
  const name = useId();
  return (
    <fieldset class="choices">
      <legend class={hideLabel ? "hidden" : ""}>{label}</legend>
      <div>
        {options.map(([one, text]) => (
          <label key={one} class={one === value ? "on" : ""}>
            <input type="radio" name={name} value={one} checked={one === value} onChange={() => onChange(one)} />
            {text}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function Select<T extends string>({ label, value, options, onChange }: ChoicesProps<T>) {
  const id = useId();
  return (
    <div class="select">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
        {options.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

interface SwitchProps {
  label: string;
  checked: boolean;
  onChange(checked: boolean): void;
}

export function Switch({ label, checked, onChange }: SwitchProps) {
  return (
    <label class="switch">
      <input
        type="checkbox"
        role="switch"
        aria-checked={checked}
        checked={checked}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span>{label}</span>
    </label>
  );
}

/** A number with a word under it. */
export function Figure({ value, children, strong }: { value: string; children: ComponentChildren; strong?: boolean }) {
  return (
    <div class={strong ? "figure strong" : "figure"}>
      <b>{value}</b>
      <span>{toChildArray(children).map(unbroken)}</span>
    </div>
  );
}

/** A number stays on the line of its unit. */
const unbroken = (child: ComponentChild): ComponentChild =>
  typeof child === "string" ? child.replaceAll(/(\d) (?=(?:[kMG%]|ms)(?![a-z]))/g, "$1\u00a0") : child;

/** A bar of a share from 0 to 1; of nothing there is none. */
export function Bar({ share, quiet }: { share: number; quiet?: boolean }) {
  return (
    <span class={quiet ? "bar quiet" : "bar"} aria-hidden="true">
      {share > 0 && <i style={{ width: `${100 * Math.min(1, share)}%` }} />}
    </span>
  );
}
