// A button that begins a job and ends it again, and how far the job is.
import { useEffect, useState } from "preact/hooks";
import { cancel, type Job, job } from "./job.ts";

interface StartProps {
  kind: Job["kind"];
  children: string;
  primary?: boolean;
  /** There is something to work on. */
  ready?: boolean;
  onStart(): void;
}

/** Stays one button throughout, so that keys keep their place. */
export function Start({ kind, children, primary, ready = true, onStart }: StartProps) {
  const runs = job.value?.kind === kind;
  return (
    <button
      type="button"
      class={primary && !runs ? "primary" : ""}
      disabled={!runs && (job.value !== undefined || !ready)}
      onClick={runs ? cancel : onStart}
    >
      {runs ? "Cancel" : children}
    </button>
  );
}

/** What a job does, how far it is and since when; after that, what came of it. */
export function Progress({ kind, done = "" }: { kind: Job["kind"]; done?: string }) {
  const current = job.value?.kind === kind ? job.value : undefined;
  const known = current?.done !== undefined;
  const seconds = useSeconds(current !== undefined);
  return (
    <div class="working">
      <p class="hint">
        <span role="status">{current?.text ?? done}</span> {known && `${Math.round(100 * current.done!)} %`}
        {seconds > 2 && `, ${seconds} s so far`}
        {seconds > 2 && known && current.done! > 0.03 && `, ${leftOf(seconds, current.done!)}`}
      </p>
      {known && <progress max={1} value={current.done} aria-label={current.text} />}
    </div>
  );
}

/** What is left where the rest goes on as it began. */
function leftOf(seconds: number, done: number): string {
  const left = (seconds * (1 - done)) / done;
  return left < 90 ? `about ${Math.max(1, Math.round(left))} s left` : `about ${Math.round(left / 60)} min left`;
}

/** Whole seconds since something runs: what takes long shows that it goes on. */
function useSeconds(runs: boolean): number {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    setSeconds(0);
    if (!runs) return undefined;
    const timer = setInterval(() => setSeconds((one) => one + 1), 1000);
    return () => clearInterval(timer);
  }, [runs]);
  return runs ? seconds : 0;
}
