// Bad input: a typed error that names the parameter, says what was expected and what came, and leaves `out` untouched.
import { afterAll, describe, expect, it } from "vitest";
import {
  createEngine,
  type Engine,
  explain,
  InvalidArgumentError,
  LimitError,
  Rank1Error,
  type UnsupportedError,
} from "../../src/index.ts";
import { randomImage } from "../oracle.ts";

const engine = await createEngine({ backend: "wasm", threads: 2 });
afterAll(() => engine.dispose());

const rgb = randomImage(6, 5, 3, "u8", 1);
const rgba = randomImage(6, 5, 4, "u8", 2);
const real = randomImage(6, 5, 3, "f32", 3);
const untyped = (value: unknown) => value as never;

type Class = typeof InvalidArgumentError | typeof LimitError | typeof UnsupportedError | typeof Rank1Error;

/** Runs what must fail, now or later, and checks the form of the error. */
async function failure(call: () => unknown, type: Class = InvalidArgumentError): Promise<Rank1Error> {
  const error = await (async () => call())().then(
    () => expect.fail("there was no error"),
    (thrown: unknown) => thrown as Rank1Error,
  );
  expect(error).toBeInstanceOf(type);
  const { parameter, expected, received, message } = error;
  expect(message).toContain(`${parameter}: expected ${expected}, got ${received}`);
  for (const text of [parameter, expected, received]) expect(text).toMatch(/\S/);
  expect(message.length).toBeLessThan(400);
  return error;
}

describe("a bad picture", () => {
  const data = rgb.data;
  it.each<[what: string, image: unknown, message: string]>([
    ["bytes alone", new Uint8Array(4), "got Uint8Array(4); bytes alone do not say their sides"],
    ["a pipeline", { raw() {}, toBuffer() {} }, "await sharp.raw().toBuffer({ resolveWithObject: true }) gives one"],
    ["none", undefined, "image: expected an image { width, height, channels, data }, got undefined"],
    ["a text", "photo.png", 'image: expected one image { width, height, channels, data }, got "photo.png"'],
    ["too few elements", { ...rgb, width: 7 }, "image.data: expected 7 x 5 x 3 = 105 elements, got 90"],
    ["too many elements", { ...rgb, height: 4 }, "image.data: expected 6 x 4 x 3 = 72 elements, got 90"],
    ["u64", { ...rgb, data: new BigUint64Array(90) }, "image.data: expected an array of u8, "],
    ["i64", { ...rgb, data: new BigInt64Array(90) }, "got BigInt64Array(90)"],
    ["a plain list", { ...rgb, data: [...data] }, "got an array of 90"],
    ["a buffer", { ...rgb, data: data.buffer }, "image.data: expected an array of u8, "],
    ["no data", { width: 6, height: 5, channels: 3 }, "got undefined"],
    ["width 0", { ...rgb, width: 0 }, "image.width: expected an integer of at least 1, got 0"],
    ["height -5", { ...rgb, height: -5 }, "image.height: expected an integer of at least 1, got -5"],
    ["width 6.5", { ...rgb, width: 6.5 }, "image.width: expected an integer of at least 1, got 6.5"],
    ["width NaN", { ...rgb, width: Number.NaN }, "image.width: expected an integer of at least 1, got NaN"],
    ["width as text", { ...rgb, width: "6" }, 'image.width: expected an integer of at least 1, got "6"'],
    ["1025 channels", { ...rgb, channels: 1025 }, "image.channels: expected an integer from 1 to 1024, got 1025"],
    ["0 channels", { ...rgb, channels: 0 }, "image.channels: expected an integer from 1 to 1024, got 0"],
    ["no channels", { width: 6, height: 5, data }, "image.channels: expected an integer from 1 to 1024, got undefined"],
  ])("%s", async (_what, image, message) => {
    for (const call of [() => engine.filter(untyped(image), "box"), () => engine.gradient(untyped(image))]) {
      expect((await failure(call)).message).toContain(message);
    }
  });
});

