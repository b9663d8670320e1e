// Six screens, one idea each: the way through them, and where it leads after.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ChannelsScreen } from "./channels.tsx";
import { CountScreen } from "./count.tsx";
import { PaysScreen } from "./pays.tsx";
import { RankScreen } from "./rank.tsx";
import { SplitScreen } from "./split.tsx";
import { type Lesson, lesson, lessons, titles } from "./state.ts";
import { WindowScreen } from "./window.tsx";

const screens: Record<Lesson, () => ComponentChildren> = {
  window: WindowScreen,
  split: SplitScreen,
  rank: RankScreen,
  pays: PaysScreen,
  channels: ChannelsScreen,
  count: CountScreen,
};

/** `more` stands after the last screen: where to go on. */
export function LearnView({ more }: { more: ComponentChildren }) {
  const now = lesson.value;
  const at = lessons.indexOf(now);
  const Now = screens[now];
  const shown = useRef(now);
  useEffect(() => {
    if (shown.current === now) return;
    shown.current = now;
    // Those who read by ear or keys begin at the new heading
    document.getElementById("lesson")?.focus({ preventScroll: true });
    document.getElementById("learn-top")?.scrollIntoView({ block: "nearest" });
  }, [now]);
  return (
    <div class="learn" id="learn-top">
      <nav aria-label="Screens">
        <ol class="path">
          {lessons.map((one, i) => (
            <li key={one}>
              <button
                type="button"
                aria-current={one === now ? "step" : undefined}
                onClick={() => {
                  lesson.value = one;
                }}
              >
                <span class="dot">{i + 1}</span> <span class="title">{titles[one]}</span>
              </button>
            </li>
          ))}
        </ol>
      </nav>
      <Now key={now} />
      <div class="row ends">
        <Go to={lessons[at - 1]} says="Back" />
        <Go to={lessons[at + 1]} says="Next" primary />
      </div>
      {now === lessons.at(-1) && (
        <section class="more" aria-labelledby="more">
          <h2 id="more">Go on</h2>
          {more}
          <Sources />
        </section>
      )}
    </div>
  );
}

function Go({ to, says, primary }: { to: Lesson | undefined; says: string; primary?: boolean }) {
  if (!to) return <span />;
  return (
    <button
      type="button"
      class={primary ? "primary" : ""}
      onClick={() => {
        lesson.value = to;
      }}
    >
      {says}: {titles[to]}
    </button>
  );
}

const sources: readonly (readonly [address: string, text: string])[] = [
  [
    "https://bartwronski.com/2020/02/03/separate-your-filters-svd-and-low-rank-approximation-of-image-filters/",
    "Bart Wronski: separate your filters, with the singular value decomposition",
  ],
  ["https://arxiv.org/abs/1704.04861", "Howard and others 2017: MobileNets, networks of depthwise separable layers"],
  ["https://arxiv.org/abs/1405.3866", "Jaderberg and others 2014: layers of low rank, in rows and columns"],
  ["https://arxiv.org/abs/1412.6553", "Lebedev and others 2015: three factors, the CP decomposition"],
  ["https://setosa.io/ev/image-kernels/", "Victor Powell: image kernels explained visually"],
  ["https://poloclub.github.io/cnn-explainer/", "CNN Explainer: a whole network to walk through"],
];

function Sources() {
  return (
    <>
      <h3>Sources, and others who explain it well</h3>
      <ul class="links">
        {sources.map(([address, text]) => (
          <li key={address}>
            <a href={address} rel="noreferrer">
              {text}
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}
