// Long work in parts, so that whoever runs it can let others have a turn in between, or end it.

/** Work in parts: at each yield others may have a turn, or the work may end. */
export type Steps<T = void> = Generator<void, T, void>;

/** All of the work at once. */
export function finished<T>(steps: Steps<T>): T {
  for (;;) {
    const next = steps.next();
    if (next.done) return next.value;
  }
}
