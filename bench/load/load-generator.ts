// The load generator as the bench sees it: a process that is started once and does one job after the other.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { runtimeFile, stop } from '../child.ts';
import type { LoadJob, LoadMessage, LoadResult } from './load-job.ts';

const script = fileURLToPath(new URL('../load-process.ts', import.meta.url));
/** The process has deadlines of its own, below this one. */
const jobMsMax = 600_000;

export interface LoadGenerator extends AsyncDisposable {
  readonly runtime: string;
  readonly pid: number;
  /** One job at a time; `tick` is called four times a second with what was done so far. */
  run(job: LoadJob, tick?: (count: number) => void): Promise<LoadResult>;
}

/** Under Bun where it is installed, whose TLS costs less, or under Node. */
export async function startLoadGenerator(wanted: 'bun' | 'node' = 'bun'): Promise<LoadGenerator> {
  const child = spawn(runtimeFile(wanted), [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  let hear: ((message: LoadMessage) => void) | undefined;
  let ended = (_error: Error): void => {};
  child.once('exit', (code) => ended(new Error(`the load generator ended with ${String(code)}`)));
  child.once('error', (error) => ended(error));
  createInterface({ input: child.stdout }).on('line', (line) => {
    // The process writes nothing else.
    hear?.(JSON.parse(line) as LoadMessage);
  });
  /** Until a message is the last one of what was asked. */
  const heard = async <T>(each: (message: LoadMessage) => T | undefined): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timer = setTimeout(() => reject(new Error('the load generator says nothing')), jobMsMax);
    ended = reject;
    hear = (message) => {
      if ('error' in message) reject(new Error(message.error));
      const last = each(message);
      if (last !== undefined) resolve(last);
    };
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      hear = undefined;
      ended = () => {};
    }
  };
  const runtime = await heard((message) => ('ready' in message ? message.runtime : undefined));
  return {
    runtime,
    pid: child.pid ?? 0,
    run: (job, tick) => {
      const result = heard((message) => {
        if ('tick' in message) tick?.(message.tick);
        return 'result' in message ? message.result : undefined;
      });
      child.stdin.write(`${JSON.stringify(job)}\n`);
      return result;
    },
    [Symbol.asyncDispose]: () => stop(child),
  };
}
