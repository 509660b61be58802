import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

import { monoStore } from '../../../src/agent/home-files/mono-store.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { skipWithout } from '../../support/tools.ts';

test(
  'each certificate has a file whose name is its subject as OpenSSL hashes it',
  { skip: skipWithout('openssl') },
  () => {
    const authorities = [createTestAuthority(), createTestAuthority()];
    const files = monoStore(authorities.map(({ caPem }) => caPem).join('\n'));
    assert.equal(files.length, 2);
    assert.equal(new Set(files.map(({ path }) => path)).size, 2, 'the same subject again counts up');
    for (const { path, text } of files) {
      const hash = execFileSync('openssl', ['x509', '-noout', '-subject_hash'], { input: text })
        .toString()
        .trim();
      assert.match(path, new RegExp(`^\\.config/\\.mono/new-certs/Trust/${hash}\\.\\d$`));
    }
  },
);
