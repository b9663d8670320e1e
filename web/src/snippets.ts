// Code of what the studio shows, for use elsewhere: as JavaScript, as a command, as JSON. Plain text from plain data.
import type { Filter, FilterFactors, FilterOptions } from "rank1";
import type { Report } from "rank1/onnx";
import type { LayerChoice } from "./state/hash.ts";

/** The same thing in some languages; each runs as it stands. */
export interface Snippets {
  javascript: string;
  command: string;
  numpy?: string;
  opencv?: string;
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
  // A little more than the error, lest rounding leave this rank out; in passes, for what is cheaper at once would be exact
  const tolerance = cut ? [`--tolerance ${(1.001 * error).toPrecision(4)} --strategy column-row`] : [];
  // The command line makes edges grey
  const colours = cancels(terms) ? ["--no-grey"] : [];
  // Numbers below zero and above 255 fit no PNG
  const out = given.output === "i16" || given.output === "f32" ? "out.npy" : "out.png";
  return {
    javascript: [
      'import { createEngine, factorize } from "rank1";',
      'import { readPicture, writePicture } from "rank1/node";',
      "",
      ...(cut ? sum : whole),
      "",
      "const engine = await createEngine();",
      'const image = await readPicture("in.png");',
      `const result = await engine.filter(image, filter${argument});`,
      `await writePicture("${out}", { ...image, ...result });`,
      "engine.dispose();",
    ].join("\n"),
    command: [
      ["npx rank1 factor", quoted(filter), ...(cut ? [`--rank ${rank}`] : [])].join(" "),
      [`npx rank1 filter in.png -o ${out} -f`, quoted(filter), ...tolerance, ...colours, ...flags(options)].join(" "),
    ].join("\n"),
    ...pythonSnippets(given, factors),
    json: JSON.stringify({ filter, options, rank, exactRank, error, terms, exact, multiplications }, undefined, 2),
  };
}

/** In passes: by NumPy alone, on an array, and by OpenCV, on a picture. */
function pythonSnippets(
  options: FilterOptions,
  { terms, exact }: FilterFactors,
): Required<Pick<Snippets, "numpy" | "opencv">> {
  const { border = "reflect", flip, gain = 1, offset = 0, output } = options;
  const list = exact?.terms ?? terms;
  const scale = gain * (exact ? exact.gain / exact.denominator : 1);
  const ordered = (taps: readonly number[]): string => `[${(flip ? [...taps].reverse() : taps).join(", ")}]`;
  const data = [
    "terms = [  # column, row",
    ...list.map(({ column, row }) => `    (${ordered(column)}, ${ordered(row)}),`),
    "]",
  ];
  const isArray = output === "f32" || output === "i16";
  const ends = [
    ...(scale !== 1 || offset !== 0 ? [`result = ${scale} * result${offset === 0 ? "" : ` + ${offset}`}`] : []),
    ...(output === "i16" ? ["result = np.clip(np.rint(result), -32768, 32767).astype(np.int16)"] : []),
    ...(isArray ? ['np.save("out.npy", result)'] : []),
  ];
  const toBytes = "np.clip(np.rint(result), 0, 255).astype(np.uint8)";
  const wraps = border === "wrap";
  const opencvBorder = { reflect: "REFLECT_101", symmetric: "REFLECT", edge: "REPLICATE", constant: "CONSTANT", wrap: "CONSTANT" }[border as "reflect"]; // biome-ignore format: one line
  return {
    numpy: [
      "import numpy as np",
      "",
      'image = np.load("in.npy").astype(np.float64)  # [height, width] or [height, width, channels]',
      ...data,
      "",
      "result = np.zeros_like(image)",
      "for column, row in terms:",
      "    margins = [(n // 2, n - 1 - n // 2) for n in (len(column), len(row))]",
      `    padded = np.pad(image, margins + [(0, 0)] * (image.ndim - 2), mode="${border}")`,
      "    down = sum(tap * padded[i : i + image.shape[0]] for i, tap in enumerate(column))",
      "    result += sum(tap * down[:, i : i + image.shape[1]] for i, tap in enumerate(row))",
      ...ends,
      ...(isArray ? [] : [`np.save("out.npy", ${toBytes})`]),
    ].join("\n"),
    opencv: [
      "import cv2",
      "import numpy as np",
      "",
      'image = cv2.imread("in.png")',
      ...data,
      "",
      ...(wraps
        ? [
            "# OpenCV filters no wrapped border: it is laid around the picture, and cut off again",
            "m = max(len(taps) for term in terms for taps in term)",
            "image = cv2.copyMakeBorder(image, m, m, m, m, cv2.BORDER_WRAP)",
          ]
        : []),
      "result = np.zeros(image.shape)",
      "for column, row in terms:",
      `    result += cv2.sepFilter2D(image, cv2.CV_64F, np.float64(row), np.float64(column), borderType=cv2.BORDER_${opencvBorder})`,
      ...(wraps ? ["result = result[m:-m, m:-m]"] : []),
      ...ends,
      ...(isArray ? [] : [`cv2.imwrite("out.png", ${toBytes})`]),
    ].join("\n"),
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
      'import { createEngine } from "rank1";',
      "",
      "const engine = await createEngine();",
      "const noise = (...shape) => ({ shape, data: Float32Array.from({ length: shape.reduce((n, side) => n * side, 1) }, Math.random) });",
      ...Object.entries(shapes).map(([name, shape]) => `const ${name} = noise(${shape.join(", ")});`),
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
  const separatedName = file.replace(/(\.onnx)?$/i, "-separated.onnx");
  const output = shellQuoted(separatedName);
  const { curve: _, ...separation } = report ?? { goal: { kind: aim, value } };
  return {
    javascript: [
      'import { writeFile } from "node:fs/promises";',
      'import { readPicture } from "rank1/node";',
      'import { imageToTensor, loadModel, saveModel, separateModel } from "rank1/onnx";',
      "",
      `const model = await loadModel(${JSON.stringify(file)});`,
      'const image = await readPicture("photo.jpg");',
      `const inputsOf = (image) => (${inputs});`,
      "const outputs = await model.run(inputsOf(image));",
      "",
      ...(calibrated ? ["const calibration = [image].map(inputsOf); // better a few hundred that are typical"] : []),
      `const { model: small, report } = await separateModel(model, { ${calibrated ? "calibration, " : ""}${aim}: ${value} });`,
      `await writeFile(${JSON.stringify(separatedName)}, saveModel(small)); // a standard ONNX file`,
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
