// What a run is bound to: the caller's elements on their way to the places of a program and back.
import { type Operand, operandOf } from "../../kernels/shader.ts";
import { bytesOf, type Elements, newArray, type TypedArray } from "../../tensor.ts";
import type { BackendPlan, Binding, Bindings, SourceBinding, TargetBinding } from "../backend.ts";
import { isValue } from "../backend.ts";
import { targetAt } from "../bindings.ts";
import { find } from "../margins.ts";
import { type Account, type GpuMemory, roomFor } from "./memory.ts";
import { alphaOf, isAlike, isPacked, sourceIn, targetOut, tensorIn, tensorOut } from "./movers.ts";
import { keyOf, type Task, taskOf } from "./tasks.ts";
import type { GpuValue } from "./value.ts";

/** A device as far as elements move to and from it. */
export interface Shore {
  device: GPUDevice;
  memory: GpuMemory;
  limits: { dispatch: number };
}

/** The buffers of a program's places, by their keys. */
type Buffers = ReadonlyMap<string, GPUBuffer>;

export class Ends {
  private readonly account: Account;
  private readonly plan: BackendPlan;
  private readonly operands: ReadonlyMap<string, Operand>;
  /** The caller's elements on their way, by the place of the binding. */
  private readonly outer = new Map<string, GPUBuffer>();
  private bytes = 0;

  constructor(account: Account, plan: BackendPlan, operands: ReadonlyMap<string, Operand>) {
    this.account = account;
    this.plan = plan;
    this.operands = operands;
  }

  /** Gives back what it holds. */
  clear(): void {
    for (const buffer of this.outer.values()) buffer.destroy();
    this.outer.clear();
    this.account.take(-this.bytes);
    this.bytes = 0;
  }

  /** The buffer of the caller's elements of one binding: a value's own, or one that is kept for the next run. */
  private outerOf(memory: GpuMemory, name: string, { data }: Binding, bytes: number): GPUBuffer {
    if (isValue(data)) return (data as GpuValue).home;
    const known = this.outer.get(name);
    if (known && known.size >= roomFor(bytes)) return known;
    known?.destroy();
    this.account.take(roomFor(bytes) - (known?.size ?? 0));
    this.bytes += roomFor(bytes) - (known?.size ?? 0);
    const buffer = memory.storage(bytes);
    this.outer.set(name, buffer);
    return buffer;
  }

  /** Puts elements on the GPU, and says what then moves them to their places. */
  moversIn({ memory, device, limits }: Shore, buffers: Buffers, inputs: Bindings): Moving[] {
    return inputs.flatMap(([id, binding], i): Moving[] => {
      const place = this.operandFor(id);
      const key = keyOf(place.spec);
      const home = buffers.get(key)!;
      const { data } = binding;
      if (binding.kind === "tensor" && isAlike(binding, place)) {
        if (!isValue(data)) memory.upload(home, data as Float32Array);
        else {
          const encoder = device.createCommandEncoder();
          encoder.copyBufferToBuffer((data as GpuValue).home, 0, home, 0, roomFor(4 * (data as GpuValue).length));
          device.queue.submit([encoder.finish()]);
        }
        return [];
      }
      const outer = this.outerOf(memory, `in ${i}`, binding, bytesIn(binding));
      if (!isValue(data)) memory.upload(outer, arrayIn(binding, data as TypedArray));
      const dispatch = binding.kind === "tensor" ? tensorIn(binding, place) : sourceIn(binding as SourceBinding, place);
      const task = taskOf(dispatch, { x0: "outer", y: key }, limits.dispatch, 0);
      return [{ task, bind: new Map([["outer", outer]]) }];
    });
  }

  /** What moves results out of their places. */
  moversOut({ memory, limits }: Shore, inputs: Bindings, outputs: Bindings): Moving[] {
    return outputs.flatMap(([id, binding], i): Moving[] => {
      const place = this.operandFor(id);
      if (binding.kind === "tensor" && isAlike(binding, place)) return [];
      const outer = this.outerOf(memory, `out ${i}`, targetIn(binding), bytesIn(binding));
      const bind = new Map([["outer", outer]]);
      if (binding.kind === "tensor")
        return [
          { task: taskOf(tensorOut(binding, place), { x0: keyOf(place.spec), y: "outer" }, limits.dispatch, 0), bind },
        ];
      const target = binding as TargetBinding;
      const from = inputs.findIndex(([, one]) => one === target.source || one.kind === "source");
      if (alphaOf(target) === "keep") bind.set("source", this.outerOf(memory, `in ${from}`, inputs[from]![1], 0));
      const keys = { x0: keyOf(place.spec), x1: "source", y: "outer" };
      return [{ task: taskOf(targetOut(target, place), keys, limits.dispatch, 0), bind }];
    });
  }

