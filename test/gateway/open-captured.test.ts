// The key of kept bodies is asked for when the gateway starts, not when the first body comes.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CapturedSettings } from '../../src/gateway/config/captured-settings.ts';
import { openCaptured } from '../../src/gateway/open-captured.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('a source with something else than a key ends the start, and one that is away is told', async () => {
  await using directory = await temporaryDirectory();
  const faults: string[] = [];
  const open = async (key: CapturedSettings['key'], environment: Record<string, string> = {}) => {
    await using _ = await openCaptured(
      { directory: join(directory.path, 'captured'), keepDays: 7, keepBytes: 1024, key },
      {
        environment,
        clock: Date.now,
        onLimit: () => undefined,
        onFault: ({ code }) => void faults.push(code),
      },
    );
  };
  const source = { env: 'KEY' };
  await assert.rejects(open({ source }, { KEY: 'correct horse battery staple' }), {
    code: 'config_invalid',
    message: /^captured\.source is not 32 random octets /,
  });
  await assert.rejects(open({ source }), { code: 'config_invalid' });
  assert.deepEqual(faults, []);
  await open({ source }, { KEY: randomBytes(32).toString('base64') });
  await open({ file: join(directory.path, 'captured.key') });
  assert.deepEqual(faults, []);
  await open({ source: { file: join(directory.path, 'absent') } });
  assert.deepEqual(faults, ['credential_unavailable']);
});
