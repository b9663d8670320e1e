// Long work in parts, for those who may not know of factors.
export { finished, type Steps } from "../factor/steps.ts";