describe("a bad filter", () => {
  it.each<[filter: unknown, message: string]>([
    [undefined, "filter: expected a name, rows of numbers, "],
    [7, "filter: expected a name, rows of numbers, "],
    ["sobelx", 'got "sobelx"; did you mean "sobel-x"?'],
    ["gaussian:sgma=2", 'got "sgma"; did you mean "sigma"?'],
    ["gaussian:sigma=-1", "gaussian sigma: expected a finite number above 0, got -1"],
    [[], "filter: expected at least one row, each an array of numbers"],
    [[[]], "filter columns: expected an integer of at least 1, got 0"],
    [[1, 2, 1], "filter: expected at least one row, each an array of numbers, got [1, 2, 1]; one row is [[1, 2, 1]]"],
    [[[1, 2], [3]], "filter row 1: expected 2 numbers, got 1"],
    [[[1, Number.NaN]], "filter row 0[1]: expected a finite number, got NaN"],
    [[[1, "2"]], 'filter row 0[1]: expected a finite number, got "2"'],
    [[[1, Infinity]], "filter row 0[1]: expected a finite number, got Infinity"],
    [{ kh: 2, kw: 2, values: [1, 2, 3] }, "filter.values: expected 4 numbers, got 3"],
    [{ column: [1, 2] }, "filter row: expected an integer of at least 1, got undefined"],
    [{ width: 2, height: 1, kernel: [1, 1], scale: 0 }, "filter.scale: expected an integer of at least 1, got 0"],
  ])("%j", async (filter, message) => {
    expect((await failure(() => engine.filter(rgb, untyped(filter)))).message).toContain(message);
  }); // biome-ignore format: a table
});

