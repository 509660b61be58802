// The bill of materials of a session, by the schema of CycloneDX's makers, which comes from npm.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cycloneDx } from '../../src/gateway/packages/cyclonedx.ts';
import { PackageBill } from '../../src/api/package-bill.ts';
import { billReaders } from '../release/bill-validation.ts';
import { billEvents } from '../support/package-events.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const skip = process.env['TEST_REGISTRIES'] === undefined ? 'npm run test:packages runs it' : false;

test('the bill is valid, with packages and without, and a wrong one is found', { skip }, async (context) => {
  await using folder = await temporaryDirectory();
  const readers = await billReaders(folder.path);
  if (typeof readers === 'string') return context.skip(readers);
  const made = { nowMs: Date.now(), programVersion: '1.2.3' };
  const bill = new PackageBill();
  assert.deepEqual(readers.cycloneDx(cycloneDx(bill.of('s'), made)), []);
  for (const event of billEvents) bill.note(event);
  const { packages, ...others } = bill.of('s');
  const images = ['sha256:00ff', '1.0'].map((version) => ({
    registry: 'oci',
    host: 'oci.test',
    name: 'team/app',
    version,
    fetched: new Date().toISOString(),
    requests: 1,
  }));
  const document = cycloneDx({ ...others, packages: [...packages, ...images] }, made);
  assert.deepEqual(readers.cycloneDx(document), []);
  assert.notDeepEqual(
    readers.cycloneDx({ ...(document as object), specVersion: 'none', components: [{}] }),
    [],
  );
});
