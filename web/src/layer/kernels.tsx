// The filters (kernels) of a scene, between what goes in and what comes out: each with as many sheets as it reads channels.
import { Volume } from "./volume.tsx";

interface Props {
  kernel: number;
  /** Channels that each reads. */
  depth: number;
  count: number;
  /** The input channel of a sheet of a filter; undefined where all channels are mixtures. */
  channelOf?: (filter: number, sheet: number) => number;
  label: string;
}

/** More of them are told by their number. */
const mostShown = 3;
const room = 58;

export function Kernels({ kernel, depth, count, channelOf, label }: Props) {
  const shown = Math.min(count, mostShown);
  const more = count - shown;
  return (
    <figure class="kernels" aria-label={label}>
      <div>
        {Array.from({ length: shown }, (_, i) => (
          <Volume
            key={i}
            shape={[kernel, kernel, depth]}
            label={`Filter ${i + 1} of ${count}`}
            channelOf={channelOf && ((sheet) => channelOf(i, sheet))}
            room={room}
          />
        ))}
      </div>
      <figcaption>{more > 0 ? `and ${more} more like these` : ""}</figcaption>
    </figure>
  );
}