  /** Copies of results to where they can be read, and what then puts them into the caller's arrays. */
  copies({ memory }: Shore, buffers: Buffers, encoder: GPUCommandEncoder, outputs: Bindings) {
    return outputs.flatMap(([id, binding], i) => {
      const place = this.operandFor(id);
      const alike = binding.kind === "tensor" && isAlike(binding, place);
      const from = alike ? buffers.get(keyOf(place.spec))! : this.outerOf(memory, `out ${i}`, targetIn(binding), 0);
      const bytes = bytesIn(binding);
      const { data } = binding;
      if (isValue(data) && binding.kind !== "target") {
        if (alike) encoder.copyBufferToBuffer(from, 0, (data as GpuValue).home, 0, roomFor(bytes));
        return [];
      }
      if (isValue(data) && !isPart(binding as TargetBinding)) return [];
      const lent = memory.lend(bytes);
      encoder.copyBufferToBuffer(from, 0, lent, 0, roomFor(bytes));
      const take = (lent: GPUBuffer): Promise<void> => this.put(memory, lent, binding);
      return [{ lent, take }];
    });
  }

  private async put(memory: GpuMemory, lent: GPUBuffer, binding: Binding): Promise<void> {
    const { data } = binding;
    const target = binding as TargetBinding;
    if (binding.kind !== "target" || !isPart(target)) return memory.read(lent, arrayIn(binding, data as TypedArray));
    const { width, height, at, source, dtype } = target;
    const result = newArray(dtype, width * height * source.channels);
    await memory.read(lent, result);
    if (isValue(data)) return data.write(result, { x: at!.x, y: at!.y, width, height });
    const row = width * source.channels;
    for (let y = 0; y < height; y++)
      (data as Elements).set(result.subarray(y * row, (y + 1) * row), targetAt(target, y) * source.channels);
  }

  private operandFor(id: string): Operand {
    const known = this.operands.get(id);
    if (known) return known;
    // Of a value that is given and taken without a step.
    const spec = find(this.plan.buffers, id);
    return operandOf(spec, { grid: { images: 1, extent: 1, grain: 1 }, steps: [] });
  }
}

/** A task that moves elements, and what its places are that are none of the program's. */
export interface Moving {
  task: Task;
  bind: Map<string, GPUBuffer>;
}

/** A result that is a part of what takes it does not go there at once. */
const isPart = ({ at, width, height, data, source }: TargetBinding): boolean =>
  at !== undefined &&
  (at.x !== 0 || at.y !== 0 || at.pitch !== width || lengthOf(data) !== width * height * source.channels);
const lengthOf = (data: ArrayBufferView | { shape: readonly number[] }): number =>
  ArrayBuffer.isView(data) ? (data as unknown as Elements).length : data.shape.reduce((a, b) => a * b, 1);

/** A target that takes a part is computed apart. */
const targetIn = (binding: Binding): Binding =>
  binding.kind === "target" && isPart(binding) ? { ...binding, data: new Uint8Array(0) } : binding;

/** The bytes of a binding's elements. */
function bytesIn(binding: Binding): number {
  if (binding.kind === "tensor") return 4 * binding.images * binding.height * binding.width * binding.channels;
  const { width, height, dtype } = binding;
  return width * height * (binding.kind === "target" ? binding.source : binding).channels * bytesOf[dtype];
}

/** The elements of a binding, of an array that may be longer. */
const arrayIn = (binding: Binding, data: TypedArray): TypedArray =>
  (data as Elements).subarray(0, bytesIn(binding) / data.BYTES_PER_ELEMENT);

/** Why a run's bindings are none for the GPU: what only the host does with them. */
export function unfitFor(inputs: Bindings, outputs: Bindings): string | undefined {
  for (const [, binding] of [...inputs, ...outputs]) {
    if (binding.kind === "tensor") continue;
    const source = binding.kind === "target" ? binding.source : binding;
    if (source.known) return "pixels with weights of their own";
    if (!isPacked(binding.dtype) || !isPacked(source.dtype)) return `pictures of ${binding.dtype}`;
    if (binding.kind === "target" && alphaOf(binding) === undefined)
      return "derivatives under alpha that weights colours";
  }
  return undefined;
}
