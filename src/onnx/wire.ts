// Messages of protobuf by a table of their fields, over the wire reader and writer of @bufbuild/protobuf, whose reflection
// would weigh more than all the rest of onnx/. What a table does not name is kept, and written again as it came.
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { InvalidArgumentError, LimitError, Rank1Error } from "../errors.ts";

/** "packed" is numbers in the form they have on the wire, one piece a record: tensors are read from it when asked for. */
type Scalar = "int" | "float" | "string" | "bytes" | "packed";
type Type = Scalar | Schema<Fields>;
type Field = readonly [no: number, type: Type, list?: "list"];
type Fields = Readonly<Record<string, Field>>;

export interface Schema<F extends Fields> {
  fields: F;
  byNumber: ReadonlyMap<number, readonly [name: string, field: Field]>;
}

/** A message by its fields, in the order of their numbers. */
export function schema<const F extends Fields>(fields: F): Schema<F> {
  return { fields, byNumber: new Map(Object.entries(fields).map((entry) => [entry[1][0], entry])) };
}

type ValueOf<T> = T extends "int"
  ? bigint
  : T extends "float"
    ? number
    : T extends "string"
      ? string
      : T extends "bytes" | "packed"
        ? Uint8Array
        : T extends Schema<infer F>
          ? MessageOf<F>
          : never;

type Lists<F extends Fields> = { [K in keyof F as F[K][2] extends "list" ? K : never]: ValueOf<F[K][1]>[] };
type Singles<F extends Fields> = { [K in keyof F as F[K][2] extends "list" ? never : K]?: ValueOf<F[K][1]> };

/** A message as plain data: lists are always there, single fields where they are set, `unknown` holds whole records. */
export type MessageOf<F extends Fields> = Lists<F> & Singles<F> & { unknown?: Uint8Array[] };

/** The type of a schema's messages. */
export type Message<S> = S extends Schema<infer F> ? MessageOf<F> : never;

/** Entries of all lists in one message: more than networks have, and few enough that a hostile file costs little. */
const mostEntries = 50_000;

/**
 * Reads a message; bytes in it are views of `bytes`. `what` names it in errors.
 *
 * @throws InvalidArgumentError for data that is truncated or no such message, LimitError for lists of over 50,000
 * entries in all, where a message counts as two.
 */
export function decode<F extends Fields>(schema: Schema<F>, bytes: Uint8Array, what: string): MessageOf<F> {
  return intact(what, () => read(schema, bytes, { what, left: mostEntries }) as MessageOf<F>);
}

/** Runs what reads a part of a file that has the name `what`; the reader's own errors become typed ones. */
export function intact<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof Rank1Error) throw cause;
    const received = `broken or truncated data (${(cause as Error).message})`;
    throw new InvalidArgumentError({ parameter: what, expected: "what ONNX files contain", received, cause });
  }
}

type Draft = Record<string, unknown> & { unknown?: Uint8Array[] };

/** How many entries of lists may still come. */
interface Room {
  what: string;
  left: number;
}

function read({ fields, byNumber }: Schema<Fields>, bytes: Uint8Array, room: Room): Draft {
  // Counted before anything is made of them: a view of each costs a hundred times as much
  if (bytes.length > 2 * room.left && countRecords(bytes) > room.left) throw tooMany(room);
  const message: Draft = {};
  for (const name in fields) if (fields[name]![2]) message[name] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [no, wireType] = reader.tag();
    const [name, field] = byNumber.get(no) ?? ["unknown", undefined];
    if (!field) {
      if (wireType === WireType.Varint) reader.uint64();
      else reader.skip(wireType, no);
      message.unknown ??= [];
      enter(message.unknown, bytes.subarray(start, reader.pos), room);
    } else if (field[2]) {
      readEntries(reader, wireType, field[1], message[name] as unknown[], room);
    } else {
      // Readers of protobuf would merge the two
      if (name in message && typeof field[1] !== "string") throw new Error(`${name} twice`);
      message[name] = readValue(reader, wireType, field[1], room);
    }
  }
  return message;
}

