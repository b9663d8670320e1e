// Screen 1: a window of nine numbers slides over a picture of numbers; each output is a sum of nine products.
import { signal } from "@preact/signals";
import { number } from "../text.ts";
import type { Place } from "./move.ts";
import { outputAt, picture, places, productsAt, sobel, sum } from "./numbers.ts";
import { Screen } from "./screen.tsx";
import { Sheet } from "./sheet.tsx";
import { done, finish } from "./state.ts";

const at = signal<Place>({ y: 0, x: 3 });
const filled = signal<ReadonlySet<number>>(new Set([3]));
const answer = signal("");
const verdict = signal("");

/** The output that the reader predicts. */
const asked: Place = { y: 1, x: 0 };
const isAsked = ({ y, x }: Place): boolean => y === asked.y && x === asked.x;
const mostOutput = 32;

function move(place: Place): void {
  at.value = place;
  filled.value = new Set([...filled.peek(), place.y * places + place.x]);
}

function fill(): void {
  filled.value = new Set(Array.from({ length: places * places }, (_, i) => i));
}

function check(): void {
  const text = answer.peek().replace("−", "-").trim();
  const right = outputAt(sobel, asked.y, asked.x);
  if (text === "" || !Number.isFinite(Number(text))) verdict.value = "Type a number.";
  else if (Number(text) === right) {
    verdict.value = `Right: it is ${right}.`;
    move(asked);
    finish("window.predict");
  } else {
    verdict.value = `Not ${number(Number(text))}. The window is on the marked place now: add up its nine products.`;
    at.value = asked;
  }
}

export function WindowScreen() {
  const { y, x } = at.value;
  const predicted = done.value.has("window.predict");
  const hidden = !predicted && isAsked(at.value);
  const products = productsAt(sobel, y, x);
  const outputs = Array.from({ length: places }, (_, row) =>
    Array.from({ length: places }, (_, column) => {
      if (!predicted && isAsked({ y: row, x: column })) return "?";
      return filled.value.has(row * places + column) ? outputAt(sobel, row, column) : undefined;
    }),
  );
  return (
    <Screen
      heading="A picture is numbers, and a filter is a small table of them"
      lead="Lay the small table on the picture, multiply each of its numbers (its weights) by the number under it, and add up. Then move on by one."
      tasks={[
        { id: "window.move", text: "Drag the window, or focus it and press the arrow keys: the outputs fill in." },
        { id: "window.predict", text: "Predict the output that is marked with a question mark." },
      ]}
      learned="Each output is a sum of nine products: 9 multiplications. A side of 9 has room for 7 windows that are three wide, so the output is 7 × 7."
    >
      <div class="tables">
        <Sheet
          caption="The picture, 9 × 9"
          values={picture}
          frame={{ y, x, height: 3, width: 3 }}
          name="Window"
          onMove={(place) => {
            move(place);
            finish("window.move");
          }}
        />
        <div class="pile">
          <Sheet caption="Weights, 3 × 3 (Sobel)" values={sobel} most={3} />
          <Sheet caption="The nine products" values={products} most={18} />
        </div>
        <Sheet
          caption="The outputs, 7 × 7"
          values={outputs}
          most={mostOutput}
          classOf={(row, column) => (!predicted && isAsked({ y: row, x: column }) ? "asked" : "")}
          frame={{ y, x, height: 1, width: 1 }}
        />
      </div>
      <div class="sum" aria-live="polite">
        <p>
          {products
            .map((row) => row.map((value) => number(value)).join(" + "))
            .join(" + ")
            .replaceAll("+ −", "− ")}{" "}
          = <b>{hidden ? "?" : number(sum(products.flat()))}</b>
        </p>
      </div>
      <div class="row">
        <button type="button" onClick={fill}>
          Fill in all outputs
        </button>
      </div>
      <form
        class="predict"
        onSubmit={(event) => {
          event.preventDefault();
          check();
        }}
      >
        <label for="prediction">The output in row 2, column 1 is</label>
        <input
          id="prediction"
          type="text"
          inputMode="text"
          autocomplete="off"
          size={5}
          value={answer.value}
          onInput={(event) => {
            answer.value = event.currentTarget.value;
          }}
        />
        <button type="submit">Check</button>
        <button
          type="button"
          onClick={() => {
            at.value = asked;
          }}
        >
          Put the window there
        </button>
        <p role="status">{verdict.value}</p>
      </form>
    </Screen>
  );
}
