// One pixel under the lens: what the filter multiplies there as it stands, what it multiplies in passes, and the same sum.
import { computed, useSignal } from "@preact/signals";
import { cssColour, isDark, largest } from "../colour.ts";
import { Choices } from "../parts/controls.tsx";
import { atRest } from "../state/rest.ts";
import { border, flip, kept, parts, weights } from "../state/state.ts";
import { number, plural } from "../text.ts";
import { directly, inPasses, patchOf } from "./arithmetic.ts";
import { shownTerm } from "./result.ts";
import type { Source } from "./source.ts";
import { pixelWithin } from "./stage.tsx";

const channels = [
  ["0", "Red"],
  ["1", "Green"],
  ["2", "Blue"],
] as const;

/** The filter under the lens: hundreds of numbers, which need not keep up with a slider. */
const examined = atRest(
  computed(() => ({
    ...{ weights: weights.value, kept: kept.value, parts: parts.value, term: shownTerm.value },
    ...{ border: border.value, flip: flip.value },
  })),
);

export function Pixel({ source: { image } }: { source: Source }) {
  const channel = useSignal<"0" | "1" | "2">("1");
  const [x, y] = pixelWithin(image.width, image.height);
  const { weights, kept, parts, term, border, flip } = examined.value;
  const { kh, kw, gain } = weights;
  const { terms, gain: ownGain } = parts;
  const rank = terms.length;
  const patch = patchOf(image, kh, kw, { x, y, channel: Number(channel.value), border, flip });
  const direct = directly(patch, { kh, kw, gain, values: kept }, flip);
  const all = terms.map((one) => inPasses(patch, one, flip));
  const shown = terms.indexOf(term!);
  const passes = all[shown];
  const sum = ownGain * all.reduce((total, one) => total + one.sum, 0);
  const ofRank = rank > 1 ? ` for each of ${rank} terms; this is term ${shown + 1}` : "";
  return (
    <section class="pixel panel" aria-label="One pixel">
      <div class="row spread">
        <h2>
          Pixel {x}, {y}
        </h2>
        <Choices
          label="Channel"
          hideLabel
          value={channel.value}
          options={channels}
          onChange={(one) => {
            channel.value = one;
          }}
        />
      </div>
      <div class="two-ways">
        <div>
          <h3>As it stands</h3>
          <Numbers values={patch} columns={kw} label="the values under the filter" plain />
          <Numbers values={direct.products} columns={kw} label={`${kh * kw} products: value times weight`} />
          <p class="sum">
            {plural(kh * kw, "product")}, {gain === 1 ? "their sum" : `${number(gain)} times their sum`} is{" "}
            <b>{number(direct.sum, 6)}</b>
          </p>
        </div>
        {passes && (
          <div>
            <h3>In passes</h3>
            <Numbers values={passes.column} columns={1} label={`${kh} products of the column: their sum is new here`} />
            <Numbers
              values={passes.between}
              columns={kw}
              label="what the column pass left, this pixel's in the middle"
              plain
            />
            <Numbers values={passes.row} columns={kw} label={`${kw} products with the row`} />
            <p class="sum">
              {kh} + {kw} products{ofRank};{" "}
              {ownGain === 1 && rank <= 1 ? "their sum" : `all in all, times ${number(ownGain)},`} is{" "}
              <b>{number(sum, 6)}</b>
            </p>
          </div>
        )}
      </div>
    </section>
  );
}

interface NumbersProps {
  values: readonly number[];
  columns: number;
  label: string;
  /** Values of pixels: greys, not the colours of signs. */
  plain?: boolean;
}

/** More of them are drawn as colours alone. */
const mostColumns = 7;

function Numbers({ values, columns, label, plain }: NumbersProps) {
  const most = largest(values) || 1;
  const rows = values.length / columns;
  const withText = Math.max(columns, rows) <= mostColumns;
  const dark = isDark.value;
  const styleOf = (share: number) => {
    if (!plain) return { background: cssColour(share, dark) };
    const grey = Math.round(255 * Math.max(0, share));
    return withText ? {} : { background: `rgb(${grey} ${grey} ${grey})` };
  };
  return (
    <figure class={withText ? "numbers" : "numbers small"}>
      <div
        role="img"
        aria-label={`${label}: ${values
          .slice(0, 49)
          .map((value) => number(value))
          .join(", ")}`}
        style={{ "--columns": columns }}
      >
        {values.map((value, i) => (
          <span key={i} style={styleOf(value / most)}>
            {withText && number(value, 3)}
          </span>
        ))}
      </div>
      <figcaption>{label}</figcaption>
    </figure>
  );
}
