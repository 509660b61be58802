// What a comparison found, and its tables: medians of rounds, ratios inside the rounds, CPU by role, and the aims.

import { aims, judge } from './aims.ts';
import type { Aim } from './aims.ts';
import { median, pairedRatio, windowCost } from './report/statistics.ts';
import type { CostWindow, Spread } from './report/statistics.ts';
import { format, table } from './report/table.ts';

/** Metrics of one round; CPU is under `CPU <operation> <role>`. */
export type Row = Readonly<Record<string, number>>;

export interface ContenderRounds {
  readonly name: string;
  readonly rounds: readonly Row[];
  /** Windows of all rounds, by `<operation> <role>`; the count is in the unit that the CPU is told for. */
  readonly windows: ReadonlyMap<string, readonly CostWindow[]>;
}

/** How an operation's CPU is told: seconds by this factor, in this unit. */
export const operations = {
  'request n=16': { unit: 'µs', factor: 1e6 },
  'request n=1': { unit: 'µs', factor: 1e6 },
  'new connection': { unit: 'µs', factor: 1e6 },
  'GB down': { unit: 's', factor: 1e9 },
  'GB up': { unit: 's', factor: 1e9 },
  'POST, no credential': { unit: 'µs', factor: 1e6 },
  'POST, credential, HTTP/1.1': { unit: 'µs', factor: 1e6 },
  'POST, credential, HTTP/2': { unit: 'µs', factor: 1e6 },
} as const satisfies Record<string, { readonly unit: string; readonly factor: number }>;
export type Operation = keyof typeof operations;

export function isPeer(name: string): boolean {
  return name === 'direct' || name === 'squid';
}

function spread(value: Spread | undefined): string {
  if (value === undefined) return '–';
  return `${format(value.median)} (${format(value.least)}–${format(value.greatest)})`;
}

function values(of: ContenderRounds | undefined, metric: string): (number | undefined)[] {
  return (of?.rounds ?? []).map((row) => row[metric]);
}

function medianOf(of: ContenderRounds | undefined, metric: string): number {
  return median(values(of, metric).filter((value) => value !== undefined));
}

/** Medians of each contender; each of ours beside squid and the direct way, and its variants beside the first of ours. */
export function rateTable(contenders: readonly ContenderRounds[]): string {
  const metrics = new Set(contenders.flatMap(({ rounds }) => rounds.flatMap(Object.keys)));
  const pairs = contenders
    .filter(({ name }) => !isPeer(name))
    .flatMap((ours, _, [first = ours]) =>
      contenders
        .filter((peer) => isPeer(peer.name) || (peer === first && ours !== first))
        .map((peer) => ({ ours, peer })),
    );
  const rows = [...metrics]
    .filter((metric) => !metric.startsWith('CPU '))
    .map((metric) =>
      [metric].concat(
        contenders.map((each) => format(medianOf(each, metric))),
        pairs.map(({ ours, peer }) => spread(pairedRatio(values(ours, metric), values(peer, metric)))),
      ),
    );
  const header = [
    'metric',
    ...contenders.map(({ name }) => name),
    ...pairs.map(({ ours, peer }) => `${ours.name} / ${peer.name}`),
  ];
  return table(header, rows);
}

/** CPU of an operation and role: the whole phase (median of the rounds), and the quietest windows. */
function cpuCell(of: ContenderRounds, operation: Operation, role: string): string {
  const whole = medianOf(of, `CPU ${operation} ${role}`);
  if (!Number.isFinite(whole)) return '–';
  return `${format(whole)} / ${format(quietCpu(of, operation, role))}`;
}

export function quietCpu(of: ContenderRounds, operation: Operation, role: string): number {
  return windowCost(of.windows.get(`${operation} ${role}`) ?? []) * operations[operation].factor;
}

/** The steadier figure where there is one: the windows, or the median of the rounds in a run too short for windows. */
function gatewayCpu(of: ContenderRounds, operation: Operation, role: string): number {
  const quiet = quietCpu(of, operation, role);
  return Number.isFinite(quiet) ? quiet : medianOf(of, `CPU ${operation} ${role}`);
}

const roleOrder = ['squid', 'agent', 'gateway', 'origin', 'generator'];

/** Each cell has the whole phase and, behind a slash, the quietest windows. */
export function cpuTable(contenders: readonly ContenderRounds[]): string {
  const columns = contenders.flatMap((of) =>
    roleOrder
      .filter((role) => of.rounds.some((row) => row[`CPU request n=16 ${role}`] !== undefined))
      .map((role) => ({ of, role })),
  );
  const names = Object.keys(operations) as Operation[];
  const rows = names.map((operation) =>
    [`${operation}, ${operations[operation].unit}`].concat(
      columns.map(({ of, role }) => cpuCell(of, operation, role)),
    ),
  );
  return table(
    ['CPU of', ...columns.map(({ of, role }) => (of.name === role ? role : `${of.name}: ${role}`))],
    rows,
  );
}

/** The figure that an aim speaks of; undefined where squid or the phase is missing. */
export function aimFigure(
  { measure }: Aim,
  ours: ContenderRounds,
  squid: ContenderRounds | undefined,
): { readonly value: number; readonly text: string } | undefined {
  if (measure.kind === 'ratio') {
    const ratio = pairedRatio(values(ours, measure.metric), values(squid, measure.metric));
    return ratio === undefined ? undefined : { value: ratio.median, text: spread(ratio) };
  }
  // The aims name operations of the table above.
  const operation = measure.operation as Operation;
  const cpu = gatewayCpu(ours, operation, 'gateway');
  if (!Number.isFinite(cpu)) return undefined;
  if (measure.kind === 'gateway-cpu') return { value: cpu, text: format(cpu) };
  if (squid === undefined) return undefined;
  const ratio = cpu / gatewayCpu(squid, operation, 'squid');
  return { value: ratio, text: format(ratio) };
}

export function aimTable(contenders: readonly ContenderRounds[]): string {
  const squid = contenders.find(({ name }) => name === 'squid');
  const ours = contenders.filter(({ name }) => !isPeer(name));
  const rows = aims.map((aim) => {
    const sign = aim.direction === 'at least' ? '≥' : '≤';
    const bound = (value: number): string => `${sign} ${value} ${aim.unit}`;
    const cells = ours.map((each) => {
      const figure = aimFigure(aim, each, squid);
      return `${figure?.text ?? '–'}: ${judge(aim, figure?.value)}`;
    });
    return [aim.name, bound(aim.must), bound(aim.aim)].concat(cells);
  });
  return table(['what', 'must', 'aim', ...ours.map(({ name }) => name)], rows);
}
