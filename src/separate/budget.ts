// One budget over all layers: each layer takes the option of least loss + price · cost, at one price for all of them.

export interface Option<T> {
  cost: number;
  loss: number;
  choice: T;
}

/** The option of each layer, and their total cost and loss. */
export interface Allocation<T> {
  taken: readonly Option<T>[];
  choices: T[];
  cost: number;
  loss: number;
}

function allocate<T>(layers: readonly (readonly Option<T>[])[], price: number): Allocation<T> {
  const taken = layers.map((options) =>
    options.reduce((best, one) => (one.loss + price * one.cost < best.loss + price * best.cost ? one : best)),
  );
  return allocationOf(taken);
}

const allocationOf = <T>(taken: readonly Option<T>[]): Allocation<T> => ({
  taken,
  choices: taken.map(({ choice }) => choice),
  cost: taken.reduce((sum, { cost }) => sum + cost, 0),
  loss: taken.reduce((sum, { loss }) => sum + loss, 0),
});

/** The allocations on both sides of the price from which on they are not wanted any more, found by bisection. */
function turningPoint<T>(
  layers: readonly (readonly Option<T>[])[],
  wanted: (allocation: Allocation<T>) => boolean,
): [last: Allocation<T>, first: Allocation<T>] {
  let [low, high] = [1e-30, 1e30];
  for (let i = 0; i < 200; i++) {
    const middle = Math.sqrt(low * high);
    if (wanted(allocate(layers, middle))) low = middle;
    else high = middle;
  }
  return [allocate(layers, low), allocate(layers, high)];
}

/** The least loss for at most this cost; undefined where there is nothing as cheap. Each layer has at least one option. */
export function withinCost<T>(layers: readonly (readonly Option<T>[])[], most: number): Allocation<T> | undefined {
  const first = atOnePrice(layers, most);
  return first.cost <= most ? spent(layers, first, most) : undefined;
}

/** The dearest allocation of one price that costs no more than this, or the cheapest of all. */
const atOnePrice = <T>(layers: readonly (readonly Option<T>[])[], most: number): Allocation<T> =>
  turningPoint(layers, ({ cost }) => cost > most)[1];

/** Spends what one price leaves of the budget on the options that save the most loss for their cost, while any fits. */
function spent<T>(layers: readonly (readonly Option<T>[])[], { taken }: Allocation<T>, most: number): Allocation<T> {
  const now = [...taken];
  for (;;) {
    const left = most - now.reduce((sum, { cost }) => sum + cost, 0);
    const worth = (layer: number, { cost, loss }: Option<T>): number => {
      const own = now[layer]!;
      const fits = cost - own.cost <= left && loss < own.loss;
      return fits ? (own.loss - loss) / Math.max(cost - own.cost, 1e-9) : 0;
    };
    const offers = layers.flatMap((options, layer) =>
      options.map((option) => ({ layer, option, worth: worth(layer, option) })),
    );
    const best = offers.reduce((a, b) => (b.worth > a.worth ? b : a));
    if (best.worth === 0) return allocationOf(now);
    now[best.layer] = best.option;
  }
}

/** The least cost for at most this loss, which is at least that of layers as they are. */
export function withinLoss<T>(layers: readonly (readonly Option<T>[])[], most: number): Allocation<T> {
  return turningPoint(layers, ({ loss }) => loss <= most)[0];
}

/** Loss against cost over all prices, cheapest first: the curve that budgets move on. */
export function frontier<T>(layers: readonly (readonly Option<T>[])[], points: number): Allocation<T>[] {
  const [least, most] = [allocate(layers, 1e30).cost, allocate(layers, 0).cost];
  return Array.from({ length: points }, (_, i) => {
    const cost = least * (most / least) ** (i / (points - 1));
    return atOnePrice(layers, cost * (1 + 1e-9));
  });
}
