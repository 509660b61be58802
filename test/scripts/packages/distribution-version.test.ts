import assert from 'node:assert/strict';
import { test } from 'node:test';

import { distributionVersion } from '../../../scripts/packages/distribution-version.ts';

test('a version before a release is older than the release', () => {
  assert.equal(distributionVersion('1.20.300'), '1.20.300');
  assert.equal(distributionVersion('1.0.0-rc.1'), '1.0.0~rc.1');
  assert.equal(distributionVersion('1.0.0-beta-2.x'), '1.0.0~beta.2.x');
  assert.equal(distributionVersion('1.0.0+build.5'), '1.0.0');
});

test('what is no version is refused', () => {
  for (const text of ['', '1.0', 'v1.0.0', '1.0.0 ', '1.0.0-', '1.0.0\n', '1.0.0-a b', '1.0.0;x'])
    assert.throws(() => distributionVersion(text), /is no version/, JSON.stringify(text));
});