describe("a bad option", () => {
  const cases: [options: object, message: string][] = [
    [{ border: "blur" }, 'border: expected one of constant, edge, reflect, symmetric, wrap, got "blur"'],
    [{ border: "mirror" }, 'here its name is "reflect"'],
    [{ border: "reflect101" }, 'here its name is "reflect"'],
    [{ border: "nearest" }, 'here its name is "edge"'],
    [{ border: "replicate" }, 'here its name is "edge"'],
    [{ border: "symetric" }, 'did you mean "symmetric"?'],
    [{ boder: "wrap" }, 'got "boder"; did you mean "border"?'],
    [{ borderValue: 256 }, "borderValue: expected an integer from 0 to 255, got 256"],
    [{ borderValue: 0.5 }, "borderValue: expected an integer from 0 to 255, got 0.5"],
    [{ anchor: [3, 0] }, "anchor x: expected an integer from 0 to 2, got 3"],
    [{ anchor: [0, -1] }, "anchor y: expected an integer from 0 to 2, got -1"],
    [{ anchor: 1 }, "anchor: expected [x, y], got 1"],
    [{ gain: Number.NaN }, "gain: expected a finite number, got NaN"],
    [{ offset: "3" }, 'offset: expected a finite number, got "3"'],
    [{ flip: 1 }, "flip: expected true or false, got 1"],
    [{ output: "u64" }, 'output: expected one of u8, i8, u16, i16, u32, i32, f32, f64, got "u64"'],
    [{ tolerance: -0.1 }, "tolerance: expected a finite number from 0 to 1, got -0.1"],
    [{ tolerance: 1.5 }, "tolerance: expected a finite number from 0 to 1, got 1.5"],
    [{ alpha: "keep" }, 'alpha: expected "none" for a picture of 3 channels, got "keep"; alpha is the last of 2 or 4'],
    [{ alpha: "premultiplied" }, 'got "premultiplied"; did you mean "premultiply"?'],
    [{ strategy: "dirct" }, 'got "dirct"'],
    [{ strategy: 5 }, "strategy: expected one of direct, column-row, running-sum, got 5"],
    [{ strategy: Symbol("fft") }, "strategy: expected one of direct, column-row, running-sum, got"],
    [{ signal: 5 }, "signal: expected an AbortSignal, got 5"],
    [{ onProgress: true }, "onProgress: expected a function, got true"],
    [{ out: [1] }, "out: expected u8 elements, 90 of them, got [1]"],
    [{ out: new Uint8Array(89) }, "out: expected u8 elements, 90 of them, got Uint8Array(89)"],
    [{ out: new Int16Array(90) }, "out: expected u8 elements, 90 of them, got Int16Array(90)"],
    [{ out: rgb.data }, "out: expected memory apart from the image's, got an overlap"],
  ];

  it.each(cases)("%o", async (options, message) => {
    const before = rgb.data.slice();
    const out = new Uint8Array(90).fill(77);
    const all = untyped("out" in options ? options : { out, ...options });
    expect((await failure(() => engine.filter(rgb, "box", all))).message).toContain(message);
    expect(out.every((v) => v === 77)).toBe(true);
    expect(rgb.data).toEqual(before);
  });

  it.each(cases)("%o where the filter is a gradient", async (options, message) => {
    if ("strategy" in options) message = message.replace(", running-sum", "");
    const out = new Uint8Array(90).fill(77);
    const all = untyped("out" in options ? options : { out, ...options });
    expect((await failure(() => engine.filter(rgb, "sobel", all))).message).toContain(message);
    expect(out.every((v) => v === 77)).toBe(true);
  });

  const ofGradients = cases.filter(([options]) => !("out" in options || "strategy" in options));
  it.each(ofGradients)("%o of a gradient", async (options) => {
    await failure(() => engine.gradient(rgb, options));
  });

  it("that is no object", async () => {
    expect((await failure(() => engine.filter(rgb, "box", untyped(null)))).parameter).toBe("options");
    expect((await failure(() => engine.filter(rgb, "box", untyped("wrap")))).parameter).toBe("options");
    expect((await failure(() => engine.gradient(rgb, untyped([])))).parameter).toBe("options");
    expect((await failure(() => engine.gradient(rgb, { filter: untyped("sobbel") }))).message).toContain('"sobel"?');
  });

  it("an output that overlaps the picture in part; next to it is well", async () => {
    const memory = new Uint8Array(200);
    const image = { ...rgb, data: memory.subarray(0, 90) };
    expect((await failure(() => engine.filter(image, "box", { out: memory.subarray(89, 179) }))).parameter).toBe("out");
    const out = memory.subarray(90, 180);
    expect((await engine.filter(image, "box", { out })).data).toBe(out);
  });

  it("a border value that is no number, for real pictures", async () => {
    await engine.filter(real, "box", { border: "constant", borderValue: 0.5 });
    const error = await failure(() => engine.filter(real, "box", { borderValue: Infinity }));
    expect(error.message).toBe("borderValue: expected a finite number, got Infinity");
  });

  it("a strategy that does not apply: the message says why", async () => {
    const { message } = await failure(() => engine.filter(real, "box", { strategy: "running-sum" }));
    expect(message).toContain('got "running-sum"; running-sum does not apply: floating-point sums would drift');
    await failure(() => engine.filter(rgb, [[0]], { strategy: "column-row" }));
    await failure(() => engine.filter(rgb, "box", { strategy: "depthwise-pointwise" }));
  });
});

