// Blurs a video between two pipes, one frame after the other, on one thread:
//   ffmpeg -i in.mp4 -f yuv4mpegpipe - | node examples/video.ts 8 | ffmpeg -i - out.mp4
// Brightness and colours are planes of their own; colours have fewer pixels, and so a smaller sigma. Frames go into the same
// arrays again and again: nothing is planned anew, and little garbage is left.
import { readSync, writeSync } from "node:fs";
import { createEngine, filters } from "rank1";

const sigma = Number(process.argv[2] ?? 8);
if (!(sigma > 0)) {
  console.error("usage: node examples/video.ts [sigma] < in.y4m > out.y4m");
  process.exit(2);
}

/** Fills an array from the standard input, and gives the number of bytes that came before its end. */
function read(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; ) {
    const count = readSync(0, bytes, at, bytes.length - at, null);
    if (count === 0) return at;
    at += count;
  }
  return bytes.length;
}

/** A line without its end; undefined where there is none. */
function readLine(): string | undefined {
  const letter = new Uint8Array(1);
  let line = "";
  while (read(letter) === 1) {
    if (letter[0] === 10) return line;
    if (line.length > 1000) break;
    line += String.fromCharCode(letter[0]!);
  }
  return line === "" ? undefined : fail("a line without an end");
}

function write(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

function fail(why: string): never {
  console.error(`video: ${why}`);
  process.exit(1);
}

const header = readLine() ?? fail("the standard input is empty");
const tag = (letter: string): string | undefined => new RegExp(` ${letter}(\\S+)`).exec(header)?.[1];
const [width, height] = [Number(tag("W")), Number(tag("H"))];
const [, name, depth] = /^(420|422|444|411|mono)(?!alpha)[a-z]*?\d?(?:p(\d+))?$/.exec(tag("C") ?? "420") ?? [];
if (!header.startsWith("YUV4MPEG2 ") || !(width >= 1 && height >= 1) || name === undefined)
  fail(`no YUV4MPEG2 video of planes in 420, 411, 422, 444 or mono: ${header.slice(0, 100)}`);

/** Pixels of brightness to each pixel of colour, across and down. */
const [across, down] = { "420": [2, 2], "422": [2, 1], "411": [4, 1], "444": [1, 1], mono: [0, 0] }[name!] as [
  number,
  number,
];
const Elements = depth === undefined ? Uint8Array : Uint16Array;
const plane = (width: number, height: number, sigmaX: number, sigmaY: number) => ({
  image: { width, height, channels: 1, data: new Elements(width * height) },
  filter: filters.gaussian({ sigma: [sigmaY, sigmaX] }),
  options: { out: new Elements(width * height) },
});
const colour = () => plane(Math.ceil(width / across), Math.ceil(height / down), sigma / across, sigma / down);
const planes = [plane(width, height, sigma, sigma), ...(across > 0 ? [colour(), colour()] : [])];
const bytesOf = ({ buffer }: Uint8Array | Uint16Array): Uint8Array => new Uint8Array(buffer);
const ends = planes.map(({ image, options }) => ({ from: bytesOf(image.data), to: bytesOf(options.out) }));

const engine = await createEngine({ threads: 1, wide: true });
try {
  write(Buffer.from(`${header}\n`));
  let frames = 0;
  for (let line = readLine(); line !== undefined; line = readLine(), frames++) {
    if (!line.startsWith("FRAME")) fail(`frame ${frames} begins with ${line.slice(0, 20)}`);
    for (const { from } of ends) if (read(from) < from.length) fail(`frame ${frames} is cut off`);
    for (const { image, filter, options } of planes) await engine.filter(image, filter, options);
    write(Buffer.from(`${line}\n`));
    for (const { to } of ends) write(to);
  }
} catch (error) {
  // The reader has gone.
  if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
} finally {
  engine.dispose();
}
