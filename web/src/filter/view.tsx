// The first view: a filter as a grid, its rank, and the columns and rows that it consists of.
import { computed } from "@preact/signals";
import { Copy } from "../parts/copy.tsx";
import { filterOptions } from "../picture/call.ts";
import { filterSnippets } from "../snippets.ts";
import { chosen, factors } from "../state/state.ts";
import { Editor } from "./editor.tsx";
import { Parameters, Presets } from "./presets.tsx";
import { Rank } from "./rank.tsx";
import { Terms } from "./terms.tsx";

const snippets = computed(() => filterSnippets(chosen.value, filterOptions.value, factors.value));

export function FilterView() {
  return (
    <div class="filter-view">
      <header class="lead">
        <h1>A filter is a table of numbers. Many are just a column times a row.</h1>
        <p>
          Then a picture can be filtered with the column, and the result with the row: the same sums, with 2k
          multiplications in place of k². The rank says how many such pairs it takes.
        </p>
      </header>
      <Presets />
      <div class="bench">
        <div class="panel">
          <Parameters />
          <Editor />
        </div>
        <div class="panel">
          <Rank />
        </div>
      </div>
      <Terms />
      <Copy snippets={snippets.value} />
    </div>
  );
}
