import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { readToldFile } from '../../../src/cli/job/job-folder.ts';
import { gatewaySummary, toldName } from '../../../src/cli/run/gateway-summary.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const gatewayUrl = 'https://gateway.example.com';
const told = {
  refusals: [{ kind: 'stream', host: 'a.example.com', port: 22, code: 'policy_denied', count: 2 }],
  others: 1,
  isWhole: false,
} as const;

test('what another gateway refused is printed, and kept where a folder is named', async () => {
  await withTemporaryDirectory(async (state) => {
    const refusals = async (): Promise<typeof told> => told;
    const text = await gatewaySummary({ refusals }, { gatewayUrl, quiet: false, state: undefined });
    assert.match(text, /a connection to a\.example\.com:22: policy_denied \(2 times\)/);
    assert.match(text, /before the tunnel broke/);
    assert.ok(!existsSync(join(state, toldName)));
    assert.equal(await gatewaySummary({ refusals }, { gatewayUrl, quiet: true, state }), '');
    assert.deepEqual(await readToldFile(state), {
      gatewayUrl,
      told: { refusals: told.refusals, others: 1 },
    });
  });
});

test('a gateway that tells nothing, and one that cannot be asked, are told apart', async () => {
  await withTemporaryDirectory(async (state) => {
    const options = { gatewayUrl, quiet: false, state };
    assert.equal(await gatewaySummary({ refusals: async () => undefined }, options), '');
    assert.deepEqual(await readToldFile(state), { gatewayUrl, told: undefined });
    const refusals = (): Promise<never> => Promise.reject(new ProxyError('timeout', 'too late'));
    assert.match(await gatewaySummary({ refusals }, options), /is not known here: too late/);
  });
});
