// The command: npm run random -- --cases 100000 --seed 7; and one case again: npm run random -- --seed 7 --case 123
import { parseArgs } from "node:util";
import { type Case, randomCase } from "./cases.ts";
import { checkCase, Engines } from "./check.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    case: { type: "string" },
    from: { type: "string", default: "0" },
  },
});

/** A case without its pixels. */
function textOf({ image, mask, ...one }: Case): string {
  const { width, height, channels, dtype } = image;
  const filter = JSON.stringify(one.filter);
  return JSON.stringify({ ...one, filter: filter.length > 600 ? `${filter.slice(0, 600)}…` : one.filter, taps: undefined, image: [width, height, channels, dtype], mask: mask?.constructor.name }); // biome-ignore format: a line
}

const seed = Number(values.seed);
const engines = new Engines();
const counts = new Map<string, number>();
const count = (features: readonly string[]): void => {
  for (const feature of features) counts.set(feature, (counts.get(feature) ?? 0) + 1);
};
const [from, cases] =
  values.case === undefined ? [Number(values.from), Number(values.cases)] : [Number(values.case), 1];
let failed = 0;
let last = Date.now();
for (let index = from; index < from + cases; index++) {
  const one = randomCase(seed, index);
  const { faults, features } = await checkCase(engines, one);
  count([...one.features, ...features]);
  if (faults.length > 0) {
    failed++;
    console.log(`--seed ${seed} --case ${index}: ${faults.join("\n  ")}\n  ${textOf(one)}`);
  }
  if (Date.now() - last > 10_000) {
    last = Date.now();
    console.error(`${index - from + 1} of ${cases} cases, ${failed} of them wrong`);
  }
}
await engines.dispose();
if (values.case === undefined) {
  const lines = [...counts]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, n]) => `${n.toString().padStart(8)} ${name}`);
  console.log(lines.join("\n"));
}
console.log(`${cases} cases of seed ${seed}, ${failed} of them wrong`);
process.exitCode = failed > 0 ? 1 : 0;
