// Counts what a dispatch reads and writes in the GPU's own memory: each access of its text counts itself.
import { type Place, type Task, tableKey } from "../../src/backend/webgpu/tasks.ts";

/** Accesses of one dispatch by the array's name; of arrays of vectors one each vector. */
export type Counts = Record<string, number>;

const uses = { storage: 0x80 | 4 | 8, uniform: 0x40 | 8, read: 1 | 8 };
const order = ["x0", "x1", "x2", "x3", "t", "y"];

/** Every `name[index]` as `name[counted(k, index)]`. */
export function counting(text: string, binding: number): string {
  let out = "";
  let at = 0;
  for (const { 0: found, 1: name, index } of text.matchAll(/\b(x\d|t|y)\[/g)) {
    if (index < at) throw new Error("an index that reads an array");
    let end = index + found.length;
    for (let depth = 1; depth > 0; end++) depth += text[end] === "[" ? 1 : text[end] === "]" ? -1 : 0;
    out += `${text.slice(at, index)}${name}[counted(${order.indexOf(name!)}u, ${text.slice(index + found.length, end - 1)})]`;
    at = end;
  }
  return `${out}${text.slice(at)}
@group(0) @binding(${binding}) var<storage, read_write> counts: array<atomic<u32>>;
fn counted(which: u32, index: i32) -> i32 { atomicAdd(&counts[which], 1u); return index; }`;
}

/** Runs a task on zeros and says how often it read and wrote each of its arrays. */
export async function countsOf(device: GPUDevice, task: Task, places: ReadonlyMap<string, Place>): Promise<Counts> {
  const buffer = (bytes: number, usage: number, data?: Int32Array): GPUBuffer => {
    const made = device.createBuffer({ size: Math.ceil(bytes / 16) * 16, usage });
    if (data) device.queue.writeBuffer(made, 0, data as Int32Array<ArrayBuffer>);
    return made;
  };
  const bound = [
    buffer(task.words.byteLength, uses.uniform, task.words),
    ...task.binds.map((key) =>
      key === tableKey
        ? buffer(task.table!.byteLength, uses.storage, task.table)
        : buffer(4 * places.get(key)!.elements, uses.storage),
    ),
  ];
  const counts = buffer(4 * order.length, uses.storage);
  const code = counting(task.text, bound.length);
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
  const entries = [...bound, counts].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(...task.groups);
  pass.end();
  const result = buffer(4 * order.length, uses.read);
  encoder.copyBufferToBuffer(counts, 0, result, 0, 4 * order.length);
  device.queue.submit([encoder.finish()]);
  await result.mapAsync(1);
  const found = new Uint32Array(result.getMappedRange());
  return Object.fromEntries(order.map((name, i) => [name, found[i]!]));
}
