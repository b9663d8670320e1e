// The picture that is filtered: bundled, or the user's own from a file, the clipboard or the camera; decoded by the
// worker.
import { effect, signal } from "@preact/signals";
import { call } from "../engine/client.ts";
import { messageOf, notice, picture, tell } from "../state/state.ts";

export interface Source {
  /** What it is, in words. */
  name: string;
  image: ImageData;
  /** No pixel lets anything through. */
  opaque: boolean;
}

export const source = signal<Source | undefined>(undefined);

/** The name under which the shared state knows the user's own picture. */
export const own = "own";

const bundled: Readonly<Record<string, string>> = { landscape: "A painted landscape", chart: "A test chart" };

let loads = 0;

async function load(name: string, from: Blob | ImageBitmap): Promise<void> {
  const id = ++loads;
  const { width, height, data, opaque } = await call(
    "decode",
    { from },
    { transfer: from instanceof Blob ? [] : [from] },
  );
  if (id === loads) source.value = { name, opaque, image: new ImageData(new Uint8ClampedArray(data), width, height) };
}

async function loadBundled(file: string): Promise<void> {
  const before = ++loads;
  try {
    const response = await fetch(new URL(`${file}.webp`, document.baseURI));
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const blob = await response.blob();
    // Meanwhile people may have brought a picture of their own
    if (before === loads) await load(bundled[file]!, blob);
  } catch (error) {
    tell(`The picture could not be loaded: ${messageOf(error)}.`);
  }
}

/** A file of the user, or a picture that was pasted or dropped. */
export async function takeFile(file: Blob & { name?: string }): Promise<void> {
  stopCamera();
  try {
    notice.value = undefined; // what was said of the picture before
    await load(file.name ?? "A picture from the clipboard", file);
    picture.value = own;
  } catch (error) {
    tell(`This file could not be read as a picture: ${messageOf(error).replace(/\.$/, "")}.`);
  }
}

/** A picture that was drawn here. */
export async function takeDrawn(name: string, image: ImageData): Promise<void> {
  stopCamera();
  await load(name, await createImageBitmap(image));
  picture.value = own;
}

/** Takes pictures that are pasted, until it is called off. */
export function followPaste(): () => void {
  const paste = (event: ClipboardEvent): void => {
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (file) void takeFile(file);
  };
  addEventListener("paste", paste);
  return () => removeEventListener("paste", paste);
}

let following = false;

/** Bundled pictures follow the shared state, from the first time that a picture is needed. */
export function followPicture(): void {
  if (following) return;
  following = true;
  effect(() => {
    const name = picture.value;
    if (name === own) return;
    stopCamera();
    void loadBundled(name);
  });
}

// ── The camera ─────────────────────────────────────────────────────────────────────────────────────────────────────

export const camera = signal(false);
let stream: MediaStream | undefined;
/** Counts what was asked of the camera: people may have turned to something else before they allow it. */
let asks = 0;

export function stopCamera(): void {
  asks++;
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  camera.value = false;
}

/** Shows what the camera sees, picture by picture, until it is stopped; the last one stays. */
export async function startCamera(): Promise<void> {
  const ask = ++asks;
  let allowed: MediaStream;
  try {
    allowed = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } } });
  } catch (error) {
    const refused = error instanceof DOMException && error.name === "NotAllowedError";
    tell(
      refused ? "The camera was refused, so the picture stays as it is." : `There is no camera: ${messageOf(error)}.`,
    );
    return;
  }
  if (ask !== asks) {
    for (const track of allowed.getTracks()) track.stop();
    return;
  }
  stream = allowed;
  camera.value = true;
  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = stream;
  await video.play();
  picture.value = own;
  while (ask === asks) {
    const picture = await createImageBitmap(video);
    if (ask === asks) await load("The camera", picture);
    await new Promise(requestAnimationFrame);
  }
}
