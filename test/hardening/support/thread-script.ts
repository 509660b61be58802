// A program that uses the library with a session on a thread of its own: says what its children inherit, then stays.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { initUpstreamProxy } from '../../../src/agent/init.ts';

const [folder = '', gatewayUrl = ''] = process.argv.slice(2);
const proxy = await initUpstreamProxy({
  gatewayUrl,
  tokenFile: `${folder}/token`,
  gatewayCa: readFileSync(`${folder}/ca.pem`, 'utf8'),
  stateDirectory: `${folder}/state`,
  ownThread: true,
  onFailure: 'throw',
});
const child =
  'for fd in /proc/$$/fd/*; do case $fd in */0 | */1 | */2) ;; *) readlink "$fd" ;; esac; done; env';
const seen = execFileSync('sh', ['-c', child], {
  encoding: 'utf8',
  env: { ...process.env, ...proxy.env },
  stdio: ['ignore', 'pipe', 'ignore'],
});
// Somebody who changes what the runtime trusts, once all stands.
process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
const fetched = await proxy.fetch('https://other.test/').then(
  (response) => `status ${String(response.status)}`,
  (error: unknown) => String((error as { cause?: unknown }).cause ?? error),
);
const global = await fetch(process.env['OTHER_ORIGIN'] ?? '').then(
  (response) => `status ${String(response.status)}`,
  (error: unknown) => String((error as { cause?: unknown }).cause ?? error),
);
writeFileSync(`${folder}/ready`, JSON.stringify({ seen, fetched, global }));
setInterval(() => proxy.port, 1_000);
