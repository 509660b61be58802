// Which functions of the source ran, as the runtime counts them.

import { Session } from 'node:inspector/promises';

const source = new URL('../../../', import.meta.url).href;

/** `src/…/file.ts name` of every function that ran at least once while `run` did. */
export async function calledFunctions(run: () => void): Promise<ReadonlySet<string>> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
    run();
    const { result } = await session.post('Profiler.takePreciseCoverage');
    await session.post('Profiler.stopPreciseCoverage');
    const called = result
      .filter(({ url }) => url.startsWith(`${source}src/`))
      .flatMap(({ url, functions }) =>
        functions
          .filter(({ ranges }) => ranges.some(({ count }) => count > 0))
          .map(({ functionName }) => `${url.slice(source.length)} ${functionName}`),
      );
    return new Set(called);
  } finally {
    session.disconnect();
  }
}
