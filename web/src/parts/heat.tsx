// A filter, or a part of one, as a small picture in the colours of signed numbers.
import { useEffect, useRef } from "preact/hooks";
import { colourOf, isDark, largest } from "../colour.ts";

interface Props {
  values: readonly number[];
  width: number;
  height: number;
  /** The size that takes the full colour: the largest of the values unless given. */
  most?: number;
  /** Values of pixels: greys, not the colours of signs. */
  grey?: boolean;
  label?: string;
  class?: string;
}

export function Heat({ values, width, height, most = largest(values), grey, label, class: name = "" }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dark = isDark.value;
  useEffect(() => {
    const context = canvas.current!.getContext("2d")!;
    const image = context.createImageData(width, height);
    values.forEach((value, i) => {
      const level = 255 * Math.max(0, value / (most || 1));
      image.data.set([...(grey ? [level, level, level] : colourOf(value / (most || 1), dark)), 255], 4 * i);
    });
    context.putImageData(image, 0, 0);
  }, [values, width, height, most, grey, dark]);
  const role = label === undefined ? { "aria-hidden": true as const } : { role: "img" as const, "aria-label": label };
  return <canvas ref={canvas} width={width} height={height} class={`heat ${name}`} {...role} />;
}

/** The legend of the colours: what the ends and the middle mean. */
export function Legend({ most, unit = "" }: { most: string; unit?: string }) {
  return (
    <p class="legend">
      <span>
        {most === "0" ? "0" : `−${most}`}
        {unit}
      </span>
      <Heat values={ramp} width={ramp.length} height={1} />
      <span>
        {most}
        {unit}
      </span>
    </p>
  );
}

const ramp = Array.from({ length: 65 }, (_, i) => (i - 32) / 32);
