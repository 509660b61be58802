// What a request waits for before it is searched.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExchangeRecord } from '../../../src/gateway/exchange/exchange-record.ts';
import { leakWatchOf } from '../../../src/gateway/exchange/leak-watch.ts';
import { LeakValues } from '../../../src/gateway/leaks/leak-values.ts';
import type { AllowDecision } from '../../../src/policy/decision.ts';
import type { RuleLeaks } from '../../../src/policy/leak-rule.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { HeldOctets } from '../../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { RecordingSink } from '../support/recording-sink.ts';
import { testPrincipal } from '../support/request-path.ts';

test('commands and Vaults are asked where credentials are sought, and nobody waits for them where they are not', async () => {
  let asked = 0;
  let looked = 0;
  const leaks = new LeakValues(
    [
      {
        owner: { kind: 'credential', name: 'vault' },
        isAsked: true,
        read: () => {
          asked += 1;
          return Promise.reject(new ProxyError('credential_unavailable', 'it is away'));
        },
      },
      {
        owner: { kind: 'canary', name: 'planted' },
        read: () => {
          looked += 1;
          return Promise.resolve([new Secret('canary-7d1f0c9b8a6e5243')]);
        },
      },
    ],
    defaultLimits,
  );
  const principal = testPrincipal('alice');
  const parts = { credentials: { leaks, placeholders: {} }, held: new HeldOctets(), clock: () => 0 };
  const watchOf = async (find: RuleLeaks['find']): Promise<boolean> => {
    const decision: AllowDecision = {
      effect: 'allow',
      rule: { name: 'out' },
      handling: 'intercept',
      inject: [],
      addresses: [],
      limits: {},
      leaks: { on: 'block', find, allow: [] },
    };
    const record = new ExchangeRecord(new RecordingSink(), 'exchange', principal, 0);
    return (await leakWatchOf(decision, principal, parts, record)) !== undefined;
  };
  assert.equal(await watchOf(['canary', 'shape']), true);
  assert.deepEqual([asked, looked], [0, 1]);
  await assert.rejects(watchOf(['credential']), { code: 'credential_unavailable' });
  assert.equal(asked, 1);
});
