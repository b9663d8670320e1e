// Where the reader is, and what has been done so far. It lives outside the screens, so that going back finds all as it was.
import { signal } from "@preact/signals";

export const lessons = ["window", "split", "rank", "pays", "channels", "count"] as const;
export type Lesson = (typeof lessons)[number];

export const titles: Record<Lesson, string> = {
  window: "Window",
  split: "Split",
  rank: "Not every one",
  pays: "When it pays",
  channels: "Channels",
  count: "Count",
};

export const lesson = signal<Lesson>("window");

/** What was done, as "window.predict": once done, it stays so. */
export const done = signal<ReadonlySet<string>>(new Set());

export function finish(task: string): void {
  if (!done.peek().has(task)) done.value = new Set([...done.peek(), task]);
}
