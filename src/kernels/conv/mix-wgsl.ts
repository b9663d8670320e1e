// The matrix product of a workgroup: tiles of 32 pixels by up to 128 outputs, through memory that its 64 units share. Each unit sums
// four neighbouring pixels and every eighth quad of outputs. Pixels and weights come in chunks of channels.
import { each } from "../layer-shader.ts";
import { panelOutputs } from "./layout.ts";

export const mixUnits = 64;
export const mixPixels = 32;
/** Units, and quads of outputs, from a unit's quad to its next. */
export const mixSide = 8;
const four = [0, 1, 2, 3] as const;

/** Bytes of the weights, and of the pixels, of a chunk of so many quads of channels. */
export const mixBytes = (chunk: number, quads: number): number => 16 * chunk * (mixPixels + 4 * mixSide * quads);

export const mixShared = (chunk: number, quads: number): string[] => [
  `var<workgroup> middle: array<vec4f, ${mixPixels * chunk}>;`,
  `var<workgroup> mix: array<vec4f, ${4 * chunk * mixSide * quads}>;`,
];

/** Sets `begin` and `step`: where the weights of the quad `q` of `array` begin, from `start` on, and how far apart inputs stand. */
const panel = (start: string): string => {
  const whole = panelOutputs / 4;
  return `let panel = min(q / ${whole}, p.panels);
    let step = select(p.tail, ${whole}, panel < p.panels);
    let begin = ${start} + panel * ${whole} * (p.sums + 1) + q - panel * ${whole};`;
};

const sumsOf = (quads: number) =>
  four.flatMap((i) => Array.from({ length: quads }, (_, j) => ({ i, j, name: `s${i}${j}` })));

/** Where weights stand: which array, where those of the group begin, and how many quads of outputs there are. */
export interface Mix {
  array: string;
  start: string;
  /** A word or a number. */
  outputs: string;
}

/** Begins the sums with their biases; needs `firstQuad`. */
export const beginSums = (quads: number, { array, start, outputs }: Mix): string => `
  let pixel = lane % ${mixSide} * 4;
  let quad = lane / ${mixSide};
${each(
  quads,
  (j) => `  var bias${j} = vec4f(0.0);
  { let q = firstQuad + quad + ${mixSide * j}; if (q < ${outputs}) { ${panel(start)} bias${j} = ${array}[begin]; } }`,
)}
${sumsOf(quads)
  .map(({ j, name }) => `  var ${name} = bias${j};`)
  .join("\n")}`;

/** Loads the weights of the chunk that begins at the quad `base` of channels. */
export const loadMix = (chunk: number, quads: number, { array, start, outputs }: Mix): string => `
    for (var i = lane; i < ${4 * chunk * mixSide * quads}; i += ${mixUnits}) {
      let q = firstQuad + i % ${mixSide * quads};
      let e = base * 4 + i / ${mixSide * quads};
      var v = vec4f(0.0);
      if (q < ${outputs} && e < p.sums) {
        ${panel(start)}
        v = ${array}[begin + (e + 1) * step];
      }
      mix[i] = v;
    }`;

/** Adds the products of a chunk. */
export const addProducts = (chunk: number, quads: number): string => `
    for (var c = 0; c < ${chunk}; c++) {
${four.map((i) => `      let m${i} = middle[(pixel + ${i}) * ${chunk} + c];`).join("\n")}
${four
  .map(
    (k) => `      { let w = (4 * c + ${k}) * ${mixSide * quads} + quad;
${each(quads, (j) => `        let w${j} = mix[w + ${mixSide * j}];`)}
${sumsOf(quads)
  .map(({ i, j, name }) => `        ${name} += m${i}.${"xyzw"[k]} * w${j};`)
  .join("\n")}
      }`,
  )
  .join("\n")}
    }`;

/** Statements for every sum, with the quad `q` that it belongs to and which of the tile's pixels it is. */
export const endSums = (quads: number, line: (sum: string, pixel: string) => string): string =>
  sumsOf(quads)
    .map(
      ({ i, j, name }) => `  {\n    let q = firstQuad + quad + ${mixSide * j};\n${line(name, `(pixel + ${i})`)}\n  }`,
    )
    .join("\n");
