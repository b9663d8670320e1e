// How long this process waits for stores that do not answer.

export interface Patience {
  /** For so long; 0 unless given. */
  milliseconds?: number;
  /** Is told what happened, before the first wait. */
  tell?: (message: string) => void;
}

export const patience: Patience = {};

/** Sets how the stores of this process are waited for. */
export function setPatience(given: Patience): void {
  Object.assign(patience, given);
}
