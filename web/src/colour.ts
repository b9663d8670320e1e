// The one colour map of signed numbers: blue below zero, the page's own grey at zero, orange above. Ink on it keeps a contrast
// of 4.5 to 1 everywhere, so that numbers can stand on any of its colours.
import { signal } from "@preact/signals";

type Colour = readonly [red: number, green: number, blue: number];

interface Map {
  negative: Colour;
  zero: Colour;
  positive: Colour;
}

const light: Map = { negative: [96, 162, 232], zero: [244, 245, 245], positive: [242, 142, 74] };
const dark: Map = { negative: [36, 100, 176], zero: [38, 42, 46], positive: [166, 77, 20] };

const query = globalThis.matchMedia?.("(prefers-color-scheme: dark)");

/** The page is shown in dark colours. */
export const isDark = signal(query?.matches ?? false);
query?.addEventListener("change", () => {
  isDark.value = query.matches;
});

/** The colour of a share of the largest value, −1 to 1; weak values are lifted so that their sign shows. */
export function colourOf(share: number, inDark: boolean): Colour {
  const { negative, zero, positive } = inDark ? dark : light;
  const end = share < 0 ? negative : positive;
  const strength = Math.min(1, Math.abs(share)) ** 0.8;
  return [0, 1, 2].map((i) => Math.round(zero[i]! + strength * (end[i]! - zero[i]!))) as unknown as Colour;
}

export const cssColour = (share: number, inDark: boolean): string => `rgb(${colourOf(share, inDark).join(" ")})`;

export const largest = (values: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
};
