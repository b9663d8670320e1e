// The colours of pages and drawings, on light and on dark grounds: those of the studio, so that a colour means the same
// everywhere. Blue is below zero, orange above; ink keeps a contrast of 4.5 to 1 on all of them.

interface Palette {
  paper: string;
  /** Of what stands apart, such as listings. */
  sunk: string;
  ink: string;
  soft: string;
  line: string;
  /** Of bars that are not the chosen one. */
  quiet: string;
  accent: string;
  negative: string;
  zero: string;
  positive: string;
  /** Red, green and blue channels, and those that are mixed of them. */
  channels: readonly [string, string, string, string];
}

export const palettes: Readonly<Record<"light" | "dark", Palette>> = {
  light: {
    ...{ paper: "#fbfbfa", sunk: "#f1f2f1", ink: "#1a1d20", soft: "#5a626b", line: "#e2e4e3", quiet: "#868d94" },
    ...{ accent: "#0b6e63", negative: "#60a2e8", zero: "#f4f5f5", positive: "#f28e4a" },
    channels: ["#d9634f", "#4f9a67", "#4f7fcf", "#8d7bb3"],
  },
  dark: {
    ...{ paper: "#111416", sunk: "#202528", ink: "#e9edef", soft: "#a2acb4", line: "#2b3135", quiet: "#7b858d" },
    ...{ accent: "#62d0bf", negative: "#2464b0", zero: "#262a2e", positive: "#a64d14" },
    channels: ["#c25746", "#3f8a58", "#4a78c4", "#7f6fa8"],
  },
};

/** Declarations of custom properties: "--paper: #fbfbfa; …". */
export const properties = ({ channels, ...colours }: Palette): string =>
  [...Object.entries(colours), ...channels.map((one, i) => [`channel${i}`, one] as const)]
    .map(([name, colour]) => `--${name}: ${colour}`)
    .join("; ");
