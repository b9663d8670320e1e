// What the solvers of layers share: whole values in the arena, weights, steps, and the grid.
import { grainFor, rowBytes } from "../plan/cost.ts";
import { stepRows } from "../plan/strips.ts";
import type {
  Activation,
  BufferSpec,
  ConvSpec,
  DepthwiseSpec,
  Draft,
  LayerWindow,
  Profile,
  Stage,
  Step,
  Window,
} from "../plan/types.ts";
import { convWeights, paddedChannels, paddedGroups } from "./conv/layout.ts";
import { depthwiseShape } from "./depthwise/layout.ts";

/** Height, width and channels of a layer's value; channels as they are stored. */
export interface Sides {
  images: number;
  height: number;
  width: number;
  channels: number;
}

export const sidesOf = ([images, height, width, channels]: readonly number[]): Sides => ({
  ...{ images: images!, height: height!, width: width!, channels: paddedChannels(channels!) },
});

const plain = { dtype: "f32", stride: 1, above: 0, below: 0 } as const;

/** A whole value. */
export const arena = (id: string, sides: Sides): BufferSpec => ({ ...plain, id, scope: "arena", ...sides });

/** The rows of a value that one strip of its reader needs. */
export const stripOf = (id: string, sides: Sides): BufferSpec => ({ ...arena(id, sides), scope: "strip" });

export const weights = (id: string, elements: number): BufferSpec => ({
  ...plain,
  ...{ id, scope: "constant", width: elements, channels: 1 },
});

export const pointwiseWindow: LayerWindow = { size: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0] };

/** The window of a layer's kernel. */
export const windowOf = ({ size, strides, dilations, pads }: Window): LayerWindow => ({
  ...{ size, strides, dilations, pads: [pads[0], pads[1]] },
});

type ConvOptions = Pick<ConvSpec, "inputs" | "outputs" | "activation"> & Partial<ConvSpec>;

export const convSpec = (options: ConvOptions): ConvSpec => ({
  ...{ family: "conv", members: 1, groups: 1, residual: false },
  ...pointwiseWindow,
  ...options,
});

export const depthwiseSpec = (
  channels: number,
  depthMultiplier: number,
  window: Window,
  activation: Activation,
): DepthwiseSpec => ({ family: "depthwise", ...windowOf(window), channels, depthMultiplier, activation });

export const convWeight = (id: string, spec: ConvSpec): BufferSpec => weights(id, convWeights(spec));
export const depthwiseWeight = (id: string, spec: DepthwiseSpec): BufferSpec =>
  weights(id, depthwiseShape(spec, paddedChannels(spec.channels)).weights);

/** Stored channels of what a conv step writes. */
export const outputChannels = ({ outputs, groups }: ConvSpec): number =>
  groups === 1 ? paddedChannels(outputs) : paddedGroups(outputs, groups);

/**
 * Rows of a strip: what fits the cache, unless the weights do not. Those are read once a strip, so that all rows at once may
 * move fewer bytes, though what lies between the steps then leaves the cache.
 */
function layerGrain(touched: readonly BufferSpec[], extent: number, profile: Profile): number {
  const cache = 2 * profile.cache;
  const grain = grainFor(touched, extent, { ...profile, cache }, 1);
  const bytes = (scope: BufferSpec["scope"]): number =>
    touched.reduce((sum, b) => sum + (b.scope === scope ? rowBytes(b) * b.stride : 0), 0);
  const [weights, between] = [bytes("constant"), bytes("strip") * extent];
  const whole = weights + 2 * between;
  return weights > cache && whole < Math.ceil(extent / grain) * weights ? extent : grain;
}

interface DraftOptions {
  /** Rows of the grid, where they are not those of what is written. */
  extent?: number;
  variant?: string;
}

export function draftOf(
  profile: Profile,
  summary: string,
  buffers: BufferSpec[],
  stages: Step[][],
  { extent, variant }: DraftOptions = {},
): Draft {
  return {
    ...(variant && { variant }),
    summary,
    stages: stages.map((steps): Stage => {
      const touched = buffers.filter(({ id }) =>
        steps.some(({ reads, writes }) => reads.includes(id) || writes === id),
      );
      const { images, height } = touched.find(({ id }) => id === steps.at(-1)!.writes)!;
      const rows = extent ?? height!;
      const made = stepRows({ grid: { extent: rows }, steps }, touched);
      const held = touched.map((buffer) => {
        const writer = steps.findIndex(({ writes }) => writes === buffer.id);
        return buffer.scope === "strip" ? { ...buffer, stride: made[writer]!.scale } : buffer;
      });
      return { grid: { images: images!, extent: rows, grain: layerGrain(held, rows, profile) }, steps };
    }),
    buffers,
    error: { relative: 0, maxAbs: 0 },
  };
}
