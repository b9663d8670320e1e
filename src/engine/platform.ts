// Platform types that the public face names (AbortSignal, Worker): the platform's own where the compiler knows them, else
// the parts that rank1 uses, so that the package needs the types of neither browsers nor Node.

type Known<Name extends string, Otherwise> =
  typeof globalThis extends Record<Name, { prototype: infer Own }> ? Own : Otherwise;

/** An AbortSignal. */
export type Signal = Known<"AbortSignal", { readonly aborted: boolean; throwIfAborted(): void }>;

/** A browser's Worker. */
export type WebWorker = Known<
  "Worker",
  {
    postMessage(message: unknown): void;
    addEventListener(type: "error", listener: (event: { message: string }) => void): void;
    terminate(): void;
  }
>;
