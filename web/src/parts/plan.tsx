// A plan and the rejected candidates: what each does, costs, was predicted to take and took.
import type { Plan } from "rank1";
import { milliseconds, number } from "../text.ts";
import { Bar } from "./controls.tsx";

interface Props {
  plan: Plan;
  caption: string;
  /** Measured milliseconds by solver, as far as they are known. */
  measured: Readonly<Record<string, number>>;
}

export function PlanTable({ plan, caption, measured }: Props) {
  const outputs = plan.problem.y.shape.reduce((product, side) => product * side, 1);
  const rows = [{ ...plan, why: "chosen" }, ...plan.rejected];
  const slowest = Math.max(...rows.map(({ solver, cost }) => measured[solver] ?? (cost ? cost.time / 1e6 : 0)));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls, by the keyboard too
    <section class="scroll" tabIndex={0} aria-label={caption}>
      <table class="plan">
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">plan</th>
            <th scope="col">multiplications a value</th>
            <th scope="col">predicted</th>
            <th scope="col">measured</th>
            <th scope="col">why</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ solver, summary, cost, why }, i) => (
            <tr key={`${solver} ${summary}`} class={i === 0 ? "chosen" : cost ? "" : "out"}>
              <th scope="row">
                <b>{solver}</b> <span>{summary}</span>
                {cost && <Bar share={(measured[solver] ?? cost.time / 1e6) / slowest} quiet={i > 0} />}
              </th>
              <td data-what="a value">{cost ? number(cost.multiplications / outputs) : "–"}</td>
              <td data-what="predicted">{cost ? milliseconds(cost.time / 1e6) : "–"}</td>
              <td data-what="measured">{measured[solver] === undefined ? "–" : milliseconds(measured[solver])}</td>
              <td class="why">{why}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
