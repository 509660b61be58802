import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EnrolmentFailures } from '../../../src/gateway/admission/enrolment-failures.ts';
import { ProxyDesk, type ProxyDeskOptions } from '../../../src/gateway/proxy/proxy-desk.ts';
import { refusalOf } from '../../../src/gateway/proxy/proxy-response.ts';
import type { Principal } from '../../../src/policy/decision.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const principal = { id: 'p', sessionId: 's' } as Principal;
const passed = { principal, digest: 'd' };

function deskWhere(fault: ProxyError | undefined): {
  readonly desk: ProxyDesk;
  readonly told: string[];
  readonly failures: string[];
} {
  const told: string[] = [];
  const failures: string[] = [];
  const options = {
    tokens: { admit: () => Promise.resolve(principal), forget: () => undefined },
    sessions: {
      requireAlive: () => (fault === undefined ? Promise.resolve() : Promise.reject(fault)),
      onEnded: () => () => undefined,
    },
    records: { strangerRefused: ({ code }: ProxyError) => void told.push(code) },
    failures: new EnrolmentFailures(
      {
        take: (source: string) => {
          failures.push(source);
          return Promise.resolve(0);
        },
      },
      0,
    ),
    limits: { ...defaultLimits, proxyStreamsPerSessionMax: 1 },
    clock: Date.now,
    onLimit: (limit: string) => void told.push(limit),
  };
  return { desk: new ProxyDesk(options as unknown as ProxyDeskOptions), told, failures };
}

/** What a client reads, without what differs each time. */
function words(error: unknown): string {
  assert.ok(error instanceof ProxyError);
  const { status, fields, body } = refusalOf(error);
  return JSON.stringify([status, fields, body.toString()]).replaceAll(/[0-9a-f]{32}/g, 'TRACE');
}

const refused = (taking: Promise<unknown>): Promise<string> =>
  taking.then(() => assert.fail('it was taken'), words);

const faults = [
  new ProxyError('session_revoked', 'the session was revoked'),
  new ProxyError('session_unknown', 'there is no such session'),
  new ProxyError('store_unavailable', 'the database of 10.0.0.7 is away', { retryAfterSeconds: 3 }),
];

for (const fault of faults)
  test(`${fault.code} is told in the same words, at whichever worker the session is`, async () => {
    const here = deskWhere(fault);
    const values = [`Bearer ${'a.b.c'}`];
    const there = deskWhere(fault);
    const end = (): void => undefined;
    const inWords = await refused(there.desk.takePassed(passed, end));
    assert.equal(inWords, await refused(here.desk.admit(values, '127.0.0.1', { end })));
    assert.deepEqual(there.told, here.told);
    // The worker at which it came in has seen a good token, and the address is not known here.
    assert.deepEqual(there.failures, []);
  });

test('the connections of a session are counted, and told as a limit, wherever they came in', async () => {
  const { desk, told } = deskWhere(undefined);
  const end = (): void => undefined;
  const pass = await desk.takePassed(passed, end);
  assert.match(await refused(desk.takePassed(passed, end)), /^\[429,.*stream_limit/);
  assert.deepEqual(told, ['proxyStreamsPerSessionMax']);
  pass.release();
  (await desk.takePassed(passed, end)).release();
});
