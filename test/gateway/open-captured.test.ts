// The key of kept bodies is asked for when the gateway starts, not when the first body comes.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { bodiesHere } from '../../src/cli/operator/bodies-here.ts';
import type { OperatorDesk } from '../../src/cli/operator/operator-audit.ts';
import type { GatewayConfig } from '../../src/gateway/config/config.ts';
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
  // Digits on two lines, as some programs print them, are refused as by `--check`.
  const twoLines = join(directory.path, 'two-lines');
  await writeFile(
    twoLines,
    randomBytes(32)
      .toString('hex')
      .replace(/^.{60}/, '$&\n'),
  );
  await assert.rejects(open({ source: { file: twoLines } }), { code: 'config_invalid' });
});

test('an operator who has no key of the gateway is told of an event without bodies that there are none', async () => {
  await using directory = await temporaryDirectory();
  const captured: CapturedSettings = {
    directory: join(directory.path, 'captured'),
    keepDays: 7,
    keepBytes: 1024,
    key: { source: { file: join(directory.path, 'absent') } },
  };
  for (const key of [captured.key, { source: { env: 'UPSTREAMPROXY_TEST_NOT_SET' } }])
    await assert.rejects(
      // Of both only what is asked of them is there.
      bodiesHere(
        { captured: { ...captured, key } } as GatewayConfig,
        { store: { audit: { find: async () => undefined } } } as unknown as OperatorDesk,
        '0197b1d0-0000-7000-8000-000000000000',
      ),
      { code: 'usage', message: /^no bodies are kept/ },
    );
});
