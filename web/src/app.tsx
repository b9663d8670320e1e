// The frame around the views: tabs, the engine's state, notices, and what screen readers are told.
import { computed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { followDrops } from "./drop.ts";
import { engineInfo } from "./engine/client.ts";
import { FilterView } from "./filter/view.tsx";
import { LayerView } from "./layer/view.tsx";
import { lesson, titles as lessons } from "./learn/state.ts";
import { LearnTab } from "./learn/tab.tsx";
import { model } from "./model/state.ts";
import { ModelView } from "./model/view.tsx";
import { PictureView } from "./picture/view.tsx";
import { nameOf } from "./state/choice.ts";
import { type Tab, tabs } from "./state/hash.ts";
import { type Action, exact, factors, filter, messageOf, notice, shownRank, tab, tell } from "./state/state.ts";
import { count, percent, plural } from "./text.ts";

const titles: Record<Tab, string> = {
  learn: "Learn",
  filter: "Filter",
  picture: "Picture",
  layer: "Layer",
  model: "Model",
};
const views = { learn: LearnTab, filter: FilterView, picture: PictureView, layer: LayerView, model: ModelView };

/** What the page is called: the view, and what it shows. */
const title = computed(() => {
  const filtered = nameOf(filter.value);
  const names = { learn: lessons[lesson.value], filter: filtered, picture: filtered, model: model.value?.file.name };
  const shown = (names as Partial<Record<Tab, string>>)[tab.value];
  return `${titles[tab.value]}${shown ? `: ${shown}` : ""} – rank1 studio`;
});

export function App() {
  const View = views[tab.value];
  useEffect(followDrops, []);
  const named = title.value;
  useEffect(() => {
    document.title = named;
  }, [named]);
  return (
    <>
      <header class="top">
        <p class="mark">
          <Mark />
          rank1 <span>studio</span>
        </p>
        <Tabs />
        <Engine />
      </header>
      <Notice />
      <main>
        <div id="view" role="tabpanel" aria-labelledby={`tab-${tab.value}`}>
          <View />
        </div>
      </main>
      <footer>
        <p>
          Pictures and models stay on this machine: nothing is sent anywhere. One multiplication is one
          multiply-accumulate, 2&nbsp;FLOP.
        </p>
      </footer>
      <Announcer />
    </>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 20 20" width="22" height="22" aria-hidden="true">
      <rect x="0" y="6" width="4" height="14" rx="1" />
      <rect x="6" y="0" width="14" height="4" rx="1" />
      <rect x="6" y="6" width="14" height="14" rx="1" opacity=".35" />
    </svg>
  );
}

function Tabs() {
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    tab.value = tabs[(tabs.indexOf(tab.value) + by + tabs.length) % tabs.length]!;
    requestAnimationFrame(() => document.getElementById(`tab-${tab.value}`)?.focus());
  };
  return (
    <div role="tablist" aria-label="Views" class="tabs" onKeyDown={onKeyDown}>
      {tabs.map((one) => (
        <button
          key={one}
          type="button"
          role="tab"
          id={`tab-${one}`}
          aria-controls="view"
          aria-selected={one === tab.value}
          tabIndex={one === tab.value ? 0 : -1}
          onClick={() => {
            tab.value = one;
          }}
        >
          {titles[one]}
        </button>
      ))}
    </div>
  );
}

/** What computes, in a few words, once something is computed; and once, as a notice, that it could be faster. */
function Engine() {
  const info = engineInfo.value;
  useEffect(() => {
    if (info instanceof Error) tell(messageOf(info));
    else if (info?.backend === "reference")
      tell("This page may not compile WebAssembly, so plain loops in JavaScript run: the same results, slowly.");
  }, [info]);
  if (!info || info instanceof Error) return <p class="engine" />;
  const { backend, threads, reason } = info;
  const what = backend === "wasm" ? `WebAssembly, ${plural(threads, "thread")}` : "JavaScript";
  return (
    <p class="engine" title={reason}>
      {what}
    </p>
  );
}

function Notice() {
  const current = notice.value;
  return (
    <div class="notices" role="alert">
      {current && (
        <p key={current.id} class={current.quiet ? "quiet" : ""}>
          <span>{current.text}</span>
          {current.action && <Act {...current.action} />}
          <button
            type="button"
            onClick={() => {
              notice.value = undefined;
            }}
          >
            Close
          </button>
        </p>
      )}
    </div>
  );
}

function Act({ text, run }: Action) {
  return (
    <button
      type="button"
      onClick={() => {
        notice.value = undefined;
        run();
      }}
    >
      {text}
    </button>
  );
}

const settleMilliseconds = 700;

/** Says rank, error and cost once they have settled. */
function Announcer() {
  const { error, multiplications } = factors.value;
  const { direct, separable } = multiplications;
  // Learn says for itself what it shows
  const quiet = tab.value === "learn";
  const text = quiet
    ? ""
    : `Rank ${shownRank.value} of ${exact.value.exactRank}, error ${percent(error)}, ${plural(direct, "multiplication")} as it stands, ${count(separable)} in passes.`;
  const said = useSignal("");
  useEffect(() => {
    const timer = setTimeout(() => {
      said.value = text;
    }, settleMilliseconds);
    return () => clearTimeout(timer);
  }, [text, said]);
  return (
    <p class="hidden" role="status">
      {said.value}
    </p>
  );
}
