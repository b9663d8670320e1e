// Signals that update only when a drag ends, so that costly parts of the page are not laid out anew while a picture is to
// be painted.
import { effect, type ReadonlySignal, signal } from "@preact/signals";

const restMilliseconds = 90;

/** Takes the value of another signal once that has not changed for a moment. */
export function atRest<T>(source: ReadonlySignal<T>): ReadonlySignal<T> {
  const rested = signal(source.peek());
  let timer: ReturnType<typeof setTimeout> | undefined;
  effect(() => {
    const { value } = source;
    clearTimeout(timer);
    timer = setTimeout(() => {
      rested.value = value;
    }, restMilliseconds);
  });
  return rested;
}
