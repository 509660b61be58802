// What every bench with a gateway of its own needs: a folder, the origins and the load generator; gone again at the end.

import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { startOrigin } from './contenders.ts';
import type { Contender, OriginProcess } from './contenders.ts';
import { startLoadGenerator } from './load/load-generator.ts';
import type { LoadGenerator } from './load/load-generator.ts';
import { measure } from './measure.ts';
import { windowCost } from './report/statistics.ts';
import { runFolder } from './run-folder.ts';

export interface Scene extends AsyncDisposable {
  readonly origin: OriginProcess;
  readonly generator: LoadGenerator;
  /** A new folder for one gateway or peer. */
  folder(): Promise<string>;
}

export async function openScene(runtime: 'bun' | 'node' = 'bun'): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const directory = await runFolder(stack);
  // squid drops its privileges and has to pass through; what is secret inside has a mode of its own.
  await chmod(directory, 0o755);
  const origin = await startOrigin(directory, stack);
  const generator = stack.use(await startLoadGenerator(runtime));
  const owned = stack.move();
  let folders = 0;
  return {
    origin,
    generator,
    folder: async () => {
      const own = join(directory, `part-${(folders += 1)}`);
      await mkdir(own);
      return own;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export interface RequestFigures {
  readonly perSecond: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of CPU of a request by role: the quietest windows, or the whole phase where that was too short. */
  readonly cpu: Readonly<Record<string, number>>;
}

/** Requests over 16 connections; as much time before is not counted: a gateway that was just started compiles. */
export async function measureRequests(
  scene: Pick<Scene, 'generator'>,
  contender: Contender,
  ms: number,
  connections = 16,
): Promise<RequestFigures> {
  const { to } = contender;
  await scene.generator.run({ kind: 'requests', to, connections, ms });
  const job = { kind: 'requests', to, connections, ms } as const;
  const { result, cpu, windows } = await measure(scene.generator, contender, job);
  const each = Object.entries(cpu).map(([role, seconds]) => {
    const quiet = windowCost(windows[role] ?? []);
    return [role, (Number.isFinite(quiet) ? quiet : seconds / result.count) * 1e6] as const;
  });
  return {
    perSecond: result.count / result.seconds,
    p50: result.p50,
    p99: result.p99,
    cpu: Object.fromEntries(each),
  };
}
