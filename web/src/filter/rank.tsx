// The rank of the filter: bars of its singular values, the slider that cuts them off, and what that saves and costs.
import type { FilterFactors } from "rank1";
import { Bar, Figure, Slider } from "../parts/controls.tsx";
import { exact, factors, kept, rank, shownRank } from "../state/state.ts";
import { change, count, number, percent, plural } from "../text.ts";

export function Rank() {
  const { exactRank, singularValues, kh, kw } = exact.value;
  const { error, multiplications } = factors.value;
  const shown = shownRank.value;
  const { direct, separable } = multiplications;
  const most = Math.max(direct, separable, 1);
  const changed = change(direct, separable);
  return (
    <div class="rank">
      <div class="figures">
        <Figure value={String(exactRank)} strong>
          {exactRank === 1 ? "is the rank: one column times one row" : `is the rank of this ${kh} × ${kw} filter`}
        </Figure>
        <Figure value={separable === 0 ? "0" : changed.value}>
          {separable === 0
            ? "multiplications: there is nothing to add up"
            : changed.same
              ? "as many multiplications in passes"
              : changed.fewer
                ? "fewer multiplications in passes"
                : "as many multiplications in passes: they do not pay here"}
        </Figure>
        <Figure value={error === 0 ? "0" : percent(error)}>
          {error === 0 ? "error: nothing is lost" : "error of the taps at this rank"}
        </Figure>
      </div>
      <Slider
        label="Terms that are kept"
        value={shown}
        min={Math.min(1, exactRank)}
        max={Math.max(1, exactRank)}
        disabled={exactRank <= 1}
        text={`${shown} of ${exactRank}`}
        onInput={(value) => {
          rank.value = value === exactRank ? undefined : value;
        }}
      />
      <Enough />
      <Spectrum values={singularValues} kept={shown} />
      <dl class="costs">
        <div>
          <dt>As it stands, {kh === kw ? "k²" : `${kh} · ${kw}`}</dt>
          <dd>
            <Bar share={direct / most} quiet />
            <span>{count(direct)}</span>
          </dd>
        </div>
        <div>
          <dt>In passes, {passesText(shown, kh, kw)}</dt>
          <dd>
            <Bar share={separable / most} />
            <span>{count(separable)}</span>
          </dd>
        </div>
      </dl>
      <p class="hint">
        Multiplications for each value of the result{kh === kw && `; k is ${kh}`}.<Zeros />
      </p>
    </div>
  );
}

/** "2k", "3 · 2k", "3 · (5 + 7)". */
function passesText(rank: number, kh: number, kw: number): string {
  const each = kh === kw ? "2k" : `${kh} + ${kw}`;
  if (rank === 1) return each;
  return `${rank} · ${kh === kw ? each : `(${each})`}`;
}

/** What is left where zeros are not multiplied: plans leave them out on both sides. */
function Zeros() {
  const { terms, multiplications } = factors.value;
  const count = (values: readonly number[]): number => values.filter((value) => value !== 0).length;
  const [direct, passes] = [
    count(kept.value),
    terms.reduce((sum, { column, row }) => sum + count(column) + count(row), 0),
  ];
  if (direct === multiplications.direct && passes === multiplications.separable) return null;
  return ` Without those by zero there are ${direct} as it stands, ${passes} in passes.`;
}

/** Errors that may be small enough, the smallest first. */
const tolerances = [0.01, 0.05];

/** The lowest rank that keeps a filter within a small error and makes passes pay. */
function enough({ singularValues, exactRank, kh, kw }: FilterFactors): { rank: number; error: number } | undefined {
  const total = singularValues.reduce((sum, value) => sum + value * value, 0);
  const errorOf = (rank: number): number =>
    Math.sqrt(singularValues.slice(rank).reduce((sum, value) => sum + value * value, 0) / total);
  for (const tolerance of tolerances) {
    for (let rank = 1; rank < exactRank && rank * (kh + kw) < kh * kw; rank++)
      if (errorOf(rank) <= tolerance) return { rank, error: errorOf(rank) };
  }
  return undefined;
}

/** Says which rank would do: numbers that were rounded make any filter one of full rank. */
function Enough() {
  const { kh, kw, exactRank } = exact.value;
  const found = enough(exact.value);
  if (!found) return null;
  const kept = shownRank.value === found.rank;
  return (
    <div class="enough">
      <p>
        <b>
          {plural(found.rank, "term")} {found.rank === 1 ? "is" : "are"} within {percent(found.error)}
        </b>
        : {plural(found.rank * (kh + kw), "multiplication")} instead of {count(kh * kw)}.
      </p>
      <button
        type="button"
        onClick={() => {
          rank.value = kept ? undefined : found.rank;
        }}
      >
        {kept ? `Keep all ${exactRank}` : `Keep ${found.rank}`}
      </button>
    </div>
  );
}

function Spectrum({ values, kept }: { values: readonly number[]; kept: number }) {
  const most = values[0] ?? 1;
  const text = values.map((value) => number(value)).join(", ");
  return (
    <figure class="spectrum">
      <div role="img" aria-label={`Singular values: ${text || "none"}`}>
        {values.map((value, i) => (
          <i key={i} class={i < kept ? "" : "dropped"} style={{ height: `${Math.max(1.5, (100 * value) / most)}%` }} />
        ))}
      </div>
      <figcaption>
        {plural(values.length, "singular value")}
        {values.length > 0 && values.length <= 6
          ? `: ${text}`
          : values.length > 6
            ? `, from ${number(most)} to ${number(values.at(-1)!)}`
            : ""}
        {kept < values.length && `; ${values.length - kept} dropped`}
      </figcaption>
    </figure>
  );
}
