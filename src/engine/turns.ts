// Work in parts, for those above the engine: at each part others may have a turn, or the work may end.
export { type Abortable, finished, inTurns, Slices, type Steps } from "../backend/slices.ts";
