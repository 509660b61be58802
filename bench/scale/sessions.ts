// Sessions in one gateway: what each keeps and costs to start, and what another one's requests cost beside them.

import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { runtimeFile, stop } from '../child.ts';
import { startGateway } from '../contenders.ts';
import type { GatewayProcess } from '../contenders.ts';
import type { Curve, Series } from '../growth.ts';
import { CpuReader, residentKilobytes } from '../process-usage.ts';
import { measureRequests } from '../scene.ts';
import type { Scene } from '../scene.ts';
import type { SessionRequest } from '../sessions-process.ts';
import { loadGatewayConfig } from '../../src/gateway/config/config.ts';
import { openSigningKey } from '../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../src/gateway/sessions/token-issuer.ts';
import { writePrivateFile } from '../../src/system/private-file.ts';

const script = fileURLToPath(new URL('../sessions-process.ts', import.meta.url));
const sessionMsMax = 30_000;

interface SessionFigures {
  readonly size: number;
  /** Milliseconds of the gateway's CPU for one session to start. */
  readonly start: number;
  /** Kilobytes. */
  readonly memory: number;
  /** Microseconds. */
  readonly request: number;
  readonly p99: number;
}

export async function scaleSessions(
  scene: Scene,
  { sizes, phaseMs }: { readonly sizes: readonly number[]; readonly phaseMs: number },
): Promise<Series> {
  await using stack = new AsyncDisposableStack();
  const directory = await scene.folder();
  const gateway = stack.use(await startGateway(directory, scene.origin));
  const neighbour = await gateway.startAgent({ name: 'neighbour' });
  const open = openSessions(gateway, directory, stack);
  // What is compiled and cached at first is not the sessions'.
  await open(5);
  await measureRequests(scene, neighbour, phaseMs);
  const before = residentKilobytes(gateway.pids());
  const found: SessionFigures[] = [];
  let opened = 0;
  for (const size of sizes) {
    const reader = new CpuReader(gateway.pids());
    await open(size - opened);
    const start = (reader.seconds() * 1000) / (size - opened);
    opened = size;
    const memory = (residentKilobytes(gateway.pids()) - before) / size;
    const { cpu, p99 } = await measureRequests(scene, neighbour, phaseMs);
    found.push({ size, start, memory, request: cpu['gateway'] ?? Number.NaN, p99 });
    console.error(`sessions: ${size}`);
  }
  const curveOf = (name: string, unit: string, cost: (figures: SessionFigures) => number): Curve => ({
    name,
    unit,
    work: 0,
    points: found.map((each) => ({ size: each.size, cost: cost(each) })),
  });
  // Of a few sessions there is too little to divide: pages, and what runs beside.
  const ofMany = (curve: Curve): Curve => ({
    ...curve,
    points: curve.points.filter(({ size }) => size * 5 >= (sizes.at(-1) ?? 0)),
  });
  return {
    title: 'Sessions',
    sizeName: 'sessions',
    curves: [
      ofMany(curveOf('gateway CPU of a session that starts', 'ms', ({ start }) => start)),
      ofMany(curveOf('memory of a session in the gateway', 'KB', ({ memory }) => memory)),
      curveOf('gateway CPU of a request of another session', 'µs', ({ request }) => request),
      curveOf('p99 of another session, n = 16', 'µs', ({ p99 }) => p99),
    ],
    notes: ['All sessions are of one process here, each with a relay, a tunnel and trust files of its own.'],
  };
}

/** Opens so many sessions more, one after the other. */
export function openSessions(
  gateway: GatewayProcess,
  directory: string,
  stack: AsyncDisposableStack,
): (count: number) => Promise<void> {
  const child = spawn(runtimeFile('node'), ['--disable-warning=ExperimentalWarning', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  stack.defer(() => stop(child));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let sessions = 0;
  return async (count) => {
    const config = await loadGatewayConfig(gateway.config);
    const key = await openSigningKey(config.stateDirectory);
    const { issuer, audience, ttlSeconds } = config.tokens;
    for (let i = 0; i < count; i += 1) {
      const stateDirectory = join(directory, `session-${(sessions += 1)}`);
      await mkdir(stateDirectory, { mode: 0o700 });
      const tokenFile = join(stateDirectory, 'token');
      const now = { ttlSeconds, nowMs: Date.now() };
      await writePrivateFile(
        tokenFile,
        issueSessionToken({ key, issuer, audience, subject: `bench-${sessions}`, claims: {}, ...now }),
      );
      const gatewayCa = join(gateway.state, 'server', 'server-ca.pem');
      const request: SessionRequest = { gatewayUrl: gateway.url, gatewayCa, tokenFile, stateDirectory };
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const said = await Promise.race([lines.next(), lateBy(sessionMsMax)]);
      if (said.done === true || said.value !== '"stands"')
        throw new Error(`session ${sessions}: ${said.done === true ? 'the process ended' : said.value}`);
    }
  };
}

async function lateBy(ms: number): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  setTimeout(() => reject(new Error(`no session within ${ms} ms`)), ms).unref();
  return await promise;
}
