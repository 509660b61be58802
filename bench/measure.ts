// One phase of load against one contender: what the generator saw, and the CPU time that each role took for it.

import { CpuReader } from './process-usage.ts';
import type { Contender } from './contenders.ts';
import type { LoadGenerator } from './load/load-generator.ts';
import type { LoadJob, LoadResult } from './load/load-job.ts';
import type { CostWindow } from './report/statistics.ts';

export interface Measured {
  readonly result: LoadResult;
  /** CPU seconds of the whole phase, by role. */
  readonly cpu: Readonly<Record<string, number>>;
  /** CPU seconds and operations in windows of a quarter of a second, by role. */
  readonly windows: Readonly<Record<string, readonly CostWindow[]>>;
}

export type Pids = Readonly<Record<string, readonly number[]>>;

/** Runs the job; the generator and what stands beside the contender are roles too. */
export async function measure(
  generator: LoadGenerator,
  contender: Pick<Contender, 'pids'>,
  job: LoadJob,
  beside: Pids = {},
): Promise<Measured> {
  // Looked up once: a look over all processes would be felt in every window.
  const pids: Pids = { ...contender.pids(), ...beside, generator: [generator.pid] };
  const readers = Object.entries(pids).map(([role, list]) => [role, new CpuReader(list)] as const);
  const readAll = (): Record<string, number> =>
    Object.fromEntries(readers.map(([role, reader]) => [role, reader.seconds()]));
  const windows: Record<string, CostWindow[]> = Object.fromEntries(
    Object.keys(pids).map((role) => [role, []]),
  );
  let last: { readonly cpu: Record<string, number>; readonly count: number } | undefined;
  const result = await generator.run(job, (count) => {
    const cpu = readAll();
    // The tick at the start only begins the first window.
    if (last !== undefined && count > 0)
      for (const [role, list] of Object.entries(windows))
        list.push({ cost: (cpu[role] ?? 0) - (last.cpu[role] ?? 0), count: count - last.count });
    last = { cpu, count };
  });
  return { result, cpu: readAll(), windows };
}
