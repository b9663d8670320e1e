// A network on a machine: a plan whose values lie whole in the machine's memory, with its weights packed once. A single
// layer is a network of one.
import { Rank1Error } from "../errors.ts";
import type { LayerWeights } from "../kernels/kernel.ts";
import { kernelOf } from "../kernels/table.ts";
import type { Plan } from "../plan/types.ts";
import type { Block } from "../wasm/memory.ts";
import { type ArenaLayout, buffersOf, layoutArena, type Place, writeArena } from "./arena.ts";
import type { Machine, PreparedSweep } from "./machine.ts";
import type { SweepOptions } from "./sweep.ts";
import { type CallerValue, copyIn, copyOut } from "./values.ts";

/** Weights by the id of the constant that holds them. */
export type WeightsById = ReadonlyMap<string, LayerWeights>;

/** What a network needs of a plan. `ends` are values that runs give back, though some stage reads them. */
export type NetworkPlan = Pick<Plan, "stages" | "buffers" | "cost"> & { ends?: readonly string[] };

export class Network {
  readonly plan: NetworkPlan;
  private readonly machine: Machine;
  private readonly block: Block;
  private readonly layout: ArenaLayout;
  private readonly prepared: PreparedSweep;
  private disposed = false;

  private constructor(plan: NetworkPlan, machine: Machine, block: Block, layout: ArenaLayout, prepared: PreparedSweep) {
    this.plan = plan;
    this.machine = machine;
    this.block = block;
    this.layout = layout;
    this.prepared = prepared;
  }

  static async create(plan: NetworkPlan, machine: Machine, weights: WeightsById): Promise<Network> {
    const layout = layoutArena(plan, machine, machine.threadsFor(plan.cost.time));
    const block = machine.allocate(layout.bytes);
    try {
      const sweep = writeArena(layout, plan, machine.buffer(), block.offset);
      const prepared = await machine.prepareSweep(sweep);
      const network = new Network(plan, machine, block, layout, prepared);
      network.pack(weights);
      if (prepared.unverified) network.verify();
      return network;
    } catch (error) {
      machine.release(block);
      throw error;
    }
  }

  /** Bytes of working memory: values, weights and scratch. */
  get bytes(): number {
    return this.block.bytes;
  }

  /** Gives its memory back, once; later runs are refused. */
  dispose(): void {
    if (!this.disposed) this.machine.release(this.block);
    this.disposed = true;
  }

  /** Runs on the caller's data: by id, each in the sides that the plan was made for. */
  async run(
    inputs: Iterable<readonly [id: string, value: CallerValue]>,
    outputs: Iterable<readonly [id: string, value: CallerValue]>,
    options: SweepOptions = {},
  ): Promise<void> {
    if (this.disposed) {
      const [expected, received] = ["one in use", "a disposed one"];
      throw new Rank1Error("DISPOSED", { parameter: "layer", expected, received });
    }
    const { offset } = this.block;
    const before = new Float32Array(this.machine.buffer());
    for (const [id, value] of inputs) copyIn(value, this.place(id), before, offset);
    await this.prepared.run(options);
    const after = new Float32Array(this.machine.buffer());
    for (const [id, value] of outputs) copyOut(value, this.place(id), after, offset);
  }

  private place(id: string): Place {
    return this.layout.places.get(id)!;
  }

  /** Into the machine's memory at once: fresh memory between would take longer than the packing. */
  private pack(weights: WeightsById): void {
    const buffer = this.machine.buffer();
    for (const step of this.plan.stages.flatMap(({ steps }) => steps)) {
      const { reads } = buffersOf(step, this.plan.buffers);
      const constant = reads.find(({ scope }) => scope === "constant");
      if (!constant) continue;
      const given = weights.get(constant.id);
      if (!given) throw new Error(`network: no weights for ${constant.id}`);
      const { data, spec } = this.place(constant.id);
      const packed = new Float32Array(buffer, this.block.offset + data, spec.width * spec.channels);
      kernelOf(step.kernel).pack!(step.kernel, reads[0]!, given, packed);
    }
  }

  /** Lets the machine try its code on pseudo-random inputs. */
  private verify(): void {
    const written = new Set(this.plan.stages.flatMap(({ steps }) => steps.map(({ writes }) => writes)));
    let state = 1;
    for (const [id, { spec, data, pitch, rows }] of this.layout.places) {
      if (spec.scope !== "arena" || written.has(id)) continue;
      const { images = 1, left = 0, right = 0, width, channels } = spec;
      for (let row = 0; row < images * rows; row++) {
        const at = this.block.offset + data + row * pitch + left * channels * 4;
        const values = new Float32Array(this.machine.buffer(), at, (width - left - right) * channels);
        for (let i = 0; i < values.length; i++) {
          state = (Math.imul(state, 1664525) + 1013904223) | 0;
          values[i] = state / 2 ** 31;
        }
      }
    }
    this.prepared.verify();
  }
}
