import assert from 'node:assert/strict';
import { test } from 'node:test';

import { askRefusals } from '../../../src/agent/uplink/session-refusals.ts';
import { TunnelClient } from '../../../src/agent/uplink/tunnel-client.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { type Enrolled, enrolled, eventually, quickLimits } from '../support/enrolled.ts';

const row = { kind: 'stream', code: 'protocol_denied', host: 'db.test', port: 5432, count: 2 };

function open({ session, logger }: Enrolled): Promise<TunnelClient> {
  return TunnelClient.open({ session, logger, limits: quickLimits });
}

/** A gateway that tells this of its refusals. */
async function telling(text: string | undefined): Promise<Enrolled> {
  const setting = await enrolled();
  setting.fake.onStream = (stream) => {
    if (text !== undefined) stream.end(text);
  };
  return setting;
}

test('a gateway that does not tell is not asked', async () => {
  await using setting = await telling('[]');
  await using client = await open(setting);
  setting.fake.onStream = () => assert.fail('asked');
  assert.equal(await askRefusals(client, ['raw', 'proxy']), undefined);
});

test('what it tells is read without what later gateways add, and is no whole once the tunnel broke', async () => {
  const told = { refusals: [{ ...row, later: 1 }], others: 3, later: [] };
  await using setting = await telling(JSON.stringify(told));
  await using client = await open(setting);
  assert.deepEqual(await askRefusals(client, ['refusals']), { refusals: [row], others: 3, isWhole: true });
  setting.fake.breakConnections();
  await eventually(() => client.linksUsed === 2 && client.isUp, 'the tunnel is up again');
  assert.equal((await askRefusals(client, ['refusals']))?.isWhole, false);
});

test('what is no such list is refused by its code, and one that does not come ends by its deadline', async () => {
  const malformed = [
    '',
    '[]',
    'null',
    '{"refusals":{}}',
    '{"refusals":[],"others":-1}',
    ...[{ ...row, kind: 'x' }, { ...row, code: 1 }, { ...row, count: 0.5 }, { ...row, host: [] }, null].map(
      (one) => JSON.stringify({ refusals: [one] }),
    ),
    `{"refusals":[],"x":"${'x'.repeat(defaultLimits.refusalsBytesMax)}"}`,
  ];
  for (const text of malformed) {
    await using setting = await telling(text);
    await using client = await open(setting);
    await assert.rejects(askRefusals(client, ['refusals']), { code: 'gateway_protocol' }, text.slice(0, 80));
  }
  await using setting = await telling(undefined);
  await using client = await open(setting);
  const limits = { ...defaultLimits, refusalsTimeoutMs: 20 };
  await assert.rejects(askRefusals(client, ['refusals'], limits), { code: 'timeout' });
});
