// A plan and the rejected candidates: what each does, costs, was predicted to take and took.
import type { Plan } from "rank1";
import { count, milliseconds, number } from "../text.ts";
import { Bar } from "./controls.tsx";

/** Plans are plain text, which has an x for it; no line ends at the sign. */
const timesSign = (text: string): string => text.replaceAll(/(?<=\d) [x×] /g, "\u00a0×\u00a0");

interface Props {
  plan: Plan;
  caption: string;
  /** Measured milliseconds by solver, as far as they are known. */
  measured: Readonly<Record<string, number>>;
  /** Multiplications are those of the whole result, in place of those of each value. */
  total?: boolean;
}

export function PlanTable({ plan, caption, measured, total }: Props) {
  const outputs = total ? 1 : plan.problem.y.shape.reduce((product, side) => product * side, 1);
  const rows = [{ ...plan, why: "chosen" }, ...plan.rejected];
  const counted = rows.filter(({ cost }) => cost);
  // Bars compare like with like: what was measured where all were, else what was predicted
  const isMeasured = counted.every(({ solver }) => measured[solver] !== undefined);
  const timeOf = ({ solver, cost }: (typeof rows)[number]): number =>
    isMeasured ? measured[solver]! : (cost?.time ?? 0) / 1e6;
  const slowest = Math.max(...counted.map(timeOf));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls, by the keyboard too
    <section class="scroll" tabIndex={0} aria-label={caption}>
      <table class="plan">
        <caption>
          {caption} Bars: {isMeasured ? "measured" : "predicted"} times.
        </caption>
        <thead>
          <tr>
            <th scope="col">plan</th>
            <th scope="col">{total ? "multiplications, with padding" : "multiplications a value"}</th>
            <th scope="col">predicted</th>
            <th scope="col">measured</th>
            <th scope="col">why</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => {
            const { solver, summary, cost, why } = row;
            return (
              <tr key={`${solver} ${summary}`} class={i === 0 ? "chosen" : cost ? "" : "out"}>
                <th scope="row">
                  <b>{solver}</b> <span>{timesSign(summary)}</span>
                  {cost && <Bar share={timeOf(row) / slowest} quiet={i > 0} />}
                </th>
                <td data-what={total ? "multiplications, with padding" : "a value"}>
                  {cost ? (total ? count(cost.multiplications) : number(cost.multiplications / outputs)) : "–"}
                </td>
                <td data-what="predicted">{cost ? milliseconds(cost.time / 1e6) : "–"}</td>
                <td data-what="measured">{measured[solver] === undefined ? "–" : milliseconds(measured[solver])}</td>
                <td class="why">{timesSign(why)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
