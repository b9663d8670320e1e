// What is timed: layers of MobileNetV1, MobileNetV2 and ResNet, one entry a case. A case is data: a chain of convolutions,
// each with a bias and an activation, which every library computes as it can.

export interface Convolution {
  kind: "depthwise" | "pointwise" | "regular";
  /** The window's side. */
  size: number;
  stride: number;
  outputs: number;
  activation: "none" | "relu" | "relu6";
}

export type Group = "separable" | "inverted" | "depthwise" | "pointwise" | "regular";

export interface LayerCase {
  name: string;
  /** What the table calls it. */
  title: string;
  group: Group;
  /** Of the input: one picture. Pads are TensorFlow's "same". */
  height: number;
  width: number;
  channels: number;
  chain: Convolution[];
  /** The input is added to the result. */
  residual: boolean;
}

const depthwise = (
  outputs: number,
  size: number,
  stride: number,
  activation: Convolution["activation"],
): Convolution => ({
  ...{ kind: "depthwise", size, stride, outputs, activation },
});
const pointwise = (outputs: number, activation: Convolution["activation"]): Convolution => ({
  ...{ kind: "pointwise", size: 1, stride: 1, outputs, activation },
});

const square = (side: number, channels: number) => ({ height: side, width: side, channels, residual: false });
const name = (side: number, channels: string, stride: number): string =>
  `${side}-${channels}${stride > 1 ? `-s${stride}` : ""}`;
const title = (side: number, channels: string, stride: number): string =>
  `${side}²·${channels}${stride > 1 ? `, stride ${stride}` : ""}`;

/** MobileNetV1: depthwise, pointwise, each with relu. */
const separable = (side: number, inputs: number, outputs: number, stride: number): LayerCase => ({
  name: `separable-${name(side, `${inputs}-${outputs}`, stride)}`,
  title: `separable ${title(side, `${inputs}→${outputs}`, stride)}`,
  group: "separable",
  ...square(side, inputs),
  chain: [depthwise(inputs, 3, stride, "relu"), pointwise(outputs, "relu")],
});

/** MobileNetV2: pointwise, depthwise, each with relu6, pointwise, and the input added. */
const inverted = (side: number, channels: number, middle: number): LayerCase => ({
  name: `inverted-${name(side, `${channels}-${middle}`, 1)}`,
  title: `inverted residual ${title(side, `${channels}→${middle}→${channels}`, 1)}`,
  group: "inverted",
  ...square(side, channels),
  chain: [pointwise(middle, "relu6"), depthwise(middle, 3, 1, "relu6"), pointwise(channels, "none")],
  residual: true,
});

export const depthwiseAlone = (side: number, channels: number, size: number, stride: number): LayerCase => ({
  name: `depthwise${size}-${name(side, `${channels}`, stride)}`,
  title: `depthwise ${size}×${size} ${title(side, `${channels}`, stride)}`,
  group: "depthwise",
  ...square(side, channels),
  chain: [depthwise(channels, size, stride, "relu")],
});

const pointwiseAlone = (side: number, inputs: number, outputs: number): LayerCase => ({
  name: `pointwise-${name(side, `${inputs}-${outputs}`, 1)}`,
  title: `pointwise ${title(side, `${inputs}→${outputs}`, 1)}`,
  group: "pointwise",
  ...square(side, inputs),
  chain: [pointwise(outputs, "relu")],
});

const regular = (side: number, channels: number): LayerCase => ({
  name: `regular3-${name(side, `${channels}`, 1)}`,
  title: `regular 3×3 ${title(side, `${channels}→${channels}`, 1)}`,
  group: "regular",
  ...square(side, channels),
  chain: [{ kind: "regular", size: 3, stride: 1, outputs: channels, activation: "relu" }],
});

export const cases: readonly LayerCase[] = [
  separable(112, 32, 64, 1),
  separable(112, 64, 128, 2),
  separable(56, 128, 128, 1),
  separable(56, 128, 256, 2),
  separable(28, 256, 256, 1),
  separable(14, 512, 512, 1),
  separable(7, 1024, 1024, 1),
  inverted(56, 24, 144),
  inverted(28, 32, 192),
  inverted(14, 96, 576),
  inverted(7, 160, 960),
  depthwiseAlone(112, 32, 3, 1),
  depthwiseAlone(112, 64, 3, 2),
  depthwiseAlone(56, 128, 3, 1),
  depthwiseAlone(14, 512, 3, 1),
  depthwiseAlone(28, 128, 5, 1),
  depthwiseAlone(14, 960, 9, 1),
  pointwiseAlone(112, 32, 64),
  pointwiseAlone(56, 128, 128),
  pointwiseAlone(28, 256, 256),
  pointwiseAlone(14, 512, 512),
  pointwiseAlone(7, 1024, 1024),
  regular(56, 64),
  regular(28, 128),
  regular(14, 256),
  regular(7, 512),
];

/** One convolution of a chain with the sides of what goes in and comes out, and its pads: the odd one below and right. */
export interface Link extends Convolution {
  inputs: number;
  height: number;
  width: number;
  outHeight: number;
  outWidth: number;
  pads: [top: number, left: number, bottom: number, right: number];
}

export function linksOf({ height, width, channels, chain }: LayerCase): Link[] {
  const links: Link[] = [];
  let sides = { height, width, inputs: channels };
  for (const convolution of chain) {
    const { size, stride, outputs } = convolution;
    const [outHeight, outWidth] = [Math.ceil(sides.height / stride), Math.ceil(sides.width / stride)];
    const [down, across] = [
      Math.max(0, (outHeight - 1) * stride + size - sides.height),
      Math.max(0, (outWidth - 1) * stride + size - sides.width),
    ];
    const [top, left] = [down >> 1, across >> 1];
    links.push({ ...convolution, ...sides, outHeight, outWidth, pads: [top, left, down - top, across - left] });
    sides = { height: outHeight, width: outWidth, inputs: outputs };
  }
  return links;
}

/** Inputs that one output of a link sums over. */
export const termsOf = ({ kind, size, inputs }: Link): number => size * size * (kind === "depthwise" ? 1 : inputs);

/** Multiplications of a case: one is 2 FLOP. */
export const multiplicationsOf = (problem: LayerCase): number =>
  linksOf(problem).reduce((sum, link) => sum + link.outHeight * link.outWidth * link.outputs * termsOf(link), 0);
