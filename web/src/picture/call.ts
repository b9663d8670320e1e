// The filter and its options as a call to the worker, for pictures and for copied code.
import { computed } from "@preact/signals";
import type { FilterOptions } from "rank1";
import { border, flip, type, weights } from "../state/state.ts";
import { displayOf, outputOptions } from "./display.ts";

/** How signed results are shown, by the filter as a whole: the rank that is shown changes nothing of it. */
export const display = computed(() => displayOf(weights.value));

/** Only what differs from rank1's own defaults for a picture of bytes. */
export const filterOptions = computed((): FilterOptions => {
  const output = outputOptions(type.value, weights.value);
  const plain = output.output === "u8" && output.gain === undefined && type.value === "auto";
  return {
    ...(border.value !== "reflect" && { border: border.value }),
    ...(flip.value && { flip: true }),
    ...(plain ? {} : output),
  };
});
