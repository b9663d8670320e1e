// Code of what the studio shows, for use elsewhere: as JavaScript, as a command, as JSON. Plain text from plain data.
import type { Filter, FilterFactors, FilterOptions } from "rank1";
import type { Report } from "rank1/onnx";
import type { LayerChoice } from "./state/hash.ts";

/** The same thing in three languages. */
export interface Snippets {
  javascript: string;
  command: string;
  json: string;
}

/** Of a filter as it was chosen, and the factors that are kept of it: all of them, or those of a lower rank. */
export function filterSnippets(filter: Filter, given: FilterOptions, factors: FilterFactors): Snippets {
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const { rank, exactRank, error, terms, exact, multiplications } = factors;
  const argument = Object.keys(options).length > 0 ? `, ${literal(options)}` : "";
  const cut = rank < exactRank;
  const sum = [
    `const { kh, kw, terms } = factorize(${literal(filter)}, { rank: ${rank} });`,
    "const sumAt = (y, x) => terms.reduce((sum, { column, row }) => sum + column[y] * row[x], 0);",
    "const values = Array.from({ length: kh * kw }, (_, i) => sumAt(Math.floor(i / kw), i % kw));",
    "const filter = { kh, kw, values };",
  ];
  const whole = [`const filter = ${literal(filter)};`, "const { rank, terms } = factorize(filter);"];
  // A little more than the error, lest rounding leave this rank out
  const tolerance = cut ? [`--tolerance ${(1.001 * error).toPrecision(4)}`] : [];
  // The command line makes edges grey
  const colours = cancels(terms) ? ["--no-grey"] : [];
  return {
    javascript: [
      'import { createEngine, factorize } from "rank1";',
      "",
      ...(cut ? sum : whole),
      "",
      "const engine = await createEngine();",
      `const result = await engine.filter(image, filter${argument});`,
    ].join("\n"),
    command: [
      ["npx rank1 factor", quoted(filter), ...(cut ? [`--rank ${rank}`] : [])].join(" "),
      ["npx rank1 filter in.png -o out.png -f", quoted(filter), ...tolerance, ...colours, ...flags(options)].join(" "),
    ].join("\n"),
    json: JSON.stringify({ filter, options, rank, exactRank, error, terms, exact, multiplications }, undefined, 2),
  };
}

/** Whether the taps sum to zero: of a derivative. */
function cancels(terms: FilterFactors["terms"]): boolean {
  const add = (taps: readonly number[]): number => taps.reduce((sum, tap) => sum + tap, 0);
  const size = (taps: readonly number[]): number => taps.reduce((sum, tap) => sum + Math.abs(tap), 0);
  const sum = terms.reduce((total, { column, row }) => total + add(column) * add(row), 0);
  const most = terms.reduce((total, { column, row }) => total + size(column) * size(row), 0);
  return most > 0 && Math.abs(sum) <= 1e-9 * most;
}

export function layerSnippets({ size, inputs, kernel, multiplier, outputs, stride, dilation }: LayerChoice): Snippets {
  const shapes = {
    x: [1, size, size, inputs],
    depthwise: [kernel, kernel, inputs, multiplier],
    pointwise: [1, 1, inputs * multiplier, outputs],
  };
  const options = {
    pads: "valid",
    ...(stride > 1 && { strides: stride }),
    ...(dilation > 1 && { dilations: dilation }),
  };
  const extra = [
    ...(multiplier > 1 ? [`--multiplier ${multiplier}`] : []),
    ...(stride > 1 ? [`--strides ${stride}x${stride}`] : []),
    ...(dilation > 1 ? [`--dilations ${dilation}x${dilation}`] : []),
  ];
  const layer = `${size}x${size}x${inputs} --kernel ${kernel}x${kernel} --out ${outputs}`;
  return {
    javascript: [
      'import { createEngine, explain } from "rank1";',
      "",
      "const engine = await createEngine();",
      `// x [${shapes.x}], depthwise [${shapes.depthwise}], pointwise [${shapes.pointwise}]`,
      `const y = await engine.separableConv2d(x, depthwise, pointwise, ${literal(options)});`,
    ].join("\n"),
    command: ["npx rank1 layer", layer, ...extra].join(" "),
    json: JSON.stringify({ kind: "separableConv2d", shapes, options }, undefined, 2),
  };
}

