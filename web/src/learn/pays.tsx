// Screen 4: k · k against r · 2k, counted and timed.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Bar, Slider } from "../parts/controls.tsx";
import { count, milliseconds, number } from "../text.ts";
import { direct, inPasses } from "./numbers.ts";
import { Screen } from "./screen.tsx";
import { finish } from "./state.ts";
import { type Times, timeBoth, timedSide } from "./timing.ts";

const sides = { least: 3, most: 31 };
const mostRank = 4;

const side = signal(7);
const rank = signal(1);
const times = signal<Times | undefined>(undefined);
const settleMilliseconds = 250;

/** A table of k × k has rank k at most. */
function choose(k: number, r: number): void {
  times.value = undefined;
  side.value = k;
  rank.value = Math.min(r, k);
  if (k === sides.most && rank.value === 1) finish("pays.large");
  const pays = inPasses(k, rank.value) < direct(k);
  if (rank.value === mostRank && pays && inPasses(k - 2, mostRank) >= direct(k - 2)) finish("pays.least");
}

export function PaysScreen() {
  const [k, r] = [side.value, rank.value];
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => {
      timeBoth(k, r, stop.signal).then(
        (found) => {
          times.value = found;
        },
        (error) => {
          if (!stop.signal.aborted) throw error;
        },
      );
    }, settleMilliseconds);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [k, r]);
  return (
    <Screen
      heading="When does it pay?"
      lead="A table of k × k costs k · k multiplications for each output. A term costs k + k, and there are as many terms as the rank r: r · 2k in all."
      tasks={[
        { id: "pays.large", text: "Make the table as large as it goes, at rank 1." },
        { id: "pays.least", text: "At rank 4, find the smallest k that still saves something." },
      ]}
      learned="In passes it takes k / (2r) times fewer: 49 becomes 14, and 961 becomes 62. It does not pay where k is 2r or less: where the table is small, or its rank is high."
    >
      <div class="sliders">
        <Slider
          label="Side of the table, k"
          value={k}
          min={sides.least}
          max={sides.most}
          step={2}
          onInput={(value) => choose(value, r)}
        />
        <Slider label="Rank, r" value={r} min={1} max={Math.min(mostRank, k)} onInput={(value) => choose(k, value)} />
      </div>
      <Bars
        title="Multiplications for each output"
        {...{ atOnce: direct(k), passes: inPasses(k, r) }}
        form={count}
        says={[`${k} · ${k}`, `${r} · 2 · ${k}`]}
      />
      <Ratio atOnce={direct(k)} passes={inPasses(k, r)} few="fewer" many="more" />
      {times.value ? (
        <>
          <Bars
            title={`Measured in this browser: plain loops, ${timedSide} × ${timedSide} outputs`}
            {...{ atOnce: times.value.direct, passes: times.value.passes }}
            form={milliseconds}
          />
          <Ratio atOnce={times.value.direct} passes={times.value.passes} few="less time" many="more time" />
        </>
      ) : (
        <p class="hint waiting">Measuring in this browser…</p>
      )}
      <Zeros />
    </Screen>
  );
}

interface BarsProps {
  title: string;
  atOnce: number;
  passes: number;
  form(value: number): string;
  says?: readonly [atOnce: string, passes: string];
}

function Bars({ title, atOnce, passes, form, says }: BarsProps) {
  const most = Math.max(atOnce, passes);
  const line = (name: string, value: number, sum: string | undefined, quiet: boolean) => (
    <div>
      <dt>{name}</dt>
      <dd>
        <span class="amount">
          {sum && `${sum} = `}
          <b>{form(value)}</b>
        </span>
        <Bar share={value / most} quiet={quiet} />
      </dd>
    </div>
  );
  return (
    <figure class="bars">
      <figcaption>{title}</figcaption>
      <dl>
        {line("at once", atOnce, says?.[0], true)}
        {line("in passes", passes, says?.[1], false)}
      </dl>
    </figure>
  );
}

/** The larger over the smaller, so that a loss is not told as a gain. */
function Ratio({ atOnce, passes, few, many }: { atOnce: number; passes: number; few: string; many: string }) {
  const saves = passes < atOnce;
  const ratio = saves ? atOnce / passes : passes / atOnce;
  const text = number(ratio, 3);
  if (text === "1") return <p class="ratio">Both the same: it does not pay.</p>;
  return (
    <p class={saves ? "ratio saves" : "ratio"}>
      In passes: <b>{text} ×</b> {saves ? few : `${many}: it does not pay`}.
    </p>
  );
}

function Zeros() {
  return (
    <p class="zeros">
      <b>Zeros count on both sides.</b> Nobody multiplies by 0. Of Sobel’s nine numbers three are 0, so it costs 6 as it
      stands; its column 1&nbsp;2&nbsp;1 and row −1&nbsp;0&nbsp;1 cost 3&nbsp;+&nbsp;2&nbsp;=&nbsp;5 in passes.
      6&nbsp;against&nbsp;5 is hardly a gain.
    </p>
  );
}
