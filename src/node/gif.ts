// What of a GIF decoders do not say: where its blocks end.

/** After the header of six bytes: what says whether a table of colours follows, and how long it is. */
const tableBytes = (packed: number): number => (packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0);

/** How a GIF ends: as it should, where a block may end but without the end mark, or within a block. */
export type GifEnd = "whole" | "unmarked" | "cut";

/** Walks along the blocks of a GIF. Bytes that begin no block count as its end: decoders stop there, too. */
export function endOfGif(bytes: Uint8Array): GifEnd {
  let at = 13 + tableBytes(bytes[10] ?? 0);
  /** Behind a chain of blocks that each say their length. */
  const afterChain = (from: number): number => {
    let next = from;
    while (next < bytes.length && bytes[next] !== 0) next += bytes[next]! + 1;
    return next + 1;
  };
  while (at < bytes.length) {
    const kind = bytes[at];
    if (kind === 0x2c) at = afterChain(at + 11 + tableBytes(bytes[at + 9] ?? 0));
    else if (kind === 0x21) at = afterChain(at + 2);
    else return "whole";
  }
  return at === bytes.length ? "unmarked" : "cut";
}
