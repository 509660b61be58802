import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { patienceMs } from '../../support/patience.ts';
import { launcher } from '../../support/program.ts';

for (const runtime of ['node', 'bun']) {
  test(`the posture alone needs no gateway, and says what holds (${runtime})`, () => {
    const env = { ...process.env, UPSTREAMPROXY_RUNTIME: runtime, UPSTREAMPROXY_GATEWAY: '' };
    const { status, stderr } = spawnSync(launcher, ['agent', '--posture'], {
      encoding: 'utf8',
      env,
      timeout: patienceMs,
    });
    assert.equal(status, 0, stderr);
    // Printed by our own program.
    const posture = JSON.parse(stderr) as Record<string, unknown>;
    assert.equal(posture['runtime'], runtime);
    for (const fact of ['nondumpable', 'untraced', 'coreLimitZero', 'inspectorClosed'])
      assert.equal(posture[fact], true, fact);
    assert.equal(posture['jailed'], false);
  });
}
