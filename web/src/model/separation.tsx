// The settings of a separation: how losses are evaluated, and how far it goes. Its result is shown by separated.tsx.
import { Choices, Slider } from "../parts/controls.tsx";
import { number, plural } from "../text.ts";
import { droppedPictures, picturesOf } from "./files.ts";
import { Separated } from "./separated.tsx";
import { type Basis, choice, chosenCall, type OpenModel, pieces, separateModel, separation } from "./state.ts";
import { Progress, Start } from "./working.tsx";

const { basis, files, drawn, reduce, rank } = choice;

const bases: readonly (readonly [Basis, string])[] = [
  ["drawn", "Drawn pictures"],
  ["pictures", "Your pictures"],
  ["weights", "Its weights alone"],
];

const explained: Readonly<Record<Basis, string>> = {
  drawn:
    "What the network makes of shapes that are drawn here is preserved; the result is evaluated on others. This takes a minute or two.",
  pictures:
    "What the model makes of typical pictures is preserved: a few dozen of them, better a few hundred. No labels are needed. Small networks take minutes; for one of waifu2x’s size, which takes the better part of an hour here, the command below is the better place.",
  weights:
    "Only the weights are approximated, so more is lost. Every layer gets the same depth multiplier. This takes up to a minute.",
};

export function Separation({ open }: { open: OpenModel }) {
  const call = chosenCall();
  const result = separation.value;
  return (
    <section
      class="panel run"
      aria-label="Separate it"
      onDrop={(event) => {
        const { items } = event.dataTransfer!;
        if (![...items].some(({ kind, type }) => kind === "file" && (type === "" || type.startsWith("image/")))) return;
        void take(event);
      }}
    >
      <h2>Separate it</h2>
      <p class="hint">Its regular convolutions become two or three cheaper ones each, where that gains.</p>
      <Choices
        label="Losses are evaluated by"
        value={basis.value}
        options={bases.filter(([one]) => one !== "drawn" || open.bundled)}
        onChange={(one) => (basis.value = one)}
      />
      <p class="hint">{explained[basis.value]}</p>
      {basis.value === "pictures" && <Pictures />}
      <div class="settings">
        {basis.value === "drawn" && (
          <Slider
            label="Pictures that are drawn"
            value={drawn.value}
            {...{ min: 20, max: 300, step: 20 }}
            onInput={(value) => (drawn.value = value)}
          />
        )}
        {basis.value === "weights" ? (
          <Slider
            label="Depth multiplier of each layer"
            value={rank.value}
            {...{ min: 1, max: 9 }}
            onInput={(value) => (rank.value = value)}
          />
        ) : (
          <Slider
            label="Divide the multiplications by"
            value={reduce.value}
            {...{ min: 1.1, max: 10, step: 0.1, text: number(reduce.value) }}
            onInput={(value) => (reduce.value = value)}
          />
        )}
      </div>
      <div class="row">
        <Start kind="separate" primary ready={call !== undefined} onStart={() => void separateModel(call!)}>
          Separate
        </Start>
        <Progress kind="separate" done={result ? `Done in ${number(result.report.seconds)} s.` : ""} />
      </div>
      {result && <Separated result={result} open={open} />}
    </section>
  );
}

async function take(event: DragEvent): Promise<void> {
  event.preventDefault();
  event.stopPropagation();
  const found = await droppedPictures(event.dataTransfer!);
  basis.value = "pictures";
  files.value = found;
}

/** Several files, or a folder. */
function Pictures() {
  const choose = (folder: boolean, text: string) => (
    <label class="button">
      {text}
      <input
        type="file"
        accept="image/*"
        multiple
        {...(folder && { webkitdirectory: true })}
        onChange={(event) => {
          files.value = picturesOf(event.currentTarget.files);
          event.currentTarget.value = "";
        }}
      />
    </label>
  );
  const { length } = files.value;
  return (
    <div class="row">
      {choose(false, "Choose pictures…")}
      {choose(true, "A folder…")}
      <p class="hint" role="status">
        {length > 0
          ? `${plural(length, "picture")} chosen; larger ones ${pieces.value ? "give four pieces each" : "are made smaller"}, as set above.`
          : "None yet. Files and folders can be dropped here, too."}
      </p>
    </div>
  );
}
