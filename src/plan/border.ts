// Border handling: which pixel stands for a position beyond the edge.
import type { Border } from "../plan/types.ts";

/**
 * The index within [0, size) that stands for position `i` under a border, or −1 for the constant. Correct however far
 * outside, and for size 1.
 */
export function borderIndex(i: number, size: number, border: Border): number {
  if (i >= 0 && i < size) return i;
  switch (border) {
    case "constant":
      return -1;
    case "edge":
      return i < 0 ? 0 : size - 1;
    case "wrap":
      return ((i % size) + size) % size;
    case "reflect": {
      // Period 2·size − 2: the edge pixel is not repeated.
      const period = Math.max(1, 2 * size - 2);
      const at = ((i % period) + period) % period;
      return at < size ? at : period - at;
    }
    case "symmetric": {
      const at = ((i % (2 * size)) + 2 * size) % (2 * size);
      return at < size ? at : 2 * size - 1 - at;
    }
  }
}
