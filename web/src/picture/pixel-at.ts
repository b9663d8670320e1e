// The pixel whose sum is worked out: the one under the pointer, else the one that was picked, else one in the middle.
import { signal } from "@preact/signals";
import { pixel } from "../state/state.ts";

/** Under the pointer; it leaves no trace in the address. */
export const hovered = signal<readonly [x: number, y: number] | undefined>(undefined);

/** The pixel that was picked, as far as the picture reaches. */
export function pickedWithin(width: number, height: number): readonly [x: number, y: number] {
  const [x, y] = pixel.value ?? [width >> 1, height >> 1];
  return [Math.min(x, width - 1), Math.min(y, height - 1)];
}

export function pixelWithin(width: number, height: number): readonly [x: number, y: number] {
  const [x, y] = hovered.value ?? pickedWithin(width, height);
  return [Math.min(x, width - 1), Math.min(y, height - 1)];
}
