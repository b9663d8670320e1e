// Layers of a network: a depthwise separable convolution, called, and then prepared. `node examples/layers.ts`
import { createEngine, explain } from "rank1";

const engine = await createEngine();

// [batch, height, width, channels], and weights in TensorFlow's orders; dataFormat "NCHW" takes PyTorch's and ONNX's.
const x = { shape: [1, 12, 12, 3], data: new Float32Array(12 * 12 * 3).fill(0.1) };
const depthwise = { shape: [5, 5, 3, 1], data: new Float32Array(5 * 5 * 3).fill(0.1) };
const pointwise = { shape: [1, 1, 3, 256], data: new Float32Array(3 * 256).fill(0.1) };
const y = await engine.separableConv2d(x, depthwise, pointwise, { activation: "relu" });
console.log(y.shape); // [ 1, 8, 8, 256 ]

// The same with the weights packed for good, into an array that is there already.
const shapes = { x: x.shape, depthwise: depthwise.shape, pointwise: pointwise.shape };
const problem = engine.layerProblem("separableConv2d", shapes, { activation: "relu" });
const layer = await engine.prepare(problem, { depthwise, pointwise });
await layer.run(x, { out: y.data });
console.log(explain(layer.plan)); // what it does, what that costs, and what was rejected
layer.dispose();
engine.dispose();
