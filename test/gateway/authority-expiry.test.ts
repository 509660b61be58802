import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expiryMessage, openAuthorityExpiry } from '../../src/gateway/authority-expiry.ts';

const dayMs = 24 * 3_600_000;
const intermediate = {
  notBeforeMs: 0,
  notAfterMs: 300 * dayMs,
  signerPem: 'one below\n',
  certificatesPem: 'root\n',
};
const ownRoot = { ...intermediate, notAfterMs: 3000 * dayMs, signerPem: 'root\n' };

test('an authority below a root is told of in the last third of its life, a root of our own 90 days before its end', () => {
  assert.equal(expiryMessage(intermediate, 200 * dayMs - 1), undefined);
  assert.match(
    expiryMessage(intermediate, 200 * dayMs) ?? '',
    /ends on 1970-10-28T00:00:00\.000Z, in 100 days.*"upstreamproxy ca request"/,
  );
  assert.match(expiryMessage(intermediate, 301 * dayMs) ?? '', /in 0 days/);
  assert.equal(expiryMessage(ownRoot, 2910 * dayMs - 1), undefined);
  assert.match(expiryMessage(ownRoot, 2910 * dayMs) ?? '', /in 90 days.*"upstreamproxy ca next"/);
});

test('it is an alarm of the audit and a line of the log once a day, of the one that is on duty, until it is renewed', async () => {
  let nowMs = 100 * dayMs;
  let isOnDuty = true;
  let current = intermediate;
  const told: string[] = [];
  await using look = openAuthorityExpiry({
    authority: {
      get notBeforeMs() {
        return current.notBeforeMs;
      },
      get notAfterMs() {
        return current.notAfterMs;
      },
      signerPem: intermediate.signerPem,
      certificatesPem: intermediate.certificatesPem,
    },
    clock: () => nowMs,
    isOnDuty: () => isOnDuty,
    log: (level) => void told.push(level),
    onFault: (error) => void told.push(error.message),
    record: async ({ action }) => void told.push(action),
  });
  const at = async (day: number): Promise<readonly string[]> => {
    nowMs = day * dayMs;
    await look.now();
    return told.splice(0);
  };
  const alarm = ['warn', 'authority_expiring'];
  assert.deepEqual(await at(100), []);
  isOnDuty = false;
  assert.deepEqual(await at(201), []);
  isOnDuty = true;
  assert.deepEqual(await at(201), alarm);
  assert.deepEqual(await at(201.9), []);
  assert.deepEqual(await at(202), alarm);
  current = { ...intermediate, notBeforeMs: 200 * dayMs, notAfterMs: 500 * dayMs };
  assert.deepEqual(await at(204), []);
});