describe("a bad plan", () => {
  const problem = engine.filterProblem({ ...rgb, dtype: "u8" }, "sobel-x");
  const plan = engine.plan(problem);

  it.each<[what: string, plan: unknown]>([
    ["none", undefined],
    ["a text", JSON.stringify(plan)],
    ["a problem", problem],
    ["a version alone", { version: plan.version }],
    ["without stages", { ...plan, stages: undefined }],
    ["without buffers", { ...plan, buffers: undefined }],
  ])("%s", async (_what, bad) => {
    expect((await failure(() => engine.run(untyped(bad), rgb))).parameter).toMatch(/^plan/);
    expect((await failure(() => explain(untyped(bad)))).parameter).toMatch(/^plan/);
  });

  it("of another version", async () => {
    for (const version of [1, 3, "2"]) {
      const error = await failure(() => engine.run(untyped({ ...plan, version }), rgb), Rank1Error);
      expect([error.code, error.parameter, error.expected]).toEqual(["UNKNOWN_VERSION", "plan.version", "2"]);
    }
  });

  it("for another picture", async () => {
    const out = new Int16Array(90).fill(77);
    for (const image of [rgba, real, { ...rgb, width: 5, height: 6 }]) {
      const { message } = await failure(() => engine.run(plan, image, { out: untyped(out) }));
      expect(message).toContain("image: expected the plan's 5 x 6 x 3 (height x width x channels) of u8, got ");
    }
    expect(out.every((v) => v === 77)).toBe(true);
    expect((await failure(() => engine.run(plan, rgb, { out: new Uint8Array(90) }))).message).toContain("i16 elements");
    expect((await failure(() => engine.run(plan, rgb, untyped({ outt: out })))).message).toContain(
      'did you mean "out"?',
    );
  });

  it("that was asked for badly", async () => {
    for (const bad of [undefined, {}, { kind: "filter" }, "sobel-x"]) {
      expect((await failure(() => engine.plan(untyped(bad)))).parameter).toMatch(/^problem/);
    }
    const { message } = await failure(() => engine.plan(problem, untyped({ strategi: "direct" })));
    expect(message).toContain('did you mean "strategy"?');
    expect((await failure(() => engine.plan(problem, { strategy: "fft" }))).message).toContain("direct, column-row");
    for (const picture of [null, { ...rgb }, { ...rgb, dtype: "u64" }, { ...rgb, dtype: "u8", width: 0 }]) {
      await failure(() => engine.filterProblem(untyped(picture), "box"));
    }
    await failure(() => engine.filterProblem({ ...rgb, dtype: "u8", channels: 1025 }, "box"));
  });
});

describe("limits", () => {
  it("are checked before anything is taken, and can be raised", async () => {
    const strict = await createEngine({ backend: "reference", limits: { side: 10, pixels: 60, filterSide: 5 } });
    const long = randomImage(11, 1, 1, "u8", 1);
    const large = randomImage(8, 8, 1, "u8", 1);
    const failures: [Promise<Rank1Error>, string][] = [
      [failure(() => strict.filter(long, "box"), LimitError), "image side: expected at most 10 pixels, got 11"],
      [failure(() => strict.filter(large, "box"), LimitError), "image size: expected at most 60 pixels, got 64"],
      [failure(() => strict.filter(rgb, "box:7"), LimitError), "expected at most 5 pixels, got 7"],
      [failure(() => strict.filter(rgb, [[1, 1, 1, 1, 1, 1]]), LimitError), "expected at most 5 pixels, got 6"],
    ];
    for (const [error, message] of failures) {
      expect((await error).message).toContain(message);
      expect((await error).message).toContain("raise it with createEngine({ limits })");
      expect((await error).code).toBe("LIMIT_EXCEEDED");
    }
    const lenient = await createEngine({ backend: "reference", limits: { filterSide: 3001 } });
    await failure(() => engine.filter(rgb, { column: [1], row: new Array(3001).fill(1) }), LimitError);
    await lenient.filter(rgb, { column: [1], row: new Array(3001).fill(1) });
    await failure(() => engine.filter({ width: 1e9, height: 1e9, channels: 1, data: rgb.data }, "box"), LimitError);
  });

  it("of working memory name the option that raises them", async () => {
    const small = await createEngine({ backend: "reference", maxMemory: 2 ** 20 });
    const wide = randomImage(40_000, 3, 4, "u8", 1);
    const error = await failure(() => small.filter(wide, "box:31"), LimitError);
    expect(error.message).toContain("raise it with createEngine({ maxMemory })");
    await engine.filter(wide, "box:31");
  });
});

