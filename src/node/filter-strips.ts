// A picture that is larger than memory, filtered some rows at a time: from a file of plain rows, through all filters, into the
// result's file. Results are those of the whole picture: what depends on all of it is found beforehand, in passes of their own.
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { InvalidArgumentError, LimitError, UnsupportedError } from "../errors.ts";
import { type Border, composedFilter, type Engine, type FilterCallOptions, type Image, type ImageDType, type Plan } from "../index.ts"; // biome-ignore format: a line
import { opaqueFor, type Whole, wholes } from "../tensor/image.ts";
import { arrayIn, bytesOf, type ImageArray, imageDTypeOf, isFloat, newArray } from "../tensor.ts";
import { peakOf, toGrey } from "./convert.ts";
import { checkEncoding, fitted, fullScale, typeOf } from "./encode.ts";
import { applyStep, planSteps } from "./filter-steps.ts";
import { coloursOf, type Finish, finishedRows, peakShare, scaleOf } from "./finish.ts";
import { bytesOfRows, type RowSource, type RowsFile } from "./rows.ts";
import { type Reach, type Rows, reachOf, rowsRead, stripsOf } from "./strips.ts";
import { brightnessNotes, type Control, type FileReport, isGrey, numbersOf, type Planned, planPictures, reportOf, specOf, targetOf, type Work } from "./work.ts"; // biome-ignore format: a line
import { needsEnvelope, writeRows } from "./write-rows.ts";

/** What {@link filterInStrips} works on. */
export interface StripWork extends Omit<Work, "pages"> {
  file: RowsFile;
  /** Bytes of memory at most, about. */
  memory: number;
}

/** Makes the file whose name it gives to `write`; where that may put files beside it, too. */
export type Create = (write: (to: string) => Promise<void>) => Promise<void>;

/** What keeps filters from being applied to a picture strip by strip; undefined where nothing does. */
function whyWhole({ steps }: Pick<Work, "steps">): string | undefined {
  const edges = steps.list.find(({ kind }) => kind === "edges");
  return edges && `${edges.text}, whose edges are followed over the whole picture`;
}

/**
 * Filters the pictures of a file strip by strip into another file.
 *
 * @throws LimitError where not even the fewest rows fit into memory; InvalidArgumentError for a disk without the room that it
 * takes.
 */
export async function filterInStrips(
  engine: Engine,
  given: StripWork,
  control: Control & { onSpace?: (bytes: number) => void },
  create: Create,
): Promise<FileReport> {
  const { file, job, steps, options } = given;
  const { format, output, input } = job;
  const { signal } = control;
  const pages = planPictures(engine, steps, file.pages.map(({ picture }) => picture), options); // biome-ignore format: a line
  const work: Work = { ...given, pages };
  const targets = pages.map((page) => targetOf(work, page));
  const finishes = targets.map((target) => ({ ...target, linear: options.linear, floats: steps.floats }));
  const heads = pages.map(({ picture, plans }, i) => ({
    ...picture,
    ...sidesOf(plans),
    data: newArray(targets[i]!.type, 0),
  }));
  const { kept, notes, quality } = checkEncoding(heads, format, { ...options, name: output });
  const written = kept.map((page) => fitted(page, format));
  const bytes = file.temporary + (needsEnvelope(format) ? bytesOfRows(written[0]!) : 0);
  await checkSpace(dirname(output), bytes);
  if (bytes > 0) control.onSpace?.(bytes);

  const start = performance.now();
  const filters = pages.map((page, i) => new PageFilter(engine, work, page, finishes[i]!, given.memory));
  let read = 0;
  let shown: string[] = [];
  let onProgress = (_rows: number): void => {};
  await create(async (to) => {
    try {
      for (const [i, page] of file.pages.entries()) filters[i]!.source = await page.open(to, { signal });
      read = performance.now() - start;
      const passes = filters.reduce((sum, filter) => sum + filter.rows * filter.passes, 0);
      let done = 0;
      onProgress = (rows) => control.onProgress?.(Math.min(1, (done += rows) / passes));
      for (const filter of filters) await filter.prepare({ signal, onProgress });
      const { scale, notes } = scaleOf(
        filters.flatMap(({ share }) => share ?? []),
        fullScale(pages[0]!.picture),
      );
      shown = notes;
      const rows = filters.map((filter, i) => ({
        picture: written[i]!,
        rows: ahead(filter.finished(scale, format, { signal, onProgress })),
      }));
      await writeRows(to, format, rows, { quality });
      signal?.throwIfAborted();
    } finally {
      for (const { source } of filters) await source?.close();
    }
  });
  const filter = filters.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const write = Math.max(0, performance.now() - start - read - filter);
  const said = [...file.notes, ...shown, ...brightnessNotes(work, targets[0]!), ...notes];
  return { ...reportOf(work, { written: written[0]!, notes: said, milliseconds: { read, filter, write } }), input };
}

