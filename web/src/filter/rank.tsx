// The rank of the filter: bars of its singular values, the slider that cuts them off, and what that saves and costs.
import { Bar, Figure, Slider } from "../parts/controls.tsx";
import { exact, factors, rank, shownRank } from "../state/state.ts";
import { count, number, percent, plural } from "../text.ts";

export function Rank() {
  const { exactRank, singularValues, kh, kw } = exact.value;
  const { error, multiplications } = factors.value;
  const shown = shownRank.value;
  const { direct, separable } = multiplications;
  const most = Math.max(direct, separable, 1);
  return (
    <div class="rank">
      <div class="figures">
        <Figure value={String(exactRank)} strong>
          {exactRank === 1 ? "is the rank: one column times one row" : `is the rank of this ${kh} × ${kw} filter`}
        </Figure>
        <Figure value={separable > 0 ? `${number(direct / separable, 3)} ×` : "–"}>
          {separable <= direct ? "fewer multiplications in passes" : "as many: passes do not pay here"}
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
      <Spectrum values={singularValues} kept={shown} />
      <dl class="costs">
        <div>
          <dt>As it stands, k²</dt>
          <dd>
            <Bar share={direct / most} quiet />
            <span>{count(direct)}</span>
          </dd>
        </div>
        <div>
          <dt>In passes, {shown === 1 ? "2k" : `${shown} · 2k`}</dt>
          <dd>
            <Bar share={separable / most} />
            <span>{count(separable)}</span>
          </dd>
        </div>
      </dl>
      <p class="hint">Multiplications for each value of the result; k is {kh === kw ? kh : `${kh} and ${kw}`}.</p>
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
