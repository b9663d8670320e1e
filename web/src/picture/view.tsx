// The second view: a picture under the filter, pass by pass and pixel by pixel.
import { computed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { call } from "../engine/client.ts";
import { Parameters, Presets } from "../filter/presets.tsx";
import { Choices, Select, Slider, Switch } from "../parts/controls.tsx";
import { Copy } from "../parts/copy.tsx";
import { Legend } from "../parts/heat.tsx";
import { PlanTable } from "../parts/plan.tsx";
import { filterSnippets } from "../snippets.ts";
import { nameOf } from "../state/choice.ts";
import { borders, pictures, types } from "../state/hash.ts";
import { atRest } from "../state/rest.ts";
import {
  border,
  chosen,
  exact,
  factors,
  filter,
  flip,
  messageOf,
  picture,
  rank,
  shownRank,
  tell,
  type,
} from "../state/state.ts";
import { milliseconds as asTime, count, number, percent } from "../text.ts";
import { display, filterOptions } from "./call.ts";
import { Passes } from "./passes.tsx";
import { Pixel } from "./pixel.tsx";
import { largest, measureAll, measured, measuring, milliseconds, mode, plan, toWhole } from "./result.ts";
import { camera, followPaste, followPicture, own, source, startCamera, stopCamera, takeFile } from "./source.ts";
import { Stage } from "./stage.tsx";

const snippets = atRest(computed(() => filterSnippets(chosen.value, filterOptions.value, factors.value)));

const modes = [
  ["divider", "Before | after"],
  ["result", "Result"],
  ["difference", "Difference"],
] as const;

const typeNames = { auto: "as fits", u8: "u8, cut at 0 and 255", i16: "i16", f32: "f32" } as const;

export function PictureView() {
  useEffect(followPicture, []);
  useEffect(followPaste, []);
  useEffect(
    () => () => {
      stopCamera();
      measuring.value?.abort();
    },
    [],
  );
  return (
    <section class="picture-view" aria-label="A picture under the filter">
      <h1 class="hidden">A picture under the filter</h1>
      <Presets />
      <div class="workshop">
        <div class="panel stage-panel">
          <div class="row">
            <Choices label="Show" hideLabel value={mode.value} options={modes} onChange={(one) => (mode.value = one)} />
          </div>
          <div class="beside">
            <div>
              <Stage />
              <Below />
            </div>
            {source.value && <Pixel source={source.value} />}
          </div>
        </div>
        <div class="panel side">
          <Sources />
          <Parameters />
          <RankSlider />
          <div class="row">
            <Select
              label="Border"
              value={border.value}
              options={borders.map((one) => [one, one])}
              onChange={(one) => (border.value = one)}
            />
            <Select
              label="Result"
              value={type.value}
              options={types.map((one) => [one, typeNames[one]])}
              onChange={(one) => (type.value = one)}
            />
          </div>
          <Switch
            label="Flip: mathematical convolution in place of correlation"
            checked={flip.value}
            onChange={(on) => (flip.value = on)}
          />
        </div>
      </div>
      {source.value && <Passes source={source.value} />}
      <Plans />
      <Copy snippets={snippets.value} />
    </section>
  );
}

/** What the stage shows, in words, and how long it took. */
function Below() {
  const { signed, gain } = display.value;
  const reduced = shownRank.value < exact.value.exactRank;
  const { image, name } = source.value ?? {};
  return (
    <div class="below">
      <p class="hint">
        {name && image ? `${name}, ${count(image.width)} × ${count(image.height)}. ` : "Loading the picture. "}
        {plan.value && `Filtered in ${asTime(milliseconds.value)} by ${plan.value.solver}. `}
        {mode.value !== "difference" &&
          signed &&
          type.value !== "u8" &&
          `Zero is mid-grey; a grey level is ${number(1 / gain)}. `}
        The frame is what the filter finds beyond the edges. Ctrl and the wheel, two fingers or + and − zoom; a double
        click fits.
      </p>
      <Save />
      {mode.value === "difference" && largest.value !== undefined && (
        <Legend most={number(largest.value)} unit=" levels" />
      )}
      {mode.value === "difference" && reduced && (
        <Switch
          label="Against the whole filter, not the picture"
          checked={toWhole.value}
          onChange={(on) => (toWhole.value = on)}
        />
      )}
    </div>
  );
}

/** The picture on the stage as a file. */
function Save() {
  const saving = useSignal(false);
  const save = async (): Promise<void> => {
    saving.value = true;
    try {
      const address = URL.createObjectURL(await call("save", undefined));
      const name = (source.value?.name ?? "picture")
        .replace(/\.\w+$/, "")
        .replaceAll(/\W+/g, "-")
        .toLowerCase();
      const link = Object.assign(document.createElement("a"), { href: address });
      link.download = `${name}-${nameOf(filter.value).replaceAll(/[^\w-]+/g, "-")}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
    } catch (error) {
      tell(`The result could not be saved: ${messageOf(error)}.`);
    } finally {
      saving.value = false;
    }
  };
  return (
    <button type="button" disabled={!plan.value || saving.value} onClick={() => void save()}>
      Save the result
    </button>
  );
}

function Sources() {
  return (
    <div class="sources">
      <Select
        label="Picture"
        value={picture.value}
        options={[
          ...pictures.map((one) => [one, one === "chart" ? "Test chart" : "Landscape"] as const),
          ...(picture.value === own ? [[own, "Your own"] as const] : []),
        ]}
        onChange={(one) => (picture.value = one)}
      />
      <div class="row">
        <label class="button">
          Open…
          <input
            type="file"
            accept="image/*"
            onChange={(event) => {
              const [file] = event.currentTarget.files ?? [];
              if (file) void takeFile(file);
              event.currentTarget.value = "";
            }}
          />
        </label>
        <button type="button" onClick={() => (camera.value ? stopCamera() : void startCamera())}>
          {camera.value ? "Stop the camera" : "Camera"}
        </button>
      </div>
      <p class="hint">Or drop or paste one.</p>
    </div>
  );
}

function RankSlider() {
  const { exactRank } = exact.value;
  if (exactRank <= 1) return null;
  const { error } = factors.value;
  return (
    <Slider
      label="Terms that are kept"
      value={shownRank.value}
      min={1}
      max={exactRank}
      text={`${shownRank.value} of ${exactRank}, error ${error === 0 ? "0" : percent(error)}`}
      onInput={(value) => {
        rank.value = value === exactRank ? undefined : value;
      }}
    />
  );
}

function Plans() {
  if (!plan.value) return null;
  const times = { [plan.value.solver]: milliseconds.value, ...measured.value };
  const busy = measuring.value;
  return (
    <section class="plans panel" aria-label="The plan">
      <div class="row spread">
        <h2>The plan, and the rejected ones</h2>
        <button type="button" onClick={() => (busy ? busy.abort() : void measureAll())}>
          {busy ? "Stop timing" : "Time all plans"}
        </button>
      </div>
      <PlanTable
        plan={plan.value}
        measured={times}
        caption="Predictions are for one thread of a reference machine; measured is this browser, now."
      />
    </section>
  );
}
