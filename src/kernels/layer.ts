// What the solvers of layers share: whole values in the arena, weights, steps, and the grid.
import { grainFor, rowBytes } from "../plan/cost.ts";
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

/** Pixels of zeros around a value, as the window of its reader needs them: [top, left, bottom, right]. */
function padsOf({ size, strides, dilations, pads }: Window, x: Sides, y: Sides): number[] {
  const beyond = (axis: 0 | 1, inSide: number, outSide: number): number =>
    Math.max(0, (outSide - 1) * strides[axis] + (size[axis] - 1) * dilations[axis] - pads[axis] - (inSide - 1));
  return [pads[0], pads[1], beyond(0, x.height, y.height), beyond(1, x.width, y.width)];
}

const plain = { dtype: "f32", stride: 1, above: 0, below: 0 } as const;

/** A whole value, with room for the window that reads it. */
export function arena(id: string, sides: Sides, reader?: { window: Window; y: Sides }): BufferSpec {
  const [above, left, below, right] = reader ? padsOf(reader.window, sides, reader.y) : [0, 0, 0, 0];
  const { images, height, width, channels } = sides;
  return {
    ...{ id, scope: "arena", dtype: "f32", width: left! + width + right!, channels, stride: 1 },
    ...{ above: above!, below: below!, left, right, height, images },
  };
}

/** The rows of a value that one strip of its reader needs. */
export function stripOf(id: string, sides: Sides, reader?: { window: Window; y: Sides }): BufferSpec {
  const value = arena(id, sides, reader);
  if (!reader) return { ...value, scope: "strip" };
  const { size, strides, dilations, pads } = reader.window;
  const below = (size[0] - 1) * dilations[0] - pads[0];
  return { ...value, scope: "strip", stride: strides[0], above: pads[0], below: Math.max(value.below, below) };
}

export const weights = (id: string, elements: number): BufferSpec => ({
  ...plain,
  ...{ id, scope: "constant", width: elements, channels: 1 },
});

export const pointwiseWindow: LayerWindow = { size: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0] };

/** The window of a layer's kernel. */
export const windowOf = ({ size, strides, dilations, pads }: Window): LayerWindow => ({
  ...{ size, strides, dilations, pads: [pads[0], pads[1]] },
});

/** The tile that wastes least on so many pixels: 6 at a time are fastest, and what is over costs a whole tile. */
export function tileFor(pixels: number): number {
  const slots = (tile: number): number => Math.ceil(pixels / tile) * tile * (1 + 0.06 * (6 - tile));
  return [6, 5, 4].reduce((best, tile) => (slots(tile) < slots(best) ? tile : best));
}

type ConvOptions = Pick<ConvSpec, "inputs" | "outputs" | "activation"> & Partial<ConvSpec>;

export const convSpec = (options: ConvOptions, pixels: number): ConvSpec => ({
  ...{ family: "conv", members: 1, groups: 1, residual: false, tile: tileFor(pixels) },
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
      return { grid: { images: images!, extent: rows, grain: layerGrain(touched, rows, profile) }, steps };
    }),
    buffers,
    error: { relative: 0, maxAbs: 0 },
  };
}
