// Counts in sentences.

/** What so many are called: "picture" of one, "pictures" of others. The number may be written out. */
export const noun = (count: number | string, one: string): string =>
  String(count) === "1" ? one : /(s|x|ch)$/.test(one) ? `${one}es` : `${one}s`;

/** "1 picture", "3 pictures"; `write` says how the number looks. */
export function plural(count: number, one: string, write: (count: number) => string = String): string {
  const text = write(count);
  return `${text} ${noun(text, one)}`;
}
