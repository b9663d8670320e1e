// One budget for all layers: each takes the option of least damage + price · cost, at a price that is the same for all.

export interface Option<T> {
  cost: number;
  damage: number;
  choice: T;
}

/** What each layer takes, and what that costs and loses together. */
export interface Allocation<T> {
  taken: readonly Option<T>[];
  choices: T[];
  cost: number;
  damage: number;
}

function allocate<T>(layers: readonly (readonly Option<T>[])[], price: number): Allocation<T> {
  const taken = layers.map((options) =>
    options.reduce((best, one) => (one.damage + price * one.cost < best.damage + price * best.cost ? one : best)),
  );
  return allocationOf(taken);
}

const allocationOf = <T>(taken: readonly Option<T>[]): Allocation<T> => ({
  taken,
  choices: taken.map(({ choice }) => choice),
  cost: taken.reduce((sum, { cost }) => sum + cost, 0),
  damage: taken.reduce((sum, { damage }) => sum + damage, 0),
});

/** Two prices next to each other: up to the first one an allocation is wanted, from the second one on it is not. */
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

/** The least damage for at most this cost; undefined where there is nothing as cheap. Each layer has at least one option. */
export function withinCost<T>(layers: readonly (readonly Option<T>[])[], most: number): Allocation<T> | undefined {
  const first = atOnePrice(layers, most);
  return first.cost <= most ? spent(layers, first, most) : undefined;
}

/** The dearest allocation of one price that costs no more than this, or the cheapest of all. */
const atOnePrice = <T>(layers: readonly (readonly Option<T>[])[], most: number): Allocation<T> =>
  turningPoint(layers, ({ cost }) => cost > most)[1];

/** What one price leaves over buys what is worth most for its cost, as long as anything fits. */
function spent<T>(layers: readonly (readonly Option<T>[])[], { taken }: Allocation<T>, most: number): Allocation<T> {
  const now = [...taken];
  for (;;) {
    const left = most - now.reduce((sum, { cost }) => sum + cost, 0);
    const worth = (layer: number, { cost, damage }: Option<T>): number => {
      const own = now[layer]!;
      const fits = cost - own.cost <= left && damage < own.damage;
      return fits ? (own.damage - damage) / Math.max(cost - own.cost, 1e-9) : 0;
    };
    const offers = layers.flatMap((options, layer) =>
      options.map((option) => ({ layer, option, worth: worth(layer, option) })),
    );
    const best = offers.reduce((a, b) => (b.worth > a.worth ? b : a));
    if (best.worth === 0) return allocationOf(now);
    now[best.layer] = best.option;
  }
}

/** The least cost for at most this damage, which is at least that of layers as they are. */
export function withinDamage<T>(layers: readonly (readonly Option<T>[])[], most: number): Allocation<T> {
  return turningPoint(layers, ({ damage }) => damage <= most)[0];
}

/** Damage against cost over all prices, cheapest first: the curve that budgets move on. */
export function frontier<T>(layers: readonly (readonly Option<T>[])[], points: number): Allocation<T>[] {
  const [least, most] = [allocate(layers, 1e30).cost, allocate(layers, 0).cost];
  return Array.from({ length: points }, (_, i) => {
    const cost = least * (most / least) ** (i / (points - 1));
    return atOnePrice(layers, cost * (1 + 1e-9));
  });
}
