// The filter taken apart: filter = column ⊗ row + column ⊗ row + … , their sum, and what is missing.
import { useMemo } from "preact/hooks";
import { largest } from "../colour.ts";
import { Heat, Legend } from "../parts/heat.tsx";
import { exact, factors, kept, parts, shownRank, unit, weights } from "../state/state.ts";
import { number, percent, plural } from "../text.ts";
import { term } from "./edit.ts";

const mostTerms = 8;

export function Terms() {
  const { kh, kw, values } = weights.value;
  const { rank, error } = factors.value;
  const { terms } = parts.value;
  const sums = kept.value;
  const residual = useMemo(() => values.map((value, i) => value - sums[i]!), [values, sums]);
  const most = Math.max(largest(values), largest(sums));
  const shown = terms.slice(0, mostTerms);
  const selected = Math.min(term.value, Math.max(0, rank - 1));
  return (
    <section class="terms" aria-label="The filter taken apart">
      <h2>Taken apart</h2>
      <div class="equation">
        <figure>
          <Heat {...{ values, most }} width={kw} height={kh} label={`The filter, ${kh} × ${kw}`} />
          <figcaption>the filter</figcaption>
        </figure>
        {shown.map(({ column, row }, i) => (
          <Term key={i} {...{ column, row, kh, kw, most }} index={i} selected={i === selected && rank > 1} />
        ))}
        {terms.length > mostTerms && <p class="more">+ {terms.length - mostTerms} more</p>}
        {shownRank.value < exact.value.exactRank && (
          <>
            <div class="added">
              <span class="sign" aria-hidden="true">
                =
              </span>
              <figure>
                <Heat values={sums} most={most} width={kw} height={kh} label="The sum of the terms that are kept" />
                <figcaption>their sum</figcaption>
              </figure>
            </div>
            <figure>
              <Heat values={residual} most={most} width={kw} height={kh} label="What the sum lacks" />
              <figcaption>what it lacks</figcaption>
            </figure>
          </>
        )}
      </div>
      <div class="under">
        <p class="hint">
          {rank === 0
            ? "A filter of zeros has rank 0: there is nothing to add up."
            : error === 0
              ? `${plural(rank, "column")} ⊗ ${plural(rank, "row")}: equal to the filter, number by number.`
              : `The nearest sum of ${plural(rank, "term")} there is: its relative error is ${percent(error)}.`}
        </p>
        <Legend most={number(most)} />
      </div>
    </section>
  );
}

interface TermProps {
  column: readonly number[];
  row: readonly number[];
  kh: number;
  kw: number;
  most: number;
  index: number;
  selected: boolean;
}

function Term({ column, row, kh, kw, most, index, selected }: TermProps) {
  const scale = unit.value;
  const product = useMemo(() => column.flatMap((c) => row.map((r) => scale * c * r)), [column, row, scale]);
  const sign = index > 0 ? "+" : factors.value.error === 0 ? "=" : "≈";
  const label = `Term ${index + 1}: the column ${column.map((tap) => number(tap)).join(", ")} times the row ${row.map((tap) => number(scale * tap)).join(", ")}`;
  return (
    <div class="added">
      <span class="sign" aria-hidden="true">
        {sign}
      </span>
      <figure>
        <button
          type="button"
          class={selected ? "term on" : "term"}
          aria-pressed={selected}
          aria-label={`${label}. Show its taps along the grid.`}
          onClick={() => (term.value = index)}
        >
          <Heat values={row} width={kw} height={1} class="of-row" />
          <Heat values={column} width={1} height={kh} class="of-column" />
          <Heat values={product} most={most} width={kw} height={kh} class="of-both" />
        </button>
        <figcaption>
          column {index + 1} ⊗ row {index + 1}
        </figcaption>
      </figure>
    </div>
  );
}
