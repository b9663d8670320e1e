// The filter as a grid, with the taps of one term along its edges: edit a tap and the grid follows, edit a cell and it is
// factored again.
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { Grid, numberIn, stepOf } from "../parts/grid.tsx";
import { largestSide } from "../state/choice.ts";
import { exact, factors, weights } from "../state/state.ts";
import { number, plural } from "../text.ts";
import { editCell, editGain, editSides, editTap, takeTaps, takeText, taps, term } from "./edit.ts";

export function Editor() {
  const { kh, kw, values } = weights.value;
  const { column, row } = taps.value;
  const active = useSignal({ cell: 0, column: 0, row: 0 });
  const { cell, column: columnAt, row: rowAt } = active.value;
  const at = Math.min(cell, values.length - 1);
  const { rank } = factors.value;
  return (
    <div class="editor">
      <div class={Math.max(kh, kw) > 7 ? "sheet many" : "sheet"} style={{ "--rows": kh, "--columns": kw }}>
        <span class="corner" aria-hidden="true">
          ⊗
        </span>
        <Grid
          class="row-taps"
          label="taps of the row"
          values={row}
          width={kw}
          height={1}
          active={Math.min(rowAt, kw - 1)}
          onActive={(index) => (active.value = { ...active.value, row: index })}
          onEdit={(index, value) => editTap("row", index, value)}
          onText={(text) => takeTaps("row", text)}
        />
        <Grid
          class="column-taps"
          label="taps of the column"
          values={column}
          width={1}
          height={kh}
          active={Math.min(columnAt, kh - 1)}
          onActive={(index) => (active.value = { ...active.value, column: index })}
          onEdit={(index, value) => editTap("column", index, value)}
          onText={(text) => takeTaps("column", text)}
        />
        <Grid
          class="cells"
          label={`values of the filter, ${plural(kh, "row")} of ${kw}`}
          values={values}
          width={kw}
          height={kh}
          active={at}
          onActive={(index) => (active.value = { ...active.value, cell: index })}
          onEdit={editCell}
          onText={takeText}
        />
      </div>
      <p class="hint">
        {exact.value.exactRank <= 1
          ? "The taps along the edges make the whole grid."
          : `The edges show term ${Math.min(term.value, rank - 1) + 1} of ${rank}.`}{" "}
        Type, paste a table, or drag a cell sideways.
      </p>
      <Fields index={at} />
      <Paste />
    </div>
  );
}

/** A place for a filter as text: where there are no keys to paste with, and for those who want to see it first. */
function Paste() {
  const text = useSignal("");
  const id = useId();
  return (
    <details class="paste">
      <summary>Paste a filter as text</summary>
      <label for={id}>Rows of numbers, MATLAB, C, NumPy, JSON, LaTeX; fractions and a factor such as /16, too</label>
      <textarea
        id={id}
        rows={5}
        spellcheck={false}
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
      />
      <button type="button" disabled={text.value.trim() === ""} onClick={() => takeText(text.value)}>
        Take it
      </button>
    </details>
  );
}

/** The active cell, the sides and the gain as fields: large enough for fingers. */
function Fields({ index }: { index: number }) {
  const { kh, kw, values, gain } = weights.value;
  const step = stepOf(values);
  const place = `Row ${Math.floor(index / kw) + 1}, column ${(index % kw) + 1}`;
  return (
    <div class="fields">
      <Field label={place} value={values[index]!} step={step} onChange={(value) => editCell(index, value)} />
      <Field label="Rows" value={kh} step={1} min={1} max={largestSide} onChange={(n) => editSides(n, kw)} />
      <Field label="Columns" value={kw} step={1} min={1} max={largestSide} onChange={(n) => editSides(kh, n)} />
      <Field label="Gain" value={gain} step={0} onChange={editGain} />
    </div>
  );
}

interface FieldProps {
  label: string;
  value: number;
  /** Of the buttons; 0 for none. */
  step: number;
  min?: number;
  max?: number;
  onChange(value: number): void;
}

function Field({ label, value, step, min = -Infinity, max = Infinity, onChange }: FieldProps) {
  const id = useId();
  const to = (next: number): void => onChange(Math.min(max, Math.max(min, Number(next.toPrecision(12)))));
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div>
        {step > 0 && (
          <button type="button" aria-label={`${label}: less`} disabled={value <= min} onClick={() => to(value - step)}>
            −
          </button>
        )}
        <input
          id={id}
          type="text"
          inputMode="decimal"
          value={number(value, 6).replace("−", "-")}
          onChange={(event) => {
            const next = numberIn(event.currentTarget.value);
            if (next !== undefined) to(next);
            event.currentTarget.value = number(value, 6).replace("−", "-");
          }}
        />
        {step > 0 && (
          <button type="button" aria-label={`${label}: more`} disabled={value >= max} onClick={() => to(value + step)}>
            +
          </button>
        )}
      </div>
    </div>
  );
}
