import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EnrolmentFailures, FailureRate } from '../../../src/gateway/admission/enrolment-failures.ts';
import { ProxyError } from '../../../src/protocol/error.ts';

const refusal = new ProxyError('token_invalid', 'no');
const failuresAt = (clock: { nowMs: number }, sourcesMax = 100) =>
  new EnrolmentFailures(new FailureRate({ perSecondMax: 3, sourcesMax, clock: () => clock.nowMs }), 1);

test('a source hears why, until it fails too fast; another source, and it a moment later, hear why again', async () => {
  const clock = { nowMs: 0 };
  const failures = failuresAt(clock);
  for (let i = 0; i < 3; i += 1) assert.equal(await failures.told('192.0.2.1', refusal), refusal);
  const slowed = await failures.told('192.0.2.1', refusal);
  assert.equal(slowed.code, 'limit_exceeded');
  assert.equal(slowed.limit, 'enrolFailuresPerSecondMax');
  assert.equal(slowed.httpStatus, 429);
  assert.equal(await failures.told('192.0.2.2', refusal), refusal);
  clock.nowMs += 1000;
  assert.equal(await failures.told('192.0.2.1', refusal), refusal);
});

test('addresses of one /64 are one source', async () => {
  const failures = failuresAt({ nowMs: 0 });
  for (let i = 0; i < 3; i += 1) await failures.told(`2001:db8::${i}`, refusal);
  assert.equal((await failures.told('2001:db8::aaaa', refusal)).code, 'limit_exceeded');
  assert.equal(await failures.told('2001:db8:0:1::1', refusal), refusal);
});

test('what is remembered is bounded, and the source that failed longest ago makes room', async () => {
  const failures = failuresAt({ nowMs: 0 }, 2);
  for (let i = 0; i < 3; i += 1) await failures.told('192.0.2.1', refusal);
  await failures.told('192.0.2.2', refusal);
  assert.equal((await failures.told('192.0.2.1', refusal)).code, 'limit_exceeded');
  await failures.told('192.0.2.3', refusal);
  assert.equal((await failures.told('192.0.2.1', refusal)).code, 'limit_exceeded');
  for (const last of [4, 5]) await failures.told(`192.0.2.${last}`, refusal);
  assert.equal(await failures.told('192.0.2.1', refusal), refusal);
});
