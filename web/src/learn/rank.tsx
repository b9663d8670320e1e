// Screen 3: a table of 3 × 3 as a column ⊗ a row and what remains; and one of the reader's own that splits.
import { signal } from "@preact/signals";
import { factorize } from "rank1";
import { readFilter } from "../filter/paste.ts";
import { Grid, stepOf } from "../parts/grid.tsx";
import { number } from "../text.ts";
import { less, type Rows, type Terms } from "./numbers.ts";
import { Screen } from "./screen.tsx";
import { Sheet } from "./sheet.tsx";
import { done, finish } from "./state.ts";

const box = [1, 1, 1, 1, 1, 1, 1, 1, 1];
const table = signal<readonly number[]>(box);
const active = signal(4);
const largest = 99;
/** What was wrong with what was pasted. */
const told = signal("");

const rowsOf = (values: readonly number[]): Rows => [values.slice(0, 3), values.slice(3, 6), values.slice(6)];

/** The table as its first term and what remains: in whole numbers where it is of whole numbers. */
export function termsOf(values: readonly number[]): Terms {
  const rows = rowsOf(values);
  const { rank, terms, exact } = factorize(rows.map((row) => [...row]));
  if (rank === 0) return { rank, column: [0, 0, 0], row: [0, 0, 0], remainder: rows };
  const { gain = 1, denominator = 1 } = exact ?? {};
  const [first] = exact?.terms ?? terms;
  const column = first!.column.map((tap) => (tap * gain) / denominator);
  return { rank, column, row: first!.row, remainder: less(rows, column, first!.row) };
}

const set = (index: number, value: number): void => change(table.peek().with(index, value));

function change(values: readonly number[]): void {
  const next = values.map((value) => Math.max(-largest, Math.min(largest, value)));
  table.value = next;
  const { rank } = termsOf(next);
  if (rank > 1) finish("rank.break");
  const varied = new Set(next).size > 1;
  if (rank === 1 && varied && done.peek().has("rank.break")) finish("rank.build");
}

export function RankScreen() {
  const values = table.value;
  const { rank, column, row, remainder } = termsOf(values);
  const most = Math.max(1, ...values.map(Math.abs));
  return (
    <Screen
      heading="Not every table splits"
      lead={
        <>
          <dfn>⊗</dfn> makes a table of a column and a row: each of its numbers is one of the column times one of the
          row. One such product is a <dfn>term</dfn>. The fewest terms that add up to a table are its <dfn>rank</dfn>.
        </>
      }
      tasks={[
        { id: "rank.break", text: "Change the number in the middle of the box: what remains?" },
        {
          id: "rank.build",
          text: "Now build one that splits: nothing remains, and its numbers are not all the same.",
        },
      ]}
      learned="One column ⊗ one row cannot make every table: only those whose rows are multiples of one row. Two terms cost 2 · (3 + 3) = 12, more than 9."
    >
      <div class="equation-line">
        <figure>
          <Grid
            label="The table, 3 × 3"
            {...{ values, width: 3, height: 3, active: active.value, class: "cells" }}
            onActive={(index) => {
              active.value = index;
            }}
            onEdit={set}
            onText={paste}
          />
          <figcaption>your table</figcaption>
        </figure>
        <span class="sign">=</span>
        <figure>
          <div class="product">
            <Sheet caption="column" values={column.map((tap) => [tap])} most={most} />
            <span class="sign">⊗</span>
            <Sheet caption="row" values={[row]} most={most} />
          </div>
          <figcaption>{rank === 0 ? "no term" : "one term"}</figcaption>
        </figure>
        <span class="sign">+</span>
        <figure class={rank > 1 ? "remains" : ""}>
          <Sheet caption="remainder" values={remainder} most={most} />
          <figcaption>{rank > 1 ? "what remains" : "nothing remains"}</figcaption>
        </figure>
      </div>
      <div class="row steppers">
        <button type="button" onClick={() => stepBy(-1)}>
          − 1
        </button>
        <button type="button" onClick={() => stepBy(1)}>
          + 1
        </button>
        <p class="hint">
          changes row {Math.floor(active.value / 3) + 1}, column {(active.value % 3) + 1}. Click a number, drag it
          sideways, or type.
        </p>
        <button type="button" onClick={() => change(box)}>
          The box again
        </button>
      </div>
      {told.value && (
        <p class="hint" role="alert">
          {told.value}
        </p>
      )}
      <p class="verdict" aria-live="polite">
        {verdictOf(rank)}
      </p>
      {done.value.has("rank.break") && !done.value.has("rank.build") && (
        <p class="hint">A hint: write any first row, then make each other row a multiple of it.</p>
      )}
    </Screen>
  );
}

/** A table that was pasted, in any form that the studio reads. */
function paste(text: string): void {
  try {
    const { rows, gain } = readFilter(text);
    if (rows.length !== 3 || rows[0]!.length !== 3) throw new Error(`this has ${rows.length} × ${rows[0]!.length}`);
    change(rows.flat().map((value) => value * gain));
    told.value = "";
  } catch (error) {
    told.value = `Not taken: a table of 3 × 3 numbers is expected here. ${error instanceof Error ? error.message : error}`;
  }
}

function stepBy(direction: 1 | -1): void {
  const [values, index] = [table.peek(), active.peek()];
  set(index, Number((values[index]! + direction * stepOf(values)).toPrecision(12)));
}

function verdictOf(rank: number) {
  if (rank === 0) return "Rank 0: all zeros, nothing to multiply.";
  const cost = 6 * rank;
  return (
    <>
      Rank <b>{rank}</b>: {rank === 1 ? "one term costs" : `${number(rank)} terms cost`}{" "}
      {rank === 1 ? "3 + 3" : `${rank} · (3 + 3)`} = <b>{cost}</b> multiplications, the table itself <b>9</b>.{" "}
      {rank === 1 ? "It splits, and that pays." : "As it stands it is cheaper."}
    </>
  );
}
