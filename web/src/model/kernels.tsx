// The filters (kernels) of a layer as pictures: what each reads of the first input channel.
import { useEffect, useState } from "preact/hooks";
import { largest } from "../colour.ts";
import { call } from "../engine/client.ts";
import type { LayerKernels } from "../engine/protocol.ts";
import { Heat } from "../parts/heat.tsx";
import { messageOf } from "../state/state.ts";
import { plural } from "../text.ts";

export function Kernels({ at }: { at: number }) {
  const [found, setFound] = useState<LayerKernels | string | undefined>(undefined);
  useEffect(() => {
    call("kernels", { layer: at }).then(setFound, (error) => setFound(messageOf(error)));
  }, [at]);
  if (typeof found === "string") return <p class="hint">Its kernels cannot be shown: {found}.</p>;
  if (!found) return null;
  const { kh, kw, kernels, count, channels } = found;
  const most = largest(kernels.flat());
  return (
    <figure class="kernel-pictures">
      <div role="img" aria-label={`${kernels.length} of ${plural(count, "kernel")}, ${kh} × ${kw}`}>
        {kernels.map((values, i) => (
          <Heat key={i} {...{ values, most }} width={kw} height={kh} />
        ))}
      </div>
      <figcaption>
        {kernels.length < count ? `The first ${kernels.length} of ` : ""}
        {plural(count, "kernel")}, {kh} × {kw}
        {channels > 1 && `: of ${channels} channels, the first`}.
      </figcaption>
    </figure>
  );
}
