// How much of a picture the stage shows, and where: fitted into its frame, or by steps from 25 to 800 %, around a centre.
import { signal } from "@preact/signals";

/** Pixels of the screen for each of the picture. */
export const zoomSteps = [0.25, 0.5, 1, 2, 4, 8] as const;

export interface Zoom {
  scale: number;
  /** The place in the middle of the frame, as shares of the picture with its border. */
  x: number;
  y: number;
}

/** Undefined: fitted. */
export const zoom = signal<Zoom | undefined>(undefined);

export interface Sides {
  width: number;
  height: number;
}

export interface Place extends Sides {
  left: number;
  top: number;
}

const ratio = (): number => globalThis.devicePixelRatio || 1;

/** Where the picture lies in its frame, in units of the page: it covers the frame, or stands in its middle. */
export function placeOf(picture: Sides, frame: Sides): Place {
  const { scale, x, y } = zoom.value ?? { scale: fitScale(picture, frame), x: 0.5, y: 0.5 };
  const [width, height] = [(picture.width * scale) / ratio(), (picture.height * scale) / ratio()];
  const start = (size: number, room: number, centre: number): number =>
    size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, room / 2 - centre * size));
  return { width, height, left: start(width, frame.width, x), top: start(height, frame.height, y) };
}

const fitScale = (picture: Sides, frame: Sides): number => (frame.width * ratio()) / picture.width;

/** The scale now, fitted or not. */
export const scaleNow = (picture: Sides, frame: Sides): number => zoom.value?.scale ?? fitScale(picture, frame);

/** Another scale; the place of the picture that is at a point of the frame stays there. */
export function zoomTo(scale: number, picture: Sides, frame: Sides, at = { x: frame.width / 2, y: frame.height / 2 }) {
  const place = placeOf(picture, frame);
  const next = Math.min(zoomSteps.at(-1)!, Math.max(zoomSteps[0], scale));
  const [width, height] = [(picture.width * next) / ratio(), (picture.height * next) / ratio()];
  zoom.value = {
    scale: next,
    x: (at.x - place.left) / place.width + (frame.width / 2 - at.x) / width,
    y: (at.y - place.top) / place.height + (frame.height / 2 - at.y) / height,
  };
}

/** The next step up or down. */
export function zoomBy(direction: 1 | -1, picture: Sides, frame: Sides): void {
  const now = scaleNow(picture, frame);
  const next =
    direction > 0 ? zoomSteps.find((one) => one > now * 1.001) : zoomSteps.findLast((one) => one < now * 0.999);
  if (next !== undefined) zoomTo(next, picture, frame);
}

/** Moves the picture by so many units of the page. */
export function pan(dx: number, dy: number, picture: Sides, frame: Sides): void {
  const { scale } = zoom.value ?? { scale: fitScale(picture, frame) };
  const { left, top, width, height } = placeOf(picture, frame);
  zoom.value = { scale, x: (frame.width / 2 - left - dx) / width, y: (frame.height / 2 - top - dy) / height };
}

/** Brings a place of the picture into the frame, if it is outside. */
export function reveal(x: number, y: number, picture: Sides, frame: Sides): void {
  if (!zoom.value) return;
  const { left, top, width, height } = placeOf(picture, frame);
  const [across, down] = [left + x * width, top + y * height];
  if (across < 0 || across > frame.width || down < 0 || down > frame.height) zoom.value = { ...zoom.value, x, y };
}
