// How far many inputs have come: a bar on a terminal, a line a minute in a log; with the rate of the last half minute, and the time
// that is left at that rate.
import { bar, count, say } from "./text.ts";

export interface Meter {
  counts: { done: number; failed: number; before: number };
  count(kind: "done" | "failed" | "before"): void;
  /** Takes the bar away while something else is said. */
  aside(say: () => Promise<void> | void): Promise<void>;
  /** Says what has been done. */
  end(): void;
}

const window = 30_000;
const betweenLines = 60_000;

/** "3 h 20 min", "4 min 10 s", "12.3 s" */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (seconds < 600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function meter(total: number, what: string, quiet: boolean): Meter {
  const stream = process.stderr;
  const counts = { done: 0, failed: 0, before: 0 };
  const start = performance.now();
  let samples: [time: number, done: number][] = [[start, 0]];
  let next = start + (stream.isTTY ? 300 : betweenLines);
  let shown = false;
  const worked = (): number => counts.done + counts.failed;
  /** One a second, of the last half minute. */
  const sample = (now: number): void => {
    if (now - samples.at(-1)![0] < 1000) return;
    samples.push([now, worked()]);
    samples = samples.filter(([time]) => time >= now - window);
  };
  const rate = (now: number): number => {
    const [time, done] = samples[0]!;
    return now > time ? (1000 * (worked() - done)) / (now - time) : 0;
  };
  const clear = (): void => {
    if (shown) stream.write("\r\x1b[K");
    shown = false;
  };
  const line = (now: number): string => {
    const speed = rate(now);
    const all = worked() + counts.before;
    const left = speed > 0 ? `, ${duration((total - all) / speed)} left` : "";
    const failed = counts.failed > 0 ? `, ${count(counts.failed)} failed` : "";
    return `${count(all)} of ${count(total)} ${what}, ${perSecond(speed)}${left}${failed}`;
  };
  const show = (): void => {
    const now = performance.now();
    sample(now);
    if (quiet || now < next) return;
    next = now + (stream.isTTY ? 200 : betweenLines);
    if (!stream.isTTY) {
      say(line(now));
      return;
    }
    const share = total > 0 ? (worked() + counts.before) / total : 1;
    stream.write(`\r\x1b[K${bar(share, 20).padEnd(20, "░")} ${line(now)}`);
    shown = true;
  };
  // A store that hangs shows as a rate that falls.
  const timer = setInterval(show, 1000);
  timer.unref();
  return {
    counts,
    count(kind) {
      counts[kind]++;
      show();
    },
    async aside(speak) {
      clear();
      await speak();
    },
    end() {
      clearInterval(timer);
      clear();
      if (quiet) return;
      const seconds = (performance.now() - start) / 1000;
      const before = counts.before > 0 ? `, ${count(counts.before)} were done before` : "";
      const failed = counts.failed > 0 ? `, ${count(counts.failed)} failed` : "";
      say(
        `${count(counts.done)} ${what} in ${duration(seconds)} (${perSecond(counts.done / Math.max(seconds, 1e-3))})${failed}${before}`,
      );
    },
  };
}

const perSecond = (rate: number): string => `${rate < 10 ? rate.toFixed(1) : count(Math.round(rate))} a second`;