/** A model, what goes into it, and how it is or was separated. */
export interface ModelUse {
  file: string;
  input: string;
  shape: readonly (number | string | undefined)[];
  scaling: { mean: readonly number[]; std: readonly number[] };
  /** Pieces of larger pictures, in place of whole ones that are made smaller. */
  pieces: boolean;
  goal: Readonly<Record<string, number>>;
  /** By pictures, not by its weights alone. */
  calibrated: boolean;
  report?: Report;
}

export function modelSnippets({ file, input, shape, scaling, pieces, goal, calibrated, report }: ModelUse): Snippets {
  const [width, height] = [shape[3], shape[2]];
  const size = typeof width === "number" && typeof height === "number" ? { size: { width, height } } : {};
  const { mean, std } = scaling;
  const scaled = [...mean.map((value) => value !== 0), ...std.map((value) => value !== 1)].some(Boolean);
  const options = literal({ ...size, ...(scaled && { mean, std }) });
  const inputs = `{ ${key(input)}: imageToTensor(image${options === "{  }" ? "" : `, ${options}`}) }`;
  const [[aim, value]] = Object.entries(goal) as [[string, number]];
  const flags = scaled ? [`--mean ${mean.map((one) => decimals(one))} --std ${std.map((one) => decimals(one))}`] : [];
  const calibration = calibrated ? ["--calibrate photos/", ...(pieces ? ["--crops 4"] : []), ...flags] : [];
  const name = shellQuoted(file);
  const output = shellQuoted(file.replace(/(\.onnx)?$/i, "-separated.onnx"));
  const { curve: _, ...separation } = report ?? { goal: { kind: aim, value } };
  return {
    javascript: [
      'import { imageToTensor, loadModel, saveModel, separateModel } from "rank1/onnx";',
      "",
      `const model = await loadModel(await (await fetch(${JSON.stringify(file)})).arrayBuffer());`,
      `const inputsOf = (image) => (${inputs});`,
      "const outputs = await model.run(inputsOf(image));",
      "",
      ...(calibrated ? ["const calibration = images.map(inputsOf); // a few hundred that are typical"] : []),
      `const { model: small, report } = await separateModel(model, { ${calibrated ? "calibration, " : ""}${aim}: ${value} });`,
      "const bytes = saveModel(small); // a standard ONNX file",
    ].join("\n"),
    command: [
      `npx rank1 inspect ${name}`,
      ["npx rank1 run", name, "photo.jpg", ...flags].join(" "),
      ["npx rank1 separate", name, "-o", output, `--${aim} ${value}`, ...calibration].join(" "),
    ].join("\n"),
    json: JSON.stringify({ model: file, input: { name: input, shape, mean, std }, separation }, undefined, 2),
  };
}

/** A value as JavaScript, on one line, keys without quotes. */
export function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([name]) => name !== "kind");
  return `{ ${entries.map(([name, one]) => `${key(name)}: ${literal(one)}`).join(", ")} }`;
}

const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

/** Short enough to be read, and exact enough for pictures of 8 bits. */
const decimals = (value: number): number => Number(value.toPrecision(6));

const shellQuoted = (text: string): string => (/^[\w.:=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function quoted(filter: Filter): string {
  if (typeof filter === "string") return shellQuoted(filter);
  return shellQuoted(JSON.stringify(filter, (name, value) => (name === "kind" ? undefined : value)));
}

const flags = (options: Record<string, unknown>): string[] =>
  Object.entries(options).map(([name, value]) => {
    // What the library calls output is an element type on the command line.
    const flag = name === "output" ? "--type" : `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return value === true ? flag : `${flag} ${value}`;
  });
