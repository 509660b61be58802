// What a gateway stores is a chain that its key signs, from its first event to its end.

import assert from 'node:assert/strict';
import { request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { embeddedConfig } from '../../src/gateway/config/config.ts';
import { type Gateway, startGateway } from '../../src/gateway/gateway.ts';
import { openSigningKey } from '../../src/gateway/sessions/signing-key.ts';
import { sessionPath } from '../../src/protocol/session-messages.ts';
import { verifyChain } from '../../src/store/chain/verify-chain.ts';
import { openStore } from '../../src/store/open-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createAgentKey, posture, proofOf } from './session-fixture.ts';

async function refusedStatus({ url: place, serverCaPem }: Gateway): Promise<unknown> {
  const key = createAgentKey();
  const url = `${place}${sessionPath}`;
  const headers = {
    authorization: 'Bearer not.a.token',
    dpop: proofOf(key, { method: 'POST', url, nowMs: Date.now() }),
    'content-type': 'application/json',
  };
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', ca: serverCaPem, headers }, (response) =>
      resolve(response.resume().statusCode),
    );
    const body = { key: key.jwk, posture, agent: { version: '0.1.0' } };
    sent.on('error', reject).end(JSON.stringify(body));
  });
}

test('a gateway that ends in good order leaves a chain whose end is signed, and the next one goes on', async () => {
  await using directory = await temporaryDirectory();
  const config = embeddedConfig(join(directory.path, 'state'));
  for (let start = 0; start < 2; start += 1) {
    await using gateway = await startGateway(config);
    // Refused, which leaves an event.
    assert.equal(await refusedStatus(gateway), 401);
  }
  await using store = await openStore(config.store);
  const { publicKeys } = await openSigningKey(config.stateDirectory);
  const report = await verifyChain(store.audit.chain, publicKeys, {});
  assert.deepEqual(report.findings, []);
  assert.deepEqual([report.chains, report.notChained, report.uncovered], [2, 0, 0]);
  assert.ok(report.events >= 2);
});
