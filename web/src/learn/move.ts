// Places and the keys that move them.

export interface Place {
  y: number;
  x: number;
}

const steps: Readonly<Record<string, readonly [dy: number, dx: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  Home: [0, -99],
  End: [0, 99],
  PageUp: [-99, 0],
  PageDown: [99, 0],
};

/** Turns arrow keys, Home and End (along the row), Page Up and Down (along the column) into steps; leaves all other keys alone. */
export function moveByKey(event: KeyboardEvent, move: (dy: number, dx: number) => void): void {
  const step = steps[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  move(...step);
}
