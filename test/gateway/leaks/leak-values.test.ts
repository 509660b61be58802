// Sources of values that have to be asked: once before anything is searched, then now and then, and never for each request.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeakValues } from '../../../src/gateway/leaks/leak-values.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { sample } from '../support/leaks.ts';

const owner = { kind: 'credential', name: 'asked' } as const;
const { issuerFailureHoldMs, leakSourceCheckMs } = defaultLimits;

test('a source is asked once for many requests, and again after a while without a request that waits', async () => {
  let asked = 0;
  let later: (value: readonly Secret<string>[]) => void = () => undefined;
  const values = new LeakValues(
    [
      {
        owner,
        isAsked: true,
        read: () => {
          asked += 1;
          if (asked === 1) return Promise.resolve([new Secret(sample.token)]);
          return new Promise((resolve) => (later = resolve));
        },
      },
    ],
    defaultLimits,
  );
  const first = await Promise.all([values.current(0), values.current(0), values.current(1)]);
  assert.equal(asked, 1);
  const stale = await values.current(leakSourceCheckMs);
  assert.deepEqual([asked, stale === first[0]], [2, true]);
  later([new Secret(sample.other)]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.notEqual(await values.current(leakSourceCheckMs + 1), stale);
  assert.equal(asked, 2);
});

test('a source that fails lets nothing be searched, and is asked again a moment later', async () => {
  let asked = 0;
  const values = new LeakValues(
    [
      {
        owner,
        isAsked: true,
        read: () => {
          asked += 1;
          return asked === 1
            ? Promise.reject(new Error('it is away'))
            : Promise.resolve([new Secret(sample.token)]);
        },
      },
    ],
    defaultLimits,
  );
  await assert.rejects(values.current(0), { code: 'credential_unavailable', credential: 'asked' });
  await assert.rejects(values.current(issuerFailureHoldMs - 1), { code: 'credential_unavailable' });
  assert.equal(asked, 1);
  await values.current(issuerFailureHoldMs);
  assert.equal(asked, 2);
});