/** @throws UnsupportedError for filters and formats that need the whole picture. */
export function checkWhole({ file, job, ...work }: Omit<StripWork, "memory">): void {
  const hint = "a larger memory (--memory) holds it whole";
  const wrong = (parameter: string, expected: string, received: string): never => {
    throw new UnsupportedError({ parameter, expected, received, hint });
  };
  const parameter = job.input;
  const why = whyWhole(work);
  if (why) wrong(parameter, "filters that can be applied strip by strip, as the picture is larger than memory", why);
  if (file.pages.length > 1 && job.format !== "tiff")
    wrong(job.output, "TIFF for pages that are larger than memory", job.format);
}

/** Rows and columns of a result. */
function sidesOf(plans: readonly Plan[][]): { width: number; height: number } {
  const [height, width] = plans.at(-1)![0]!.problem.y.shape as [number, number];
  return { width, height };
}

/** The folder may have to be made: in one that is there. */
async function checkSpace(folder: string, bytes: number): Promise<void> {
  const disk = await statfs(folder).catch(() => undefined);
  if (!disk && dirname(folder) !== folder) return checkSpace(dirname(folder), bytes);
  if (!disk || disk.bavail * disk.bsize >= bytes) return;
  const [expected, received] = [
    `${inGigabytes(bytes)} free for files meanwhile`,
    inGigabytes(disk.bavail * disk.bsize),
  ];
  throw new InvalidArgumentError({ parameter: folder, expected, received });
}

const inGigabytes = (bytes: number): string =>
  bytes < 1e9 ? `${(bytes / 1e6).toPrecision(3)} MB` : `${(bytes / 1e9).toPrecision(3)} GB`;

/** Gives each value while the next one is made. */
async function* ahead<T>(values: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = values.next();
  try {
    for (let one = await next; !one.done; one = await next) {
      next = values.next();
      next.catch(() => {}); // is seen when it is awaited
      yield one.value;
    }
  } finally {
    await next.catch(() => {});
    await values.return(undefined);
  }
}

/** Bytes that a strip usually takes. */
const usual = 48e6;

type Hooks = { signal?: AbortSignal; onProgress: (rows: number) => void };

/** The filters of one page, and what is known of it. */
class PageFilter {
  /** Its rows; set before anything is read. */
  source: RowSource | undefined;
  /** The usual peak as a share of the range, where results are scaled by it. */
  share: number | undefined;
  /** Spent on filtering. */
  milliseconds = 0;
  private peak: number | undefined;
  private readonly known: ((Whole & { isOpaque: boolean }) | undefined)[] = [];
  private readonly engine: Engine;
  private readonly work: Work;
  private readonly page: Planned;
  private readonly finish: Finish;
  /** The filters' plans where all is opaque. */
  private readonly opaque: readonly Plan[][];
  private readonly reaches: readonly Reach[];
  private readonly place: Rows & { x: number; width: number };
  private readonly strips: readonly Rows[];

  constructor(engine: Engine, work: Work, page: Planned, finish: Finish, memory: number) {
    this.engine = engine;
    this.work = work;
    this.page = page;
    this.finish = finish;
    const { plans, picture } = page;
    const { steps } = work;
    const kept = { ...steps, flags: { ...steps.flags, alpha: "keep" as const } };
    this.opaque = this.weighted.length > 0 ? planSteps(engine, kept, specOf(picture)) : [];
    this.reaches = plans.map((own, i) => reachOf([...own, ...(this.opaque[i] ?? [])]));
    const { origin = [0, 0] } = filterProblemOf(plans.at(-1)![0]!);
    const { width, height } = sidesOf(plans);
    this.place = { from: origin[0], to: origin[0] + height, x: origin[1], width };
    this.strips = stripsOf(this.place, this.rowsOfStrip(memory), this.align);
  }

  private get align(): number {
    return this.reaches.at(-1)!.align;
  }