function enter(list: unknown[], value: unknown, room: Room, count = 1): void {
  room.left -= count;
  if (room.left < 0) throw tooMany(room);
  list.push(value);
}

function tooMany({ what }: Room): LimitError {
  const expected = `lists of at most ${mostEntries} entries in all`;
  return new LimitError({ parameter: what, expected, received: "more" });
}

/** The number of records of an intact message; anything else is for the reader to find. */
function countRecords(bytes: Uint8Array): number {
  let [at, count] = [0, 0];
  const varint = (): number => {
    let [value, shift] = [0, 0];
    for (; bytes[at]! > 127; shift += 7) value |= (bytes[at++]! & 127) << shift;
    return value | (bytes[at++]! << shift);
  };
  for (; at < bytes.length; count++) {
    const wireType = varint() & 7;
    const content = wireType === WireType.Varint || wireType === WireType.LengthDelimited ? varint() >>> 0 : 0;
    if (wireType === WireType.LengthDelimited) at += content;
    else if (wireType !== WireType.Varint) at += wireType === WireType.Bit64 ? 8 : wireType === WireType.Bit32 ? 4 : 0;
  }
  return count;
}

/** Numbers may stand one by one or packed, whatever the schema says. */
function readEntries(reader: BinaryReader, wireType: WireType, type: Type, list: unknown[], room: Room): void {
  const packed = wireType === WireType.LengthDelimited && (type === "int" || type === "float");
  if (!packed) {
    enter(list, readValue(reader, wireType, type, room), room, typeof type === "string" ? 1 : 2);
    return;
  }
  const inner = new BinaryReader(reader.bytes());
  while (inner.pos < inner.len) enter(list, type === "int" ? inner.int64() : inner.float(), room);
}

const wireTypes = { int: WireType.Varint, float: WireType.Bit32 } as const;

function readValue(reader: BinaryReader, wireType: WireType, type: Type, room: Room): unknown {
  if (type === "packed" && wireType !== WireType.LengthDelimited) return reader.skip(wireType);
  const expected = type === "int" || type === "float" ? wireTypes[type] : WireType.LengthDelimited;
  if (wireType !== expected) throw new Error(`wire type ${wireType} where ${expected} should be`);
  if (type === "int") return reader.int64();
  if (type === "float") return reader.float();
  if (type === "string") return reader.string();
  return typeof type === "string" ? reader.bytes() : read(type, reader.bytes(), room);
}

/** The bytes of a message: its fields in the order of the schema, then what was unknown. */
export function encode<F extends Fields>(schema: Schema<F>, message: Partial<MessageOf<F>>): Uint8Array {
  const writer = new BinaryWriter();
  write(writer, schema, message as Draft);
  return writer.finish();
}

function write(writer: BinaryWriter, { fields }: Schema<Fields>, message: Draft): void {
  for (const [name, [no, type, list]] of Object.entries(fields)) {
    const value = message[name];
    if (value === undefined) continue;
    for (const entry of list ? (value as unknown[]) : [value]) writeValue(writer, no, type, entry);
  }
  for (const record of message.unknown ?? []) writer.raw(record);
}

function writeValue(writer: BinaryWriter, no: number, type: Type, value: unknown): void {
  if (type === "int") writer.tag(no, WireType.Varint).int64(value as bigint);
  else if (type === "float") writer.tag(no, WireType.Bit32).float(value as number);
  else if (type === "string") writer.tag(no, WireType.LengthDelimited).string(value as string);
  else if (typeof type === "string") writer.tag(no, WireType.LengthDelimited).bytes(value as Uint8Array);
  else {
    writer.tag(no, WireType.LengthDelimited).fork();
    write(writer, type, value as Draft);
    writer.join();
  }
}
