// Memory for what several processes hold at once.

/** Grants jobs their bytes of `total` in the order in which they ask: one waits until it fits beside the others, or is alone. */
export function shares(total: number) {
  const held = new Map<object, number>();
  const queue: { job: object; bytes: number; grant: () => void }[] = [];
  const next = (): void => {
    for (let first = queue[0]; first; first = queue[0]) {
      const sum = [...held.values()].reduce((a, b) => a + b, 0);
      if (held.size > 0 && sum + first.bytes > total) return;
      queue.shift();
      held.set(first.job, first.bytes);
      first.grant();
    }
  };
  return {
    ask(job: object, bytes: number, grant: () => void): void {
      queue.push({ job, bytes, grant });
      next();
    },
    end(job: object): void {
      const at = queue.findIndex((one) => one.job === job);
      if (at >= 0) queue.splice(at, 1);
      held.delete(job);
      next();
    },
  };
}
