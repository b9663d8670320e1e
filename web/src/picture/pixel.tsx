// One pixel under the lens: what the filter multiplies there as it stands, what it multiplies in passes, and the same sum.
import { computed, useSignal } from "@preact/signals";
import { cssColour, isDark, largest } from "../colour.ts";
import { Choices } from "../parts/controls.tsx";
import { Heat } from "../parts/heat.tsx";
import { atRest } from "../state/rest.ts";
import { border, flip, kept, parts, weights } from "../state/state.ts";
import { number, plural } from "../text.ts";
import { directly, inPasses, patchOf, turned } from "./arithmetic.ts";
import { pixelWithin } from "./pixel-at.ts";
import { shownTerm } from "./result.ts";
import type { Source } from "./source.ts";

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
  const numbers = { columns: kw, plain: true } as const;
  return (
    <section class="pixel" aria-label="One pixel">
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
      <div class="ways">
        <div>
          <h3>As it stands</h3>
          <Numbers {...numbers} values={patch} label="the values under the filter" />
          <Numbers values={turned(kept, flip)} columns={kw} label="× the weights" />
          <Numbers values={direct.products} columns={kw} label={`= ${plural(kh * kw, "product")}`} />
          <p class="sum">
            {gain === 1 ? "their sum" : `${number(gain)} × their sum`} = <b>{number(direct.sum, 6)}</b>
          </p>
        </div>
        {passes && (
          <div>
            <h3>
              In passes
              {rank > 1 && (
                <small>
                  : term {shown + 1} of {rank}
                </small>
              )}
            </h3>
            <Numbers values={turned(term!.column, flip)} columns={kh} label="column taps × each column of the values" />
            <Numbers
              {...numbers}
              values={passes.between}
              label={`→ ${plural(kw, "sum")} of ${plural(kh, "product")}; one is new at each pixel`}
            />
            <Numbers values={turned(term!.row, flip)} columns={kw} label="× the row taps" />
            <Numbers values={passes.row} columns={kw} label={`= ${plural(kw, "product")}`} />
            <p class="sum">
              {rank > 1 ? `${rank} such sums, added` : "their sum"}
              {ownGain !== 1 && `, × ${number(ownGain)}`} = <b>{number(sum, 6)}</b>
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

function Numbers({ values, columns, label, plain = false }: NumbersProps) {
  const most = largest(values) || 1;
  const rows = values.length / columns;
  const dark = isDark.value;
  const words = `${label}: ${values.slice(0, 49).map((value) => number(value)).join(", ")}`; // biome-ignore format: one line
  if (Math.max(columns, rows) > mostColumns)
    return (
      <figure class="numbers small">
        <Heat values={values} width={columns} height={rows} grey={plain} label={words} />
        <figcaption>{label}</figcaption>
      </figure>
    );
  return (
    <figure class="numbers">
      <div role="img" aria-label={words} style={{ "--columns": columns }}>
        {values.map((value, i) => (
          <span key={i} style={plain ? {} : { background: cssColour(value / most, dark) }}>
            {number(value, 3)}
          </span>
        ))}
      </div>
      <figcaption>{label}</figcaption>
    </figure>
  );
}