  /** Rows of the result. */
  get rows(): number {
    return this.place.to - this.place.from;
  }

  /** How often all rows are filtered. */
  get passes(): number {
    return 1 + Number(this.isScaled) + this.weighted.length;
  }

  private get isScaled(): boolean {
    return this.finish.fit === true || this.finish.show === "signed";
  }

  /** Filters that look at the alpha of all that they are applied to. */
  private get weighted(): number[] {
    const { plans } = this.page;
    const asks = (plan: Plan): boolean => {
      const { alpha, known } = filterProblemOf(plan);
      return alpha === "premultiply" && known === undefined;
    };
    return [...plans.keys()].filter((i) => plans[i]!.some(asks));
  }

  /** As many rows as take an eighth of the memory with those around them, or as are read besides. */
  private rowsOfStrip(memory: number): number {
    const { picture } = this.page;
    const halo = this.reaches.reduce((sum, { above, below }) => sum + above + below, 0);
    const each = this.work.steps.floats ? 32 : 6 * bytesOf[typeOf(picture)] + 2 * bytesOf[this.finish.type] + 8;
    const row = picture.width * picture.channels * each;
    const rows = Math.max(this.align, halo, Math.floor(Math.min(memory / 8, usual) / row) - halo);
    const least = (Math.max(this.align, Math.ceil(halo / 4)) + halo) * row;
    if (least > memory / 2)
      throw new LimitError({
        ...{ parameter: this.work.job.input, expected: `strips within ${inGigabytes(memory / 2)} of memory` },
        ...{
          received: `${inGigabytes(least)} for the rows that the filters read at once`,
          hint: `raise memory (--memory) to ${Math.ceil((2 * least) / 1e6)}M`,
        },
      });
    return Math.min(rows, Math.max(this.align, Math.floor(memory / 2 / row) - halo));
  }

  /** Finds what depends on the whole picture. */
  async prepare(hooks: Hooks): Promise<void> {
    for (const i of this.weighted) this.known[i] = await this.alphaOf(i, hooks);
    if (!this.isScaled) return;
    const { picture } = this.page;
    const sides = { ...picture, width: this.place.width, height: this.rows };
    const colours = coloursOf(sides, picture);
    const { add, peak } = peakOf(sides.width * sides.height, picture.channels, colours);
    for await (const { data } of this.results(hooks)) add(data);
    this.peak = peak();
    if (this.finish.fit) this.share = peakShare(this.peak, picture, this.finish);
  }

  /** Rows as they are written, of one strip after another. */
  async *finished(times: number, format: Work["job"]["format"], hooks: Hooks): AsyncGenerator<ImageArray> {
    const { picture } = this.page;
    const shown = { times: this.finish.fit ? times : 1, peak: this.peak };
    for await (const image of this.results(hooks)) {
      const rows = finishedRows(image, picture, this.finish, shown);
      yield fitted(rows, format).data;
    }
  }

  private async *results(hooks: Hooks): AsyncGenerator<Image> {
    for (const strip of this.strips) {
      const start = performance.now();
      const image = await this.applied(this.reaches.length, strip, hooks.signal);
      this.milliseconds += performance.now() - start;
      hooks.onProgress(strip.to - strip.from);
      yield image;
    }
  }

  /** Some rows of what the first `count` filters make. */
  private async applied(count: number, rows: Rows, signal: AbortSignal | undefined): Promise<Image> {
    const { height, width } = this.page.picture;
    const { steps, options } = this.work;
    const { border = "reflect" } = options;
    const all = rowsRead(this.reaches.slice(0, count), rows, height, border as Border);
    const { image: first, scale } = numbersOf(await this.read(all[0]!), this.work);
    let image = first;
    for (let index = 0; index < count; index++) {
      const [own, wanted] = [all[index]!, all[index + 1]!];
      const isLast = index === this.reaches.length - 1;
      const across = isLast ? { x: this.place.x, width: this.place.width } : { x: 0, width };
      const region = { ...across, y: wanted.from - own.from, height: wanted.to - wanted.from };
      const whole = this.known[index];
      if (whole) wholes.set(image.data, whole);
      const part = { region, ...this.choiceOf(index), ...this.maskOf(own) };
      const plan = this.page.plans[index]![0]!;
      image = await applyStep(this.engine, steps, { index, plan, image, scale, part }, { signal });
    }
    return image;
  }

