// How long the tasks of a page take, as Chromium's own trace tells it: by the processor time of its main thread, to which other work of the machine
// adds little, and by the clock.

import type { CDPSession } from 'playwright-core';

/** No task is longer than this by the budget of the design. */
export const budgetMs = 50;

export interface TaskTimes {
  readonly tasks: number;
  /** Longer than `budgetMs` by processor time, and by the clock. */
  readonly over: number;
  readonly overByClock: number;
  /** Processor time of the longest one. */
  readonly mostMs: number;
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds by the clock, and of the processor. */
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** Traces from here on; the function that it gives ends that and tells. */
export async function traceTasks(devtools: CDPSession): Promise<() => Promise<TaskTimes>> {
  const events: TraceEvent[] = [];
  // The form of the trace is that of Chromium.
  devtools.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  await devtools.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: ['toplevel', 'devtools.timeline'] },
  });
  return async () => {
    const complete = new Promise((resolve) => devtools.once('Tracing.tracingComplete', resolve));
    await devtools.send('Tracing.end');
    await complete;
    return taskTimes(events);
  };
}

function taskTimes(events: readonly TraceEvent[]): TaskTimes {
  // That of the page itself calls functions of it.
  const calls = new Set(events.filter(({ name }) => name === 'FunctionCall').map(threadOf));
  const mains = new Set(
    events
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(threadOf),
  );
  const tasks = events.filter(
    (one) =>
      one.ph === 'X' && one.name.endsWith('RunTask') && calls.has(threadOf(one)) && mains.has(threadOf(one)),
  );
  const overBudget = (us: number | undefined): boolean => (us ?? 0) > budgetMs * 1000;
  return {
    tasks: tasks.length,
    over: tasks.filter(({ tdur }) => overBudget(tdur)).length,
    overByClock: tasks.filter(({ dur }) => overBudget(dur)).length,
    mostMs: Math.round(Math.max(0, ...tasks.map(({ tdur = 0 }) => tdur)) / 1000),
  };
}

const threadOf = ({ pid, tid }: TraceEvent): string => `${pid} ${tid}`;
