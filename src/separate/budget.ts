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

/** The lowest price at which `fits` holds, as an allocation; undefined where it holds at none. */
function cheapest<T>(
  layers: readonly (readonly Option<T>[])[],
  fits: (allocation: Allocation<T>) => boolean,
): Allocation<T> | undefined {
  let [low, high] = [1e-30, 1e30];
  if (!fits(allocate(layers, high))) return undefined;
  for (let i = 0; i < 200; i++) {
    const middle = Math.sqrt(low * high);
    if (fits(allocate(layers, middle))) high = middle;
    else low = middle;
  }
  return allocate(layers, high);
}

/** The least damage for at most this cost; undefined where there is nothing as cheap. Each layer has at least one option. */
export function withinCost<T>(layers: readonly (readonly Option<T>[])[], most: number): Allocation<T> | undefined {
  return cheapest(layers, ({ cost }) => cost <= most);
}

/** The least cost for at most this damage. */
export function withinDamage<T>(layers: readonly (readonly Option<T>[])[], most: number): Allocation<T> {
  let [low, high] = [1e-30, 1e30];
  for (let i = 0; i < 200; i++) {
    const middle = Math.sqrt(low * high);
    if (allocate(layers, middle).damage <= most) low = middle;
    else high = middle;
  }
  return allocate(layers, low);
}

/** Damage against cost over all prices, cheapest first: the curve that budgets move on. */
export function frontier<T>(layers: readonly (readonly Option<T>[])[], points: number): Allocation<T>[] {
  const [least, most] = [allocate(layers, 1e30).cost, allocate(layers, 0).cost];
  return Array.from({ length: points }, (_, i) => {
    const cost = least * (most / least) ** (i / (points - 1));
    return withinCost(layers, cost * (1 + 1e-9))!;
  });
}
