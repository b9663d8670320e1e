// The picture that a detector was run on, with a frame around everything that it has found.
import { useEffect, useRef } from "preact/hooks";
import { percent, plural } from "../text.ts";
import type { Box } from "./detections.ts";

/** Of the picture as it is shown: more would not be seen. */
const mostWidth = 960;

export function Boxes({ image, boxes }: { image: ImageData; boxes: readonly Box[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = Math.min(mostWidth, image.width);
  const height = Math.round((image.height * width) / image.width);
  useEffect(() => {
    void createImageBitmap(image, { resizeWidth: width, resizeHeight: height }).then((bitmap) => {
      canvas.current?.getContext("2d")?.drawImage(bitmap, 0, 0);
      bitmap.close();
    });
  }, [image, width, height]);
  const [most, least] = [boxes[0]?.score ?? 0, boxes.at(-1)?.score ?? 0];
  const scores = boxes.length > 0 ? `, with scores from ${percent(least)} to ${percent(most)}` : "";
  const text = `${plural(boxes.length, "box")} found${scores}.`;
  return (
    <figure class="boxes">
      <div style={{ aspectRatio: `${width} / ${height}` }}>
        <canvas ref={canvas} {...{ width, height }} role="img" aria-label={`The picture with ${text}`} />
        <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
          {boxes.map(({ left, top, right, bottom }, i) => (
            <rect
              key={i}
              {...{ x: left * width, y: top * height, width: (right - left) * width, height: (bottom - top) * height }}
            />
          ))}
        </svg>
      </div>
      <figcaption>{text}</figcaption>
    </figure>
  );
}
