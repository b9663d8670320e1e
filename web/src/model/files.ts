// Pictures among files that were chosen or dropped, those in folders too.

export const isPictureFile = ({ type }: File): boolean => type.startsWith("image/");

export const picturesOf = (files: Iterable<File> | null): File[] => [...(files ?? [])].filter(isPictureFile);

/** Has to be called while the drop is handled: what is dropped can be asked for only then. */
export async function droppedPictures({ items }: DataTransfer): Promise<File[]> {
  const entries = Array.from(items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  return picturesOf((await Promise.all(entries.map(filesIn))).flat());
}

async function filesIn(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile)
    return [await new Promise((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const all: File[][] = [];
  // A reader gives some at a time, and none at the end
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all.flat();
    all.push(...(await Promise.all(some.map(filesIn))));
  }
}
