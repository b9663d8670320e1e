// Filters as people have them in other places: tables of spreadsheets, MATLAB, C, NumPy, JSON, LaTeX, OpenCV's Mat_, with
// fractions and a common factor. What cannot be read is refused, with its place.
import { plural } from "../text.ts";

export interface Pasted {
  rows: number[][];
  /** Each value counts so many times. */
  gain: number;
  /** What it was taken for: "MATLAB". */
  format: string;
}

/** @throws an error that says what cannot be read, and where. */
export function readFilter(text: string): Pasted {
  const clean = withoutComments(text.replaceAll(/[−–]/g, "-").replaceAll("\r", "").replaceAll("\u00a0", " ")).trim();
  if (clean === "") throw new Error("There is nothing to read.");
  const object = objectIn(clean);
  if (object) return object;
  const matrix = /^(.*?)Mat_\s*<\s*\w+\s*>\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)\s*<<([^)]*)\)*(.*)$/s.exec(clean);
  if (matrix) {
    const [, , height, width, list, tail] = matrix;
    return checked([list!.replaceAll("\n", " ")], factorAfter(tail!), "OpenCV’s Mat_", [Number(height), Number(width)]);
  }
  return tableIn(clean);
}

/** Comments of C, Python and MATLAB, and lines that go on below. */
const withoutComments = (text: string): string =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, " ")
    .replace(/(\/\/|#|%).*$/gm, "")
    .replace(/\.{3}[^\n]*\n/g, " ");

const sign = "[-+]?";
const decimal = "(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][-+]?\\d+)?[fFlL]?";
const plain = new RegExp(`^(${sign}${decimal})(?:/(${sign}${decimal}))?$`);

function numberOf(word: string): number {
  const [, over, under = "1"] = plain.exec(word) ?? [];
  return over === undefined ? Number.NaN : decimalOf(over) / decimalOf(under);
}

const decimalOf = (text: string): number => Number(text.replace(/[fFlL]$/, ""));

/** A table in brackets with what stands before and after it, or lines of numbers. */
function tableIn(text: string): Pasted {
  const declared = /^\s*[A-Za-z_][\w\s*<>:.&]*((?:\[\s*\d*\s*\]\s*)*)=(?!=)/.exec(text);
  const given = declared ? text.slice(declared[0].length) : text;
  const sides = [...(declared?.[1] ?? "").matchAll(/\d+/g)].map(Number);
  const size = sides.length === 2 ? (sides as [number, number]) : undefined;
  const latex = /\\begin\s*\{|\\\\/.test(given);
  const source = latex ? given.replace(/\\(begin|end)\s*\{\w+\}|\\left.|\\right./g, " ").replace(/\\\\/g, "\n") : given;
  const [start, end] = [source.search(/[[{]/), Math.max(source.lastIndexOf("]"), source.lastIndexOf("}"))];
  if (start < 0 || end < start)
    return linesIn(source, latex ? "LaTeX" : source.includes("\t") ? "a spreadsheet" : "text");
  const [head, body, tail] = [source.slice(0, start), source.slice(start, end + 1), source.slice(end + 1)];
  const gain = factorBefore(head) * factorAfter(tail);
  const nested = /^[[{]\s*[[{]/.test(body);
  const rows = nested
    ? body.replaceAll(/\s+/g, " ").split(/[\]}]\s*,?\s*[[{]/)
    : body.replace(/,\s*\n/g, size ? " " : "\n").split(/[;\n]/);
  const format = /array|tensor|dtype/.test(head + tail)
    ? "NumPy"
    : body.startsWith("{")
      ? "C"
      : !nested && (body.includes(";") || !body.includes(","))
        ? "MATLAB"
        : "JavaScript or Python";
  const table = checked(
    rows.map((row) => row.replaceAll(/[[\]{}]/g, " ")),
    gain,
    format,
    size,
  );
  return /^\)*\s*(\.T\b|')/.test(tail) ? { ...table, rows: transposed(table.rows) } : table;
}

const transposed = (rows: number[][]): number[][] => rows[0]!.map((_, x) => rows.map((row) => row[x]!));

function linesIn(text: string, format: string): Pasted {
  const before = new RegExp(`^\\(?\\s*(${sign}${decimal}(?:/${decimal})?)\\s*\\)?\\s*[*×·]`).exec(text);
  const rest = before ? text.slice(before[0].length) : text;
  const after = new RegExp(`(?:^|\\s)([/÷*×·])\\s*(${sign}${decimal}(?:/${decimal})?)\\s*;?$`).exec(rest);
  const body = (after ? rest.slice(0, after.index) : rest).trim();
  // Spreadsheets of many countries write 0,5
  const commas = body.includes("\t") && !body.includes(".") && /^[^,]*(\d,\d[^,]*)+$/.test(body);
  const gain = (before ? numberOf(before[1]!) : 1) * (after ? power(after[1]!, numberOf(after[2]!)) : 1);
  const lines = (commas ? body.replaceAll(",", ".") : body).split(/[;\n]/);
  return checked(
    lines.filter((line) => !/^[\s|:-]*-[\s|:-]*$/.test(line) || !line.includes("|")),
    gain,
    format,
  );
}

const power = (operator: string, value: number): number => (/[/÷]/.test(operator) ? 1 / value : value);

/** "1/16 * np.array(": the factor of what stands before a table. */
function factorBefore(head: string): number {
  const rest = head.replace(/(?:(?:new|return|const|let|var)\s+)*(?:[A-Za-z_][\w.]*\s*\(\s*|\(\s*)*$/, "").trim();
  if (rest === "") return 1;
  const [, value] = new RegExp(`^\\(*\\s*(${sign}${decimal}(?:\\s*/\\s*${decimal})?)\\s*\\)*\\s*\\.?[*×·]\\s*\\(*$`).exec(rest) ?? [];
  if (value === undefined) throw new Error(`What stands before the table cannot be read: “${short(rest)}”.`);
  return numberOf(value.replaceAll(/\s/g, ""));
} // biome-ignore format: a pattern

/** ", dtype=np.float32) / 16;": the factor of what stands after a table. */
function factorAfter(tail: string): number {
  const rest = tail
    .replace(/,?\s*dtype\s*=\s*[\w.'"]+/g, "")
    .replace(/,\s*["']?(np\.)?\w*(float|int)\w*["']?\s*(?=\))/g, "")
    .replace(/\.astype\([^)]*\)|\.reshape\([^)]*\)|\.T\b|^\)*\s*'/g, "")
    .replaceAll(/[();,]|\bf\b/g, " ")
    .trim();
  if (rest === "") return 1;
  const [, operator, value] = new RegExp(`^\\.?([/÷*×·])\\s*(${sign}${decimal}(?:\\s*/\\s*${decimal})?)$`).exec(rest) ?? [];
  if (value === undefined) throw new Error(`What stands after the table cannot be read: “${short(rest)}”.`);
  return power(operator!, numberOf(value.replaceAll(/\s/g, "")));
} // biome-ignore format: a pattern

const short = (text: string): string => (text.length > 40 ? `${text.slice(0, 39)}…` : text);

/** Rows of words as numbers; `size` where it was declared. */
function checked(lines: readonly string[], gain: number, format: string, size?: readonly [number, number]): Pasted {
  const words = lines.map((line) => line.split(/[\s,&|]+/).filter(Boolean)).filter((row) => row.length > 0);
  if (words.length === 0) throw new Error("There are no numbers in it.");
  let rows = words.map((row, y) =>
    row.map((word, x) => {
      const value = numberOf(word);
      if (Number.isFinite(value)) return value;
      throw new Error(`“${short(word)}” in row ${y + 1}, column ${x + 1} is no number.`);
    }),
  );
  if (size && (rows.length !== size[0] || rows[0]!.length !== size[1])) {
    const all = rows.flat();
    if (all.length !== size[0] * size[1])
      throw new Error(`It says ${size.join(" × ")}, and has ${plural(all.length, "number")}.`);
    rows = Array.from({ length: size[0] }, (_, y) => all.slice(y * size[1], (y + 1) * size[1]));
  }
  const ragged = rows.findIndex((row) => row.length !== rows[0]!.length);
  if (ragged > 0)
    throw new Error(
      `Row ${ragged + 1} has ${plural(rows[ragged]!.length, "number")}, and row 1 has ${rows[0]!.length}.`,
    );
  if (!Number.isFinite(gain) || gain === 0)
    throw new Error("The factor of the table is no number above or below zero.");
  return { rows, gain, format };
}

type Fields = Readonly<
  Partial<
    Record<
      "filter" | "column" | "row" | "kernel" | "values" | "height" | "width" | "kh" | "kw" | "gain" | "scale",
      unknown
    >
  >
>;

/** A filter as an object in JSON: rank1's, sharp's, or what the studio itself gives away. */
function objectIn(text: string): Pasted | undefined {
  if (!text.startsWith("{")) return undefined;
  let fields: Fields;
  try {
    fields = JSON.parse(text) as Fields;
  } catch {
    return undefined;
  }
  const inner = fields.filter;
  if (typeof inner === "object" && inner !== null) return readFilter(JSON.stringify(inner));
  const list = (name: keyof Fields): string => (Array.isArray(fields[name]) ? (fields[name] as unknown[]).join(" ") : "");
  const one = (name: keyof Fields, otherwise = 1): number => (typeof fields[name] === "number" ? fields[name] : otherwise);
  if (fields.column && fields.row) {
    const [column] = checked([list("column")], 1, "").rows;
    const [row] = checked([list("row")], 1, "").rows;
    return { rows: column!.map((c) => row!.map((r) => c * r)), gain: one("gain"), format: "JSON, a column times a row" };
  }
  const [values, height, width] = [list("kernel") || list("values"), one("height", one("kh", 0)), one("width", one("kw", 0))];
  if (values === "" || height === 0 || width === 0) throw new Error("This JSON holds no filter: it needs values and sides, or a column and a row.");
  // sharp divides by its scale
  return checked([values], one("gain") / one("scale"), "JSON", [height, width]);
} // biome-ignore format: long lines
