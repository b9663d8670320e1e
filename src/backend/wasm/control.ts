// Generated accesses to the control block: atomic where memory is shared, plain where one thread works alone; and the fields of
// the ticket by which strips are taken.
import {
  atomic,
  type Code,
  get,
  i32,
  i64,
  type Local,
  load,
  op,
  select,
  set,
  store,
  sum,
  when,
} from "../../codegen/assembler.ts";
import { control, lineBytes, ticketBits } from "./script.ts";

type Field = keyof typeof control;

/** Reads and writes of the control block, atomic where memory is shared. */
export function memoryAccess(at: number, shared: boolean) {
  const plain = (type: "i32" | "i64", field: Field): Code => load(`${type}.load`, i32(at + control[field]));
  return {
    load: (field: Field, type: "i32" | "i64" = "i32"): Code =>
      shared ? atomic(`${type}.atomic.load`, i32(at + control[field])) : plain(type, field),
    store: (field: Field, value: Code, type: "i32" | "i64" = "i32"): Code =>
      shared
        ? atomic(`${type}.atomic.store`, i32(at + control[field]), [value])
        : store(`${type}.store`, i32(at + control[field]), value),
    /** local = the word as it was; the word grows. */
    add: (field: Field, by: number, old: Local): Code =>
      shared
        ? set(old, atomic("i32.atomic.rmw.add", i32(at + control[field]), [i32(by)]))
        : [
            set(old, plain("i32", field)),
            store("i32.store", i32(at + control[field]), op("i32.add", get(old), i32(by))),
          ],
    /** flag = whether the ticket was `expected` and is `wanted` now. */
    swapTicket: (expected: Code, wanted: Code, flag: Local): Code => {
      const address = i32(at + control.ticket);
      if (shared) {
        return set(flag, op("i64.eq", atomic("i64.atomic.rmw.cmpxchg", address, [expected, wanted]), expected));
      }
      return [
        set(flag, op("i64.eq", plain("i64", "ticket"), expected)),
        when(get(flag), store("i64.store", address, wanted)),
      ];
    },
    /** A worker's word among those of the mail. */
    mail: (thread: Local): Code =>
      atomic("i32.atomic.load", sum(i32(at + control.mail), op("i32.shl", get(thread), i32(2)))),
    /** late = whether the signal was still what was seen after so many nanoseconds of sleep. */
    sleep: (seen: Local, nanoseconds: number, late: Local): Code => {
      const wait = atomic("memory.atomic.wait32", i32(at + control.signal), [get(seen), i64(nanoseconds)]);
      return set(late, op("i32.eq", wait, i32(2)));
    },
    /** Whether a thread may hold a strip: seen by others before it looks at the ticket. */
    hold: (thread: Local, held: boolean): Code => {
      const address = sum(i32(at + control.held), op("i32.mul", get(thread), i32(lineBytes)));
      return shared ? atomic("i32.atomic.store", address, [i32(Number(held))]) : [];
    },
    /** A worker's byte among those of the parked. */
    park: (thread: Local, parked: boolean): Code =>
      atomic("i32.atomic.store8", sum(i32(at + control.parked), get(thread)), [i32(Number(parked))]),
    /** Wakes so many of those that sleep. */
    notify: (count: Code): Code => [atomic("memory.atomic.notify", i32(at + control.signal), [count]), [0x1a]],
    /** How often a thread looks for work before it sleeps: once where more are awake than there are cores for. */
    spins: (): Code =>
      select(op("i32.lt_s", plain("i32", "sleepers"), plain("i32", "spare")), i32(1), plain("i32", "spinCount")),
  };
}

export type Memory = ReturnType<typeof memoryAccess>;

/** A field of a ticket, as i32. */
const field = (ticket: Code, low: number, bits: number): Code =>
  op("i32.and", op("i32.wrap_i64", op("i64.shr_u", ticket, i64(low))), i32(2 ** bits - 1));
export const runOf = (ticket: Local): Code => field(get(ticket), ticketBits.run, 12);
export const stageOf = (ticket: Local): Code => field(get(ticket), ticketBits.stage, 12);
export const nextOf = (ticket: Local): Code => field(get(ticket), ticketBits.next, 20);
export const limitOf = (ticket: Local): Code => field(get(ticket), 0, 20);

const shifted = (value: Code, by: number): Code => op("i64.shl", op("i64.extend_i32_u", value), i64(by));
export const ticketOf = (run: Code, stage: Code, next: Code, limit: Code): Code =>
  [
    shifted(run, ticketBits.run),
    shifted(stage, ticketBits.stage),
    shifted(next, ticketBits.next),
    op("i64.extend_i32_u", limit),
  ].reduce((a, b) => op("i64.or", a, b));
