// Who computes layers in the tests: TensorFlow.js and ONNX Runtime as judges, and the engine. All take and give NHWC.
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import type { Engine, LayerKind, LayerOptions, Tensor } from "../../src/index.ts";
import type { LayerCase, LayerData } from "./cases.ts";
import { convModel } from "./onnx-conv.ts";
import { permute, type Shape4 } from "./permute.ts";

export interface Implementation {
  name: string;
  /** Why it does not take a case; undefined where it does. */
  refuses(layer: LayerCase): string | undefined;
  run(layer: LayerCase, data: LayerData): Promise<ArrayLike<number>>;
}

const shapeOfX = ({ images, height, width, inputs }: LayerCase): Shape4 => [images, height, width, inputs];

const shapeOfWeight = ({ kind, size, inputs, groups, outputs, multiplier }: LayerCase): Shape4 =>
  kind === "conv" ? [...size, inputs / groups, outputs] : [...size, inputs, multiplier];

// ── TensorFlow.js ──────────────────────────────────────────────────────────────────────────────────────────────────

export const tensorFlow: Implementation = {
  name: "TensorFlow.js",
  refuses({ groups, strides, dilations }) {
    if (groups > 1) return "it has no groups";
    return Math.max(...strides) > 1 && Math.max(...dilations) > 1
      ? "it forbids strides and dilations at once"
      : undefined;
  },
  async run(layer, { x, weight, pointwise }) {
    tf.env().set("IS_TEST", true); // it advertises itself otherwise
    await tf.setBackend("cpu");
    const { kind, inputs, outputs, multiplier, strides, dilations, pads } = layer;
    const pad: tf.backend_util.ExplicitPadding = [
      [0, 0],
      [pads[0], pads[2]],
      [pads[1], pads[3]],
      [0, 0],
    ];
    return tf.tidy(() => {
      const input = tf.tensor4d(x, shapeOfX(layer));
      const filter = tf.tensor4d(weight, shapeOfWeight(layer));
      if (kind === "conv") return tf.conv2d(input, filter, strides, pad, "NHWC", dilations).dataSync();
      if (kind === "depthwise") return tf.depthwiseConv2d(input, filter, strides, pad, "NHWC", dilations).dataSync();
      const mix = tf.tensor4d(pointwise, [1, 1, inputs * multiplier, outputs]);
      // Its types allow names of pads only; its code hands numbers on to depthwiseConv2d.
      return tf.separableConv2d(input, filter, mix, strides, pad as never, dilations).dataSync();
    });
  },
};

// ── ONNX Runtime ───────────────────────────────────────────────────────────────────────────────────────────────────

const runtime = await import("onnxruntime-node").catch(() => undefined);

async function runtimeConv(
  x: Float32Array,
  xShape: Shape4,
  weight: Float32Array,
  shape: Shape4,
  layer: LayerCase,
  groups: number,
) {
  const { InferenceSession, Tensor } = runtime!;
  const session = await InferenceSession.create(convModel({ ...layer, groups }), {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const { y } = await session.run({ x: new Tensor(x, xShape), weight: new Tensor(weight, shape) });
  await session.release();
  return { data: y!.data as Float32Array, shape: y!.dims as unknown as Shape4 };
}

export const onnxRuntime: Implementation = {
  name: "ONNX Runtime",
  refuses: () => (runtime ? undefined : "this machine has no build of onnxruntime-node"),
  async run(layer, data) {
    const planes = inPlanes(layer, data);
    const { kind, inputs, groups } = layer;
    const each = kind === "conv" ? groups : inputs;
    let y = await runtimeConv(planes.x.data, planes.x.shape, planes.weight.data, planes.weight.shape, layer, each);
    if (kind === "separable") {
      const one = { ...layer, strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], size: [1, 1] } as LayerCase;
      y = await runtimeConv(y.data, y.shape, planes.pointwise.data, planes.pointwise.shape, one, 1);
    }
    return permute(y.data, y.shape, [0, 2, 3, 1]);
  },
};

/** NCHW and ONNX's weights [out, in / groups, kh, kw]; those of a depthwise layer [inputs · multiplier, 1, kh, kw]. */
function inPlanes(layer: LayerCase, { x, weight, pointwise }: LayerData) {
  const { kind, size, inputs, outputs, multiplier, images, height, width } = layer;
  const shape = shapeOfWeight(layer);
  const order = kind === "conv" ? ([3, 2, 0, 1] as const) : ([2, 3, 0, 1] as const);
  const members = inputs * multiplier;
  return {
    x: { data: permute(x, shapeOfX(layer), [0, 3, 1, 2]), shape: [images, inputs, height, width] as Shape4 },
    weight: {
      data: permute(weight, shape, order),
      shape: (kind === "conv" ? [outputs, shape[2], ...size] : [members, 1, ...size]) as Shape4,
    },
    pointwise: {
      data: kind === "separable" ? permute(pointwise, [1, 1, members, outputs], [3, 2, 0, 1]) : pointwise,
      shape: [outputs, members, 1, 1] as Shape4,
    },
  };
}

// ── The engine ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** A layer that is prepared, run once and disposed of. */
export async function runLayer(
  engine: Engine,
  kind: LayerKind,
  x: Tensor,
  weights: Readonly<Record<string, Tensor>>,
  options: LayerOptions,
) {
  const shapes = Object.entries({ x, ...weights }).map(([name, { shape }]) => [name, shape]);
  const prepared = await engine.prepare(engine.layerProblem(kind, Object.fromEntries(shapes), options), weights);
  try {
    return await prepared.run(x);
  } finally {
    prepared.dispose();
  }
}

/** An engine as an implementation, in one of its data formats. */
export function engineLayers(name: string, engine: Promise<Engine>, dataFormat: "NHWC" | "NCHW"): Implementation {
  return {
    name: `${name}, ${dataFormat}`,
    refuses: () => undefined,
    async run(layer, data) {
      const { kind, inputs, outputs, multiplier, groups, strides, dilations, pads } = layer;
      const options = { strides, dilations, pads, dataFormat };
      const lasting = {
        x: { data: data.x, shape: shapeOfX(layer) },
        weight: { data: data.weight, shape: shapeOfWeight(layer) },
        pointwise: { data: data.pointwise, shape: [1, 1, inputs * multiplier, outputs] },
      };
      const { x, weight, pointwise } = dataFormat === "NHWC" ? lasting : inPlanes(layer, data);
      const on = await engine;
      const y = await (kind === "conv"
        ? runLayer(on, "conv2d", x, { weight }, { ...options, groups })
        : kind === "depthwise"
          ? runLayer(on, "depthwiseConv2d", x, { weight }, options)
          : runLayer(on, "separableConv2d", x, { depthwise: weight, pointwise }, options));
      return dataFormat === "NHWC" ? y.data : permute(y.data, y.shape as Shape4, [0, 2, 3, 1]);
    },
  };
}
