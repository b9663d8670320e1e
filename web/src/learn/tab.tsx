// Learn as the studio's first view: loaded when it is shown, and its links lead to the other views.
import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { type Tab, tabs } from "../state/hash.ts";
import { messageOf, tab, tell } from "../state/state.ts";
import type { LearnView } from "./view.tsx";

type View = Parameters<typeof LearnView>[0];

const says: Record<Exclude<Tab, "learn">, string> = {
  filter: "Take your own filters apart, and leave terms out.",
  picture: "Filter your own pictures, pass by pass and pixel by pixel.",
  layer: "Count a layer of your own sizes.",
  model: "Find where a model multiplies, and separate it.",
};

export function LearnTab() {
  const view = useSignal<{ View: ComponentType<View> } | undefined>(undefined);
  useEffect(() => {
    import("./view.tsx").then(
      ({ LearnView }) => {
        view.value = { View: LearnView };
      },
      (error) => tell(messageOf(error)),
    );
  }, [view]);
  if (!view.value) return <p class="hint">Loading…</p>;
  const { View } = view.value;
  return <View more={<More />} />;
}

const More = () => (
  <ul class="links">
    {tabs.map((one) =>
      one === "learn" ? null : (
        <li key={one}>
          <button
            type="button"
            onClick={() => {
              tab.value = one;
              scrollTo({ top: 0 });
            }}
          >
            {says[one]}
          </button>
        </li>
      ),
    )}
  </ul>
);
