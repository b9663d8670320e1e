// Screen 2: the same outputs by a pass along the rows and one along the columns; sums in the middle are shared.
import { signal } from "@preact/signals";
import { count, noun, number, plural } from "../text.ts";
import type { Place } from "./move.ts";
import { outputAt, picture, places, productsAt, rowSumAt, sobel, sobelColumn, sobelRow } from "./numbers.ts";
import { Screen } from "./screen.tsx";
import { Sheet } from "./sheet.tsx";
import { finish } from "./state.ts";

interface Progress {
  at: Place;
  split: boolean;
  /** Sums in the middle and outputs that stand, by their number. */
  sums: ReadonlySet<number>;
  outputs: ReadonlySet<number>;
  /** Sums that the last output found there, and those that it had to form. */
  shared: readonly number[];
  fresh: readonly number[];
}

const rows = [0, 1, 2];
const start: Progress = {
  at: { y: 0, x: 2 },
  split: false,
  sums: new Set(),
  outputs: new Set(),
  shared: [],
  fresh: [],
};
const progress = signal<Progress>(visited({ ...start }, start.at));

/** Computes one more output. An output that stands already costs nothing, but shows its sums again. */
function visited(before: Progress, at: Place): Progress {
  const needed = rows.map((dy) => (at.y + dy) * places + at.x);
  return {
    ...before,
    at,
    shared: needed.filter((sum) => before.sums.has(sum)),
    fresh: needed.filter((sum) => !before.sums.has(sum)),
    sums: new Set([...before.sums, ...needed]),
    outputs: new Set([...before.outputs, at.y * places + at.x]),
  };
}

function move(at: Place): void {
  const next = visited(progress.peek(), at);
  progress.value = next;
  if (next.split && next.fresh.length === 1) finish("split.step");
}

/** Down the column, then on to the next. */
function step(): void {
  const { y, x } = progress.peek().at;
  move(y + 1 < places ? { y: y + 1, x } : { y: 0, x: (x + 1) % places });
}

function restart(split: boolean): void {
  progress.value = visited({ ...start, split }, start.at);
  if (split) finish("split.split");
}

const cells = <T,>(height: number, width: number, at: (y: number, x: number) => T): T[][] =>
  Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => at(y, x)));

export function SplitScreen() {
  const { at, split, sums, outputs, shared, fresh } = progress.value;
  return (
    <Screen
      heading="Nine products, or three and three"
      lead={
        <>
          Sobel’s table can be taken apart: go over the picture once with a row of three numbers, then over the result
          with a column of three. Going over it once is a <dfn>pass</dfn>; the numbers of a row or column are its{" "}
          <dfn>taps</dfn>.
        </>
      }
      tasks={[
        { id: "split.split", text: "Press “Split it”." },
        { id: "split.step", text: "Step down until an output costs 6 multiplications." },
      ]}
      learned="3 + 3 gives the same number as 9, since neighbours share the sums in the middle: each of those is formed once and used three times."
    >
      <div class="row">
        <button type="button" class={split ? "" : "primary"} aria-pressed={split} onClick={() => restart(!split)}>
          {split ? "Put it together" : "Split it"}
        </button>
        <button type="button" class={split ? "primary" : ""} onClick={step}>
          Next output
        </button>
        <button type="button" onClick={() => restart(split)}>
          Start again
        </button>
      </div>
      <div class={split ? "tables three" : "tables"}>
        <Sheet
          caption="The picture, 9 × 9"
          values={picture}
          frame={{ ...at, height: 3, width: 3 }}
          name="Window"
          onMove={move}
          classOf={(y, x) => (split && fresh.includes(y * places + at.x) && x >= at.x && x < at.x + 3 ? "lit" : "")}
        />
        {split ? (
          <Sheet
            caption="Sums in the middle, 9 × 7, by the row −1 0 1"
            most={9}
            values={cells(9, places, (y, x) => (sums.has(y * places + x) ? rowSumAt(y, x) : undefined))}
            classOf={(y, x) =>
              shared.includes(y * places + x) ? "shared" : fresh.includes(y * places + x) ? "lit" : ""
            }
            frame={{ ...at, height: 3, width: 1 }}
          />
        ) : (
          <Sheet caption="The nine products" values={productsAt(sobel, at.y, at.x)} most={18} />
        )}
        <Sheet
          caption={split ? "The outputs, 7 × 7, by the column 1 2 1" : "The outputs, 7 × 7"}
          most={32}
          values={cells(places, places, (y, x) => (outputs.has(y * places + x) ? outputAt(sobel, y, x) : undefined))}
          frame={{ ...at, height: 1, width: 1 }}
        />
      </div>
      <Counters progress={progress.value} />
    </Screen>
  );
}

function Counters({ progress: { at, split, sums, outputs, shared, fresh } }: { progress: Progress }) {
  const output = number(outputAt(sobel, at.y, at.x));
  const column = sobelColumn.map((tap, i) => `${tap}\u00a0·\u00a0${bracketed(rowSumAt(at.y + i, at.x))}`).join(" + ");
  return (
    <div class="counters" aria-live="polite">
      <dl>
        <div>
          <dt>This output, at once</dt>
          <dd>
            <b>9</b> products = {output}
          </dd>
        </div>
        {split && (
          <div class="strong">
            <dt>This output, in two passes</dt>
            <dd>
              <b>{3 * fresh.length + 3}</b> products: {fresh.length} new {noun(fresh.length, "sum")} of{" "}
              {sobelRow.length}, then {column} = {output}
            </dd>
          </div>
        )}
        <div>
          <dt>So far, {plural(outputs.size, "output")}</dt>
          <dd>
            {count(9 * outputs.size)} at once
            {split && (
              <>
                , <strong>{count(3 * sums.size + 3 * outputs.size)}</strong> in two passes
              </>
            )}
          </dd>
        </div>
      </dl>
      {split && (
        <p class="hint">
          {shared.length > 0
            ? `${shared.length} of the three sums stood already (striped): nobody forms them again.`
            : "The first output of a column forms all three of its sums."}{" "}
          In a large picture the first ones hardly count: 3 + 3 = 6 for each output.
        </p>
      )}
    </div>
  );
}

const bracketed = (value: number): string => (value < 0 ? `(${number(value)})` : number(value));
