// Some of the drawn pictures that the result was evaluated on: what each shows, and what both models call it.
import { useEffect, useRef } from "preact/hooks";
import type { Evaluation } from "../engine/protocol.ts";
import { percent, plural } from "../text.ts";

export function Examples({ evaluation: { pictures, same, examples } }: { evaluation: Evaluation }) {
  const changed = examples.filter(({ before, after }) => before !== after).length;
  return (
    <figure class="examples">
      <h3>Shapes that nothing was fitted to, and what the network calls them: before → after</h3>
      <ul>
        {examples.map((example, i) => (
          <li key={i}>
            <Example {...example} />
          </li>
        ))}
      </ul>
      <figcaption>
        Both say the same of {percent(same / pictures)} of {plural(pictures, "picture")}.
        {changed > 0 && " Shown first are some of which they do not."}
      </figcaption>
    </figure>
  );
}

function Example({ picture: { width, height, data }, is, before, after }: Evaluation["examples"][number]) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    canvas.current!.getContext("2d")!.putImageData(new ImageData(new Uint8ClampedArray(data), width, height), 0, 0);
  }, [data, width, height]);
  const mark = (name: string): string => `${name}\u00a0${name === is ? "✓" : "✗"}`;
  return (
    <>
      <canvas ref={canvas} width={width} height={height} role="img" aria-label={`A drawn ${is}`} />
      <b>{is}</b>
      <span>{before === after ? mark(after) : `${mark(before)} → ${mark(after)}`}</span>
    </>
  );
}
