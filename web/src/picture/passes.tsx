// The way from the picture to the result, pass by pass.
import { useEffect, useRef } from "preact/hooks";
import { applied, factors, parts } from "../state/state.ts";
import { number, plural } from "../text.ts";
import { displayOf } from "./display.ts";
import { followStages, mostStagedPixels, shownTerm } from "./result.ts";
import type { Source } from "./source.ts";

/** Of a side: pictures that are narrower are enlarged, and show their pixels. */
const fewPixels = 150;

export function Passes({ source: { image, opaque } }: { source: Source }) {
  const original = useRef<HTMLCanvasElement>(null);
  const column = useRef<HTMLCanvasElement>(null);
  const row = useRef<HTMLCanvasElement>(null);
  const term = shownTerm.value;
  const large = image.width * image.height > mostStagedPixels;
  useEffect(() => followStages([original.current!, column.current!, row.current!]), []);
  const { rank } = factors.value;
  const { terms } = parts.value;
  const look = `${opaque ? "" : "chequered"}${image.width < fewPixels ? " pixelated" : ""}`;
  const which = rank > 1 && term ? ` of term ${terms.indexOf(term) + 1} of ${rank}` : "";
  const signed = (values: readonly number[] = []): boolean =>
    displayOf({ kh: values.length, kw: 1, values, gain: 1 }, true).signed;
  const middle = "; grey is zero";
  return (
    <section class="passes" aria-label="Pass by pass" hidden={!term || applied.value === undefined}>
      <h2>Pass by pass</h2>
      <ol>
        <li>
          <canvas ref={original} class={look} role="img" aria-label="The picture" />
          <h3>The picture</h3>
          {large && <p class="hint">A piece of it, around the pixel that was picked.</p>}
        </li>
        <li>
          <canvas ref={column} class={look} role="img" aria-label={`After the column pass${which}`} />
          <h3>Column pass{which}</h3>
          <p class="hint">
            {tapsText(term?.column)}: {plural(term?.column.length ?? 0, "multiplication")} a value
            {signed(term?.column) && middle}
          </p>
        </li>
        <li>
          <canvas ref={row} class={look} role="img" aria-label={`After the row pass${which}`} />
          <h3>Row pass: {rank > 1 ? "one of the terms that are added" : "the result"}</h3>
          <p class="hint">
            {tapsText(term?.row)}: {plural(term?.row.length ?? 0, "multiplication")} a value
            {(signed(term?.row) || signed(term?.column)) && middle}
          </p>
        </li>
      </ol>
    </section>
  );
}

const mostTaps = 7;

function tapsText(taps: readonly number[] = []): string {
  const text = taps.slice(0, mostTaps).map((tap) => number(tap, 2));
  return `[${text.join(", ")}${taps.length > mostTaps ? ", …" : ""}]`;
}
