// Forms that lose nothing: where a weight itself is of low rank.
import { factorize } from "../factor/factorize.ts";
import type { FormName, Shape } from "../factor/forms.ts";
import { transpose } from "../factor/matrix.ts";
import type { Spec } from "../graph/types.ts";
import type { F32Tensor } from "../tensor.ts";
import { type ChainCost, formCost, formsOf, type Planning } from "./chain.ts";
import { weightMatrix } from "./moments.ts";
import type { Target } from "./targets.ts";

export interface ExactForm {
  form: FormName;
  rank: number;
  weights: { shape: Shape; data: Float32Array }[];
}

/** The form of fewest multiplications that a weight has without error; undefined where none has fewer than the weight. */
export function exactForm(target: Target, x: Spec, whole: ChainCost, planning: Planning): ExactForm | undefined {
  const { outChannels, inChannels, kh, kw } = target.sizes;
  const weight = {
    shape: [outChannels, inChannels, kh, kw],
    data: Float32Array.from(transpose(weightMatrix(target)).data),
  };
  const found = formsOf(target).flatMap((form): ExactForm[] => {
    if (form === "depthwise") {
      const { rank, depthwise, pointwise } = factorize(weight, { split: form });
      return [{ form, rank, weights: inOrder(depthwise, pointwise) }];
    }
    if (form === "spatial") {
      const { rank, vertical, horizontal } = factorize(weight, { split: form });
      return [{ form, rank, weights: inOrder(vertical, horizontal) }];
    }
    // Of a single tap the two are the same.
    if (form !== "bottleneck" && !target.transposed) return [];
    const { rank, first, second } = factorize(weight, { split: "bottleneck" });
    return [{ form, rank, weights: inOrder(first, second) }];
  });
  const costs = new Map(found.map((one) => [one, formCost(target, one.form, one.rank, x, planning).multiplications]));
  const [best] = found.sort((a, b) => costs.get(a)! - costs.get(b)!);
  return best && costs.get(best)! < whole.multiplications ? best : undefined;
}

const inOrder = (...tensors: F32Tensor[]): ExactForm["weights"] =>
  tensors.map(({ shape, data }) => ({ shape: shape as unknown as Shape, data }));
