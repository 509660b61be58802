// Frames of HTTP/2 against the gateway, through the agent: what a workload may send, and what is an error.

import { readFile } from 'node:fs/promises';

import { deploy } from '../../support/deployment.ts';
import { httpsOrigin } from '../../support/origin.ts';
import type { Origin } from '../../support/origin.ts';
import type { ProxyTarget } from '../../support/proxy-client.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import type { CaseResult, Suite } from '../suite.ts';
import { http2Cases } from './cases.ts';
import type { Http2Case } from './case-parts.ts';
import { http2Deviations } from './http2-deviations.ts';
import { runHttp2Case } from './run-case.ts';

export const http2Suite: Suite = {
  name: 'http2',
  about:
    'frames by section of RFC 9113 and RFC 7541, as h2spec takes them up: the error that the section names',
  deviations: http2Deviations,
  run: async () => ({ results: await runHttp2Cases(http2Cases), from: 'the checkout' }),
};

/** At once: most of the time one waits for what does not come. */
const workers = 6;

async function runHttp2Cases(cases: readonly Http2Case[]): Promise<readonly CaseResult[]> {
  await using scene = await openHttp2Scene();
  const results: CaseResult[] = [];
  const queue = cases.entries();
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (const [at, test] of queue) results[at] = await runHttp2Case(test, scene.target);
    }),
  );
  return results;
}

export interface Http2Scene extends AsyncDisposable {
  readonly target: ProxyTarget;
  readonly origin: Origin;
}

export async function openHttp2Scene(): Promise<Http2Scene> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origin = stack.use(await httpsOrigin({ authority }));
  const rules = [{ name: 'all', hosts: ['h2.test'], ports: [origin.port], addresses: ['127.0.0.1/32'] }];
  const hosts = { 'h2.test': '127.0.0.1' };
  const deployment = stack.use(await deploy({ rules, hosts, authority }));
  const agent = stack.use(await deployment.startAgent());
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  const owned = stack.move();
  return {
    origin,
    target: { relayPort: agent.relayPort, host: 'h2.test', port: origin.port, ca },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
