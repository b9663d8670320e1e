// Files that are dropped where no view takes them: pictures and models go to the view that does, and the page stays.
import { isPictureFile } from "./model/files.ts";
import { openModel } from "./model/state.ts";
import { takeFile } from "./picture/source.ts";
import { tab, tell } from "./state/state.ts";

/** Views that take files themselves say so by preventing the default. */
export function followDrops(): void {
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    const taken = event.defaultPrevented;
    event.preventDefault();
    const [file] = event.dataTransfer?.files ?? [];
    if (!taken && file) void take(file);
  });
}

/** A picture or a model, by what the file says of itself; anything else is refused in words. */
export async function take(file: File): Promise<void> {
  if (isPictureFile(file)) {
    // The view would load a picture of its own if it had none
    await takeFile(file);
    if (tab.value !== "model") tab.value = "picture";
  } else if (/\.(onnx|ort)$/i.test(file.name)) {
    tab.value = "model";
    await openModel(file);
  } else tell(`${file.name} is neither a picture nor an ONNX file, so it stays closed.`);
}
