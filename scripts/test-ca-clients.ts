// `npm run test:ca-clients`: whether TLS stacks take what the gateway shows them, with and without name constraints, as far as they are here:
// OpenSSL, curl, GnuTLS, Go, Java, Node, Bun (BoringSSL), Python, Ruby, PHP, NSS, mbedTLS and wolfSSL. `UPDATE_DOCS=1` writes what they did into
// docs/reference/certificates.md.

import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { testEnvironment } from './test-environment.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const files = globSync('test/ca-clients/*.test.ts', { cwd: root }).toSorted();
const env = { ...testEnvironment(process.env), TEST_CA_CLIENTS: '1' };
const args = ['--disable-warning=ExperimentalWarning', '--test', '--test-concurrency=1', ...files];
if (spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status !== 0)
  process.exitCode = 1;
