// Weights that lie in other files than the model.
import type { ModelProto } from "./schema.ts";
import { TensorProto } from "./schema.ts";
import { externalLocation } from "./tensors.ts";
import { decode } from "./wire.ts";

/** Files outside the model by the names that it gives them, or a way to get one. */
export type ExternalData =
  | Readonly<Record<string, Uint8Array>>
  | ((location: string) => Uint8Array | Promise<Uint8Array>);

/** Every file that initializers name, once each. */
export async function externalFiles(
  { graph }: ModelProto,
  source: ExternalData = {},
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const [i, bytes] of (graph?.initializer ?? []).entries()) {
    const location = externalLocation(decode(TensorProto, bytes, `initializer ${i}`));
    if (location === undefined || files.has(location)) continue;
    const own = typeof source === "function" || Object.hasOwn(source, location);
    const file = own ? await (typeof source === "function" ? source(location) : source[location]) : undefined;
    if (file) files.set(location, file);
  }
  return files;
}