  /** The plans of a filter for the whole picture. */
  private plansOf(index: number): readonly Plan[] {
    return (this.known[index]?.isOpaque ? this.opaque : this.page.plans)[index]!;
  }

  /** The solver of the whole picture's plan, and the way of its alpha. */
  private choiceOf(index: number): Pick<FilterCallOptions, "strategy" | "alpha"> {
    const { list, flags } = this.work.steps;
    const alpha = this.known[index]?.isOpaque && { alpha: "keep" as const };
    const solvers = new Set(this.plansOf(index).map(({ solver }) => solver));
    const isChosen = solvers.size === 1 && composedFilter(list[index]!.filter)?.kind !== "unsharp";
    return { ...alpha, strategy: flags.strategy ?? (isChosen ? [...solvers][0] : undefined) };
  }

  /** The weights of some rows. */
  private maskOf(rows: Rows): Pick<FilterCallOptions, "mask"> {
    const { mask } = this.work.steps.flags;
    if (mask === undefined) return {};
    const { width, height } = this.page.picture;
    const data = arrayIn(mask) as Uint8Array;
    if (data.length !== width * height) return { mask }; // is refused with its sides
    return { mask: gathered(rows, height, (from, to) => data.subarray(from * width, to * width)) };
  }

  /** Rows of the picture as its filters take it, in grey where that is asked for. */
  private async read(rows: Rows) {
    const source = this.source!;
    const { picture } = source;
    const parts: ImageArray[] = [];
    for (const { from, to } of inside(rows, picture.height)) parts.push(await source.read(from, to - from));
    const one = { ...picture, height: rows.to - rows.from, data: joined(parts) };
    return isGrey(this.work.steps, this.work.options) ? toGrey(one) : one;
  }

  /** What is so of the alpha of all that filter `index` is applied to. */
  private async alphaOf(index: number, { signal, onProgress }: Hooks): Promise<Whole & { isOpaque: boolean }> {
    const { picture, plans } = this.page;
    const { height, width, channels } = picture;
    const problem = filterProblemOf(plans[index]![0]!);
    const { size, pads, border, borderValue } = problem.window;
    const [y, x] = problem.origin ?? [0, 0];
    const [rows, columns] = problem.y.shape as [number, number];
    const [top, left] = [y - pads[0], x - pads[1]];
    const [bottom, right] = [top + rows + size[0] - 1, left + columns + size[1] - 1];
    const isInside = top >= 0 && left >= 0 && bottom <= height && right <= width;
    let [largest, least, most] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const { from, to } of stripsOf({ from: 0, to: height }, this.strips[0]!.to - this.strips[0]!.from, 1)) {
      const { data } = await this.applied(index, { from, to }, signal);
      for (let i = channels - 1, at = 0; i < data.length; i += channels, at++) {
        const alpha = data[i]!;
        largest = Math.max(largest, alpha || 0);
        const [row, column] = [from + Math.floor(at / width), at % width];
        if (isInside && (row < top || row >= bottom || column < left || column >= right)) continue;
        least = Math.min(least, alpha);
        most = Math.max(most, alpha);
      }
      onProgress(to - from);
    }
    const full = this.work.steps.floats || isFloat(typeOf(picture)) ? opaqueFor(largest) : fullScale(picture);
    if (!isInside && border === "constant" && borderValue !== full) least = Number.NaN;
    return { largest, read: [least, most], isOpaque: least === full && most === full };
  }
}

const filterProblemOf = (plan: Plan) => plan.problem as Plan["problem"] & { kind: "filter" };

/** Rows that lie inside a picture which repeats itself, in their order. */
function inside({ from, to }: Rows, height: number): Rows[] {
  const parts: Rows[] = [];
  for (let at = from; at < to; ) {
    const first = ((at % height) + height) % height;
    const count = Math.min(to - at, height - first);
    parts.push({ from: first, to: first + count });
    at += count;
  }
  return parts;
}

function gathered<T extends ImageArray>(rows: Rows, height: number, part: (from: number, to: number) => T): T {
  return joined(inside(rows, height).map(({ from, to }) => part(from, to)));
}

function joined<T extends ImageArray>(parts: readonly T[]): T {
  if (parts.length === 1) return parts[0]!;
  const all = newArray(imageDTypeOf(parts[0]) as ImageDType, parts.reduce((sum, { length }) => sum + length, 0)) as ImageArray; // biome-ignore format: a line
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all as T;
}
