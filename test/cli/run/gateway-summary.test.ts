import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { readRunRecord } from '../../../src/cli/job/job-folder.ts';
import { gatewaySummary } from '../../../src/cli/run/gateway-summary.ts';
import { recordOfGateway, runRecordName, writeRunRecord } from '../../../src/cli/run/run-record.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { runCommand } from '../../support/command.ts';
import { launcher } from '../../support/program.ts';
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
    assert.ok(!existsSync(join(state, runRecordName)));
    assert.equal(await gatewaySummary({ refusals }, { gatewayUrl, quiet: true, state }), '');
    assert.deepEqual(await readRunRecord(state), recordOfGateway(gatewayUrl, told));
  });
});

test('a gateway that tells nothing, and one that cannot be asked, are told apart', async () => {
  await withTemporaryDirectory(async (state) => {
    const options = { gatewayUrl, quiet: false, state };
    assert.equal(await gatewaySummary({ refusals: async () => undefined }, options), '');
    assert.deepEqual(await readRunRecord(state), recordOfGateway(gatewayUrl));
    const refusals = (): Promise<never> => Promise.reject(new ProxyError('timeout', 'too late'));
    const away = join(state, 'made', 'for', 'it');
    await writeRunRecord(away, recordOfGateway(gatewayUrl));
    assert.match(
      await gatewaySummary({ refusals }, { ...options, state: away }),
      /is not known here: too late/,
    );
    // It says who decides, and `job end` that nothing was told.
    assert.deepEqual(await readRunRecord(away), recordOfGateway(gatewayUrl));
    const { code, stderr } = await runCommand(launcher, ['job', 'end', '--state', away, '--fail-on-denial']);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /this may not be all: the gateway did not tell what it refused/);
  });
});
