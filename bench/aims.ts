// What the comparison has to show: what must hold, what is aimed at, and where a measured figure stands between them.

/** A figure is good when it is at least, or at most, what is written. */
export interface Aim {
  readonly name: string;
  readonly direction: 'at least' | 'at most';
  readonly must: number;
  readonly aim: number;
  readonly unit: string;
  readonly measure: AimMeasure;
}

/** Where the figure comes from: a ratio to squid of a metric, or CPU of the gateway for an operation. */
export type AimMeasure =
  | { readonly kind: 'ratio'; readonly metric: string }
  | { readonly kind: 'gateway-cpu'; readonly operation: string }
  | { readonly kind: 'gateway-cpu-ratio'; readonly operation: string };

export const aims: readonly Aim[] = [
  {
    name: 'requests/s, n = 16, beside squid',
    direction: 'at least',
    must: 0.9,
    aim: 1.1,
    unit: '×',
    measure: { kind: 'ratio', metric: 'req/s n=16' },
  },
  {
    name: 'p50 of a request, n = 1, beside squid',
    direction: 'at most',
    must: 1.2,
    aim: 1.1,
    unit: '×',
    measure: { kind: 'ratio', metric: 'p50 µs n=1' },
  },
  {
    name: 'p99 of a request, n = 16, beside squid',
    direction: 'at most',
    must: 2,
    aim: 1.5,
    unit: '×',
    measure: { kind: 'ratio', metric: 'p99 µs n=16' },
  },
  {
    name: 'new connections/s, beside squid',
    direction: 'at least',
    must: 2,
    aim: 2.5,
    unit: '×',
    measure: { kind: 'ratio', metric: 'new TLS conn/s' },
  },
  {
    name: 'download, beside squid',
    direction: 'at least',
    must: 1.4,
    aim: 1.8,
    unit: '×',
    measure: { kind: 'ratio', metric: 'down MB/s' },
  },
  {
    name: 'upload, beside squid',
    direction: 'at least',
    must: 0.8,
    aim: 1.1,
    unit: '×',
    measure: { kind: 'ratio', metric: 'up MB/s' },
  },
  {
    name: 'gateway CPU of a request, n = 16',
    direction: 'at most',
    must: 50,
    aim: 40,
    unit: 'µs',
    measure: { kind: 'gateway-cpu', operation: 'request n=16' },
  },
  {
    name: 'the same, beside squid',
    direction: 'at most',
    must: 1,
    aim: 0.5,
    unit: '×',
    measure: { kind: 'gateway-cpu-ratio', operation: 'request n=16' },
  },
  {
    name: 'gateway CPU of a new connection',
    direction: 'at most',
    must: 220,
    aim: 190,
    unit: 'µs',
    measure: { kind: 'gateway-cpu', operation: 'new connection' },
  },
  {
    name: 'gateway CPU of a GB down',
    direction: 'at most',
    must: 1.4,
    aim: 1.1,
    unit: 's',
    measure: { kind: 'gateway-cpu', operation: 'GB down' },
  },
  {
    name: 'gateway CPU of a GB up',
    direction: 'at most',
    must: 1.4,
    aim: 1.1,
    unit: 's',
    measure: { kind: 'gateway-cpu', operation: 'GB up' },
  },
];

export type Verdict = 'aim met' | 'must met' | 'missed' | 'not measured';

/** Judged by the figure as it was measured, not as it is printed. */
export function judge({ direction, must, aim }: Aim, value: number | undefined): Verdict {
  if (value === undefined || !Number.isFinite(value)) return 'not measured';
  const holds = (bound: number): boolean => (direction === 'at least' ? value >= bound : value <= bound);
  if (holds(aim)) return 'aim met';
  return holds(must) ? 'must met' : 'missed';
}
