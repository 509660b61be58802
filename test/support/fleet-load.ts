// What clients of a fleet do while something is at fault.

import { type Asking, type ExchangesOptions, keepAsking, startExchanges } from './long-exchanges.ts';
import type { Fleet } from './gateway-fleet.ts';
import { waitUntil } from './program.ts';
import type { ProxyTarget } from './proxy-client.ts';

export interface Load extends Disposable {
  /** Lets the long exchanges come to their end. */
  release(): void;
  /** Ends it. Gives how many requests there were of all, and what failed. */
  stop(): Promise<Asking>;
}

/** Short requests by all, again and again, and long exchanges that are half-way while the fault lasts. */
export async function load(
  fleet: Fleet,
  targets: readonly ProxyTarget[],
  options: Pick<ExchangesOptions, 'each' | 'bodyBytes'>,
): Promise<Load> {
  const { history, origin } = fleet;
  const running = startExchanges(targets, origin, { ...options, history });
  await running.batch.halfway(running.count);
  const stop = new AbortController();
  const asking = targets.map((target) => keepAsking(target, stop.signal, history));
  return {
    release: () => running.batch.release(),
    stop: async () => {
      stop.abort();
      running.batch.release();
      const failed = [...(await running.failed)];
      const all: readonly Asking[] = await Promise.all(asking);
      return {
        asked: running.count + all.reduce((sum, { asked }) => sum + asked, 0),
        failed: [...failed, ...all.flatMap((one) => one.failed)],
        slowestMs: Math.round(Math.max(...all.map((one) => one.slowestMs))),
      };
    },
    [Symbol.dispose]: () => stop.abort(),
  };
}

/** An agent at each of these gateways. */
export async function targetsAt(
  fleet: Fleet,
  ...numbers: readonly number[]
): Promise<readonly ProxyTarget[]> {
  const targets: ProxyTarget[] = [];
  for (const number of numbers) targets.push((await fleet.startAgent(number)).target);
  return targets;
}

/** Short requests, one after the other, until what became of them is that. */
export async function askUntil(
  fleet: Fleet,
  target: ProxyTarget,
  isEnough: (asking: Asking) => boolean,
): Promise<Asking> {
  const all: Asking[] = [];
  await waitUntil('enough was asked', async () => {
    const once = new AbortController();
    const asking = keepAsking(target, once.signal, fleet.history);
    once.abort();
    all.push(await asking);
    return isEnough(sumOf(all));
  });
  return sumOf(all);
}

function sumOf(all: readonly Asking[]): Asking {
  return {
    asked: all.reduce((sum, { asked }) => sum + asked, 0),
    slowestMs: Math.max(0, ...all.map(({ slowestMs }) => slowestMs)),
    failed: all.flatMap(({ failed }) => failed),
  };
}