describe("a bad engine", () => {
  it.each<[options: unknown, message: string, type?: Class]>([
    [null, "options: expected an object of options, got null"],
    [{ thread: 2 }, 'did you mean "threads"?'],
    [{ threads: 0 }, "threads: expected an integer from 1 to 64, got 0"],
    [{ threads: 1.5 }, "threads: expected an integer from 1 to 64, got 1.5"],
    [{ backend: "cuda" }, 'backend: expected one of auto, wasm, webgpu, reference, got "cuda"'],
    [{ backend: "webgpu", deterministic: true }, 'deterministic: expected false with backend "webgpu", '],
    [{ backend: "webgpu", device: {} }, "device: expected a GPUDevice, got "],
    [{ backend: "webgpu", powerPreference: "most" }, "powerPreference: expected one of low-power, high-performance"],
    [{ allowSoftware: true }, 'allowSoftware: expected no such option but with backend "webgpu", got backend "auto"'],
    [{ deterministic: "yes" }, 'deterministic: expected true or false, got "yes"'],
    [{ maxMemory: 1000 }, "maxMemory: expected an integer from 1048576 to "],
    [{ limits: { width: 5 } }, 'limits key: expected one of side, pixels, filterSide, got "width"'],
    [{ limits: { side: 0 } }, "limits.side: expected an integer of at least 1, got 0"],
    [{ createWorker: "worker.js" }, 'createWorker: expected a function, got "worker.js"'],
  ])("%j", async (options, message, type = InvalidArgumentError) => {
    expect((await failure(() => createEngine(untyped(options)), type)).message).toContain(message);
  });

  it("that was disposed", async () => {
    const gone = await createEngine({ backend: "wasm", threads: 2 });
    const plan = gone.plan(gone.filterProblem({ ...rgb, dtype: "u8" }, "sobel-x"));
    await gone.run(plan, rgb);
    gone.dispose();
    gone.dispose();
    const out = new Int16Array(90).fill(77);
    const calls: ((engine: Engine) => unknown)[] = [
      (e) => e.filter(rgb, "sobel-x", { out }),
      (e) => e.filter(rgb, "sobel"),
      (e) => e.gradient(rgb),
      (e) => e.run(plan, rgb, { out }),
    ];
    for (const call of calls) expect((await failure(() => call(gone), Rank1Error)).code).toBe("DISPOSED");
    expect(out.every((v) => v === 77)).toBe(true);
  });
});

it("after all these errors the engine still works", async () => {
  const { data } = await engine.filter(rgb, "identity");
  expect(data).toEqual(rgb.data);
});

describe("a misspelt border", () => {
  it.each([
    ["mirrr", 'did you mean "mirror"? here its name is "reflect"'],
    ["reflct", 'did you mean "reflect"?'],
    ["mirror", 'here its name is "reflect"'],
  ])("%s gets a suggestion", async (border, hint) => {
    const image = { width: 1, height: 1, channels: 1, data: new Uint8Array(1) };
    const engine = await createEngine({ backend: "reference" });
    await expect(engine.filter(image, "box", { border: border as "reflect" })).rejects.toThrow(hint);
    engine.dispose();
  });
});

it("files and lists, of pictures or filters, are told where they go", async () => {
  const engine = await createEngine({ threads: 1 });
  const image = { width: 3, height: 3, channels: 1, data: new Uint8Array(9) };
  const picture = /^image: expected one image .*; files are filtered by filterFile of rank1\/node, one in a call/;
  for (const given of ["photo.jpg", [image, image], ["a.jpg", "b.jpg"]])
    await expect(engine.filter(given as never, "box:3")).rejects.toThrow(picture);
  for (const list of [["sobel", "box:3"], [{ column: [1], row: [1] }]])
    await expect(engine.filter(image, list as never)).rejects.toThrow(
      /^filter: expected one filter, got a list of filters; several/,
    );
  engine.dispose();
});
