// One budget for all layers: each takes the option of least damage + price · cost, at a price that is the same for all.

export interface Option<T> {
  cost: number;
  damage: number;
  choice: T;
}

/** What each layer takes, and what that costs and loses together. */
export interface Allocation<T> {
  choices: T[];
  cost: number;
  damage: number;
}

function allocate<T>(layers: readonly (readonly Option<T>[])[], price: number): Allocation<T> {
  const taken = layers.map((options) =>
    options.reduce((best, one) => (one.damage + price * one.cost < best.damage + price * best.cost ? one : best)),
  );
  return {
    choices: taken.map(({ choice }) => choice),
    cost: taken.reduce((sum, { cost }) => sum + cost, 0),
    damage: taken.reduce((sum, { damage }) => sum + damage, 0),
  };
}

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
  const [, first] = turningPoint(layers, ({ cost }) => cost > most);
  return first.cost <= most ? first : undefined;
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
    return withinCost(layers, cost * (1 + 1e-9))!;
  });
}
