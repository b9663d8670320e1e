// The state of the studio, without the user's files, as the part of an address after the #. Only what differs from the
// start is written; large filters without a pattern make it long, for every value comes back as it was.
import { type Lesson, lessons } from "../learn/state.ts";
import { type Choice, choiceOf, named, textOf } from "./choice.ts";

export const tabs = ["learn", "filter", "picture", "layer", "model"] as const;
export const borders = ["reflect", "symmetric", "edge", "wrap", "constant"] as const;
export const types = ["auto", "u8", "i16", "f32"] as const;
export const pictures = ["landscape", "chart"] as const;

export type Tab = (typeof tabs)[number];
export type BorderName = (typeof borders)[number];
export type TypeName = (typeof types)[number];

/** The sliders of the layer, and how far each goes. */
export const layerRanges = {
  size: { first: 12, least: 4, most: 32 },
  inputs: { first: 3, least: 1, most: 8 },
  kernel: { first: 5, least: 1, most: 11 },
  multiplier: { first: 1, least: 1, most: 8 },
  outputs: { first: 256, least: 1, most: 512 },
  stride: { first: 1, least: 1, most: 4 },
  dilation: { first: 1, least: 1, most: 4 },
} as const;

export type LayerChoice = { [K in keyof typeof layerRanges]: number };

export interface Shared {
  tab: Tab;
  /** The screen of Learn. */
  lesson: Lesson;
  filter: Choice;
  /** Terms that are kept; all where undefined. */
  rank: number | undefined;
  border: BorderName;
  flip: boolean;
  type: TypeName;
  /** One of the bundled pictures; the user's own leaves no trace. */
  picture: string;
  pixel: readonly [x: number, y: number] | undefined;
  layer: LayerChoice;
}

export const initial: Shared = {
  tab: "learn",
  lesson: "window",
  filter: named("sobel-x"),
  rank: undefined,
  border: "reflect",
  flip: false,
  type: "auto",
  picture: "landscape",
  pixel: undefined,
  layer: Object.fromEntries(Object.entries(layerRanges).map(([name, { first }]) => [name, first])) as LayerChoice,
};

const layerKeys = Object.keys(layerRanges) as (keyof LayerChoice)[];

const mostCharacters = 12_000;

export function encode(shared: Shared): string {
  const { tab, lesson, filter, rank, border, flip, type, picture, pixel, layer } = shared;
  const layerText = layerKeys.map((key) => layer[key]).join("x");
  const parts: [string, string | undefined][] = [
    ["v", "1"],
    ["tab", tab],
    ["screen", lesson === initial.lesson ? undefined : lesson],
    ["filter", textOf(filter)],
    ["rank", rank?.toString()],
    ["border", border === initial.border ? undefined : border],
    ["flip", flip ? "1" : undefined],
    ["type", type === initial.type ? undefined : type],
    ["picture", (pictures as readonly string[]).slice(1).includes(picture) ? picture : undefined],
    ["pixel", pixel?.join(",")],
    ["layer", layerKeys.every((key) => layer[key] === initial.layer[key]) ? undefined : layerText],
  ];
  return `#${parts.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`])).join("&")}`;
}

/** @throws an error that says what in the address cannot be read. An empty one is the start. */
export function decode(hash: string): Shared {
  if (hash === "" || hash === "#") return initial;
  if (hash.length > mostCharacters) throw new Error(`an address has at most ${mostCharacters} characters`);
  const values = new Map<string, string>();
  for (const part of readable(hash.slice(1)).split("&")) {
    const at = part.indexOf("=");
    if (at < 1) throw new Error(`${JSON.stringify(part.slice(0, 40))} says nothing`);
    values.set(part.slice(0, at), part.slice(at + 1));
  }
  const take = <T>(key: string, otherwise: T, read: (text: string) => T): T => {
    const text = values.get(key);
    values.delete(key);
    return text === undefined ? otherwise : read(text);
  };
  const version = take("v", "", (text) => text);
  if (version !== "1") throw new Error(`version ${version || "(none)"} of addresses is not known here`);
  const shared: Shared = {
    // What names a filter and no view is about the filter
    tab: take("tab", "filter", oneOf(tabs)),
    lesson: take("screen", initial.lesson, oneOf(lessons)),
    filter: take("filter", initial.filter, choiceOf),
    rank: take<number | undefined>("rank", undefined, (text) => whole(text, 0, 31)),
    border: take("border", initial.border, oneOf(borders)),
    flip: take("flip", initial.flip, (text) => whole(text, 0, 1) === 1),
    type: take("type", initial.type, oneOf(types)),
    picture: take<string>("picture", initial.picture, oneOf(pictures)),
    pixel: take<Shared["pixel"]>("pixel", undefined, (text) => pair(text)),
    layer: take("layer", initial.layer, layerOf),
  };
  for (const key of values.keys()) throw new Error(`${JSON.stringify(key.slice(0, 40))} is not known`);
  return shared;
}

/** Where a % stands for no character, the address was cut off or changed on its way here. */
function readable(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    const [part] = /%(?![0-9a-f]{2}).{0,2}/i.exec(text) ?? /%[^&]{0,11}/.exec(text)!;
    throw new Error(`${JSON.stringify(part)} in it stands for no character. Copy the whole link once more`);
  }
}

const oneOf =
  <T extends string>(names: readonly T[]) =>
  (text: string): T => {
    const found = names.find((name) => name === text);
    if (found === undefined) throw new Error(`${JSON.stringify(text.slice(0, 40))} is none of ${names.join(", ")}`);
    return found;
  };

function whole(text: string, least: number, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new Error(`${JSON.stringify(text.slice(0, 40))} is no number from ${least} to ${most}`);
}

function pair(text: string): readonly [number, number] {
  const [x, y, ...rest] = text.split(",");
  if (y === undefined || rest.length > 0) throw new Error("a pixel has two places");
  return [whole(x!, 0, 99_999), whole(y, 0, 99_999)];
}

function layerOf(text: string): LayerChoice {
  const numbers = text.split("x");
  if (numbers.length !== layerKeys.length) throw new Error("the layer's numbers are cut off");
  const entries = layerKeys.map((key, i) => [key, whole(numbers[i]!, layerRanges[key].least, layerRanges[key].most)]);
  return fitted(Object.fromEntries(entries) as LayerChoice);
}

/** The most that a slider of the layer may say, so that a window, with the pixels between its taps, fits the input. */
export function mostOf(key: keyof LayerChoice, { size, dilation, kernel }: LayerChoice): number {
  const { most } = layerRanges[key];
  if (key === "kernel") return Math.min(most, Math.floor((size - 1) / dilation) + 1);
  if (key === "dilation") return kernel === 1 ? most : Math.min(most, Math.floor((size - 1) / (kernel - 1)));
  return most;
}

/** The nearest layer whose windows fit: fewer pixels between their taps, then smaller ones. */
export function fitted(layer: LayerChoice): LayerChoice {
  const near = { ...layer, dilation: Math.max(1, Math.min(layer.dilation, mostOf("dilation", layer))) };
  return { ...near, kernel: Math.min(near.kernel, mostOf("kernel", near)) };
}
