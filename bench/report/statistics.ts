// Medians, quantiles, ratios and how a cost grows: plain numbers in, plain numbers out.

/** The value below which `share` of the sorted list lies; NaN of none. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(list: readonly number[]): number {
  const sorted = list.filter(Number.isFinite).toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1 || sorted.length === 0) return sorted[middle] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** Median, least and greatest. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
}

/** Ratios of what two contenders had in the same round; rounds that lack one of them are left out. */
export function pairedRatio(
  ours: readonly (number | undefined)[],
  others: readonly (number | undefined)[],
): Spread | undefined {
  const ratios = ours
    .map((value, round) => (value ?? Number.NaN) / (others[round] ?? Number.NaN))
    .filter(Number.isFinite);
  if (ratios.length === 0) return undefined;
  return { median: median(ratios), least: Math.min(...ratios), greatest: Math.max(...ratios) };
}

/** What something cost in one window of time, and how often it was done. */
export interface CostWindow {
  readonly cost: number;
  readonly count: number;
}

/**
 * The cost of one operation in the quietest windows: the mean of those between the tenth and the quarter of all, by cost. What others do
 * on the machine makes an operation dearer (caches, clock), never cheaper, so the quiet end is the steadiest figure; the very least
 * ones are left out, for a window may have counted an operation that another window paid for. NaN with fewer than four windows.
 */
export function windowCost(windows: readonly CostWindow[]): number {
  const costs = windows
    .filter(({ count }) => count > 0)
    .map(({ cost, count }) => cost / count)
    .toSorted((a, b) => a - b);
  if (costs.length < 4) return Number.NaN;
  const from = Math.floor(costs.length * 0.1);
  const quiet = costs.slice(from, Math.max(from + 1, Math.ceil(costs.length * 0.25)));
  return quiet.reduce((sum, cost) => sum + cost, 0) / quiet.length;
}

/** A point of a curve: how much there was, and what it cost. */
export interface Point {
  readonly size: number;
  readonly cost: number;
}

/**
 * The exponent k of cost ~ size^k by least squares on logarithms: 0 does not grow, 1 grows as the size does. NaN without two sizes of
 * positive cost.
 */
export function growthExponent(points: readonly Point[]): number {
  const logs = points
    .filter(({ size, cost }) => size > 0 && cost > 0)
    .map(({ size, cost }) => ({ x: Math.log(size), y: Math.log(cost) }));
  const meanX = logs.reduce((sum, { x }) => sum + x, 0) / logs.length;
  const meanY = logs.reduce((sum, { y }) => sum + y, 0) / logs.length;
  const over = logs.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  const under = logs.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  return under === 0 ? Number.NaN : over / under;
}
