// A grid of numbers that can be typed, pasted and dragged into. One cell is active: arrows move it, digits and Enter write
// into it, and a drag sideways turns its number up and down.
// biome-ignore-all lint/a11y/useSemanticElements: a table of native cells cannot be laid out in units of cells
import { useRef, useState } from "preact/hooks";
import { cssColour, isDark, largest } from "../colour.ts";
import { number } from "../text.ts";

interface Props {
  label: string;
  values: readonly number[];
  width: number;
  height: number;
  active: number;
  onActive(index: number): void;
  onEdit(index: number, value: number): void;
  /** What was pasted; a single number goes to onEdit. */
  onText(text: string): void;
  class?: string;
}

/** Larger grids show colours only; the number of the active cell stands below them. */
const mostNumbers = 9;
/** Smaller ones have room for a digit more. */
const roomyNumbers = 7;
/** Of a number in a cell; a cut one would be another number. */
const mostCharacters = 6;
const pixelsPerStep = 8;

export function Grid(props: Props) {
  const { label, values, width, height, active, onActive, onEdit, onText, class: name = "" } = props;
  const [draft, setDraft] = useState<string | undefined>(undefined);
  const typed = useRef(false);
  const table = useRef<HTMLDivElement>(null);
  const drag = useRef<{ index: number; x: number; from: number; moved: boolean } | undefined>(undefined);
  const most = largest(values) || 1;
  const withNumbers = Math.max(width, height) <= mostNumbers;
  const digits = Math.max(width, height) <= roomyNumbers ? 2 : 1;
  /** As a cell has room for it. */
  const short = (value: number): string => {
    if (value !== 0 && Math.abs(value) < 5e-4 * most) return "≈0";
    const text = number(value, Math.abs(value) < 0.1 ? digits : 2);
    return text.length > mostCharacters
      ? value
          .toExponential(digits - 1)
          .replace("e+", "e")
          .replace("-", "−")
      : text;
  };
  const dark = isDark.value;

  const focus = (index: number): void => {
    onActive(index);
    // A double click has opened the cell's input by then
    requestAnimationFrame(() =>
      table.current?.querySelector<HTMLElement>(`[data-index="${index}"]:not(:has(input))`)?.focus(),
    );
  };
  const edit = (key?: string): void => {
    typed.current = key !== undefined;
    setDraft(key ?? String(values[active]));
  };
  const commit = (text: string): void => {
    const value = numberIn(text);
    if (value !== undefined) onEdit(active, value);
    setDraft(undefined);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const { key } = event;
    if (draft !== undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = moved(key, active, width, height);
    if (next !== undefined) focus(next);
    else if (key === "Enter" || key === "F2") edit();
    else if (/^[-\d.]$/.test(key)) edit(key);
    else if (key === "Delete" || key === "Backspace") onEdit(active, 0);
    else return;
    event.preventDefault();
  };
  const onPointerMove = (event: PointerEvent): void => {
    const start = drag.current;
    if (!start || start.index !== active) return;
    const steps = Math.trunc((event.clientX - start.x) / pixelsPerStep);
    if (steps === 0 && !start.moved) return;
    start.moved = true;
    onEdit(active, Number((start.from + steps * stepOf(values)).toPrecision(12)));
  };
  const onPointerDown = (event: PointerEvent): void => {
    const cell = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
    if (!cell || draft !== undefined || event.button !== 0) return;
    const index = Number(cell.dataset.index);
    onActive(index);
    drag.current = { index, x: event.clientX, from: values[index]!, moved: false };
    table.current!.setPointerCapture(event.pointerId);
  };
  const onPaste = (event: ClipboardEvent): void => {
    const text = event.clipboardData?.getData("text") ?? "";
    if (text.trim() === "" || draft !== undefined) return;
    event.preventDefault();
    const value = numberIn(text);
    if (value === undefined) onText(text);
    else onEdit(active, value);
  };

  return (
    <div
      ref={table}
      role="grid"
      aria-label={label}
      tabIndex={-1}
      class={`grid ${name}`}
      style={{ "--columns": width }}
      {...{ onKeyDown, onPointerDown, onPointerMove, onPaste }}
      onPointerUp={() => {
        drag.current = undefined;
        focus(active);
      }}
      onDblClick={() => edit()}
    >
      {Array.from({ length: height }, (_, y) => (
        <div key={y} role="row" tabIndex={-1}>
          {Array.from({ length: width }, (_, x) => {
            const index = y * width + x;
            const value = values[index]!;
            const editing = index === active && draft !== undefined;
            return (
              <div
                key={x}
                role="gridcell"
                data-index={index}
                tabIndex={index === active && !editing ? 0 : -1}
                aria-label={`row ${y + 1}, column ${x + 1}: ${withNumbers ? short(value) : number(value)}`}
                class={index === active ? "active" : ""}
                style={{ background: cssColour(value / most, dark) }}
              >
                {editing ? (
                  <Draft
                    text={draft}
                    typed={typed.current}
                    onCommit={commit}
                    onCancel={() => setDraft(undefined)}
                    onLeave={() => focus(active)}
                  />
                ) : (
                  withNumbers && <span>{short(value)}</span>
                )}
              </div>
            );
          })}
        </div>
      ))}
    </div>
  );
}

interface DraftProps {
  text: string;
  /** It began with a key that was typed. */
  typed: boolean;
  onCommit(text: string): void;
  onCancel(): void;
  onLeave(): void;
}

function Draft({ text, typed, onCommit, onCancel, onLeave }: DraftProps) {
  return (
    <input
      type="text"
      inputMode="decimal"
      aria-label="new value"
      defaultValue={text}
      ref={(input) => {
        if (input && document.activeElement !== input) {
          input.focus();
          // A digit that was typed goes on; an old number is replaced by what is typed
          if (typed) input.setSelectionRange(text.length, text.length);
          else input.select();
        }
      }}
      onBlur={(event) => onCommit(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key !== "Enter" && event.key !== "Escape") return;
        event.stopPropagation();
        if (event.key === "Enter") onCommit(event.currentTarget.value);
        else onCancel();
        onLeave();
      }}
    />
  );
}

/** Where a key moves the active cell. */
function moved(key: string, index: number, width: number, height: number): number | undefined {
  const [x, y] = [index % width, Math.floor(index / width)];
  switch (key) {
    case "ArrowLeft":
      return x > 0 ? index - 1 : index;
    case "ArrowRight":
      return x < width - 1 ? index + 1 : index;
    case "ArrowUp":
      return y > 0 ? index - width : index;
    case "ArrowDown":
      return y < height - 1 ? index + width : index;
    case "Home":
      return y * width;
    case "End":
      return y * width + width - 1;
  }
  return undefined;
}

/** One step of a drag or a button: 1 among whole numbers, else about a twentieth of the largest. */
export function stepOf(values: readonly number[]): number {
  const most = largest(values);
  if (most === 0 || values.every(Number.isInteger)) return 1;
  return 10 ** Math.floor(Math.log10(most / 5));
}

/** A number as people write it: with a real minus sign, a decimal comma, or as a fraction. */
export function numberIn(text: string): number | undefined {
  const [over, under = "1", ...rest] = text.trim().replace("−", "-").replace(",", ".").split("/");
  const value = over!.trim() === "" || under.trim() === "" ? Number.NaN : Number(over) / Number(under);
  return rest.length === 0 && Number.isFinite(value) ? value : undefined;
}
