// `token issue --kind proxy`: the token, the variables that bring it to clients, and what does not go together.

import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { proxyEnvironment } from '../../../src/cli/gateway/proxy-environment.ts';
import { runShared } from '../../support/command-process.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const url = 'https://gateway.example.com:8444';

test('a proxy token has its own type and audience, its networks and its life', async () => {
  await withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.yaml');
    await writeFile(
      config,
      'publicNames: [gateway.example.com]\nstateDirectory: state\nproxy: { port: 8444 }\n',
    );
    const issue = (...args: string[]) =>
      runShared(['token', 'issue', '--config', config, '--kind', 'proxy', '--subject', 'legacy-3', ...args]);
    const out = join(directory, 'proxy-token');
    const first = await issue('--networks', '10.1.0.0/16,192.0.2.1', '--lifetime', '8h', '--out', out);
    assert.equal(first.code, 0, first.stderr);
    assert.equal((await stat(out)).mode & 0o777, 0o600);
    const [head = '', payload = ''] = (await readFile(out, 'utf8')).split('.');
    const read = (part: string): Record<string, unknown> =>
      JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
    const { aud, networks, iat, exp } = read(payload);
    assert.equal(read(head)['typ'], 'upstreamproxy-proxy+jwt');
    assert.deepEqual(
      [aud, networks, Number(exp) - Number(iat)],
      ['upstreamproxy/proxy', ['10.1.0.0/16', '192.0.2.1'], 28_800],
    );
    const second = await issue('--env', url, '--ca-file', '/etc/ssl/gateway.pem');
    assert.match(
      second.stdout,
      /^HTTPS_PROXY=https:\/\/proxy:eyJ[\w.-]+@gateway\.example\.com:8444\nhttps_proxy=\n/,
    );
    const wrong = await issue('--networks', 'intranet');
    assert.match(wrong.stderr, /"intranet" is not a network/);
  });
});

test('no small spelling of a proxy variable has the token, and no ALL_PROXY is set', () => {
  const lines = proxyEnvironment({ url, token: 'a.b.c', caFile: '/ca.pem' });
  const withToken = lines.filter((line) => line.includes('a.b.c')).map((line) => line.split('=')[0]);
  assert.ok(withToken.length > 4);
  assert.ok(withToken.every((name) => !/^(https?|all)_proxy$|^ALL_PROXY$/.test(name ?? '')));
  assert.ok(lines.includes('https_proxy=') && lines.includes('http_proxy='));
  for (const bad of [
    'http://gateway.example.com:8444',
    `${url}/path`,
    'https://u:p@gateway.example.com',
    'x',
  ])
    assert.throws(() => proxyEnvironment({ url: bad, token: 'a.b.c', caFile: undefined }), { code: 'usage' });
  assert.throws(() => proxyEnvironment({ url, token: 'a.b.c', caFile: "/a'b" }), { code: 'usage' });
});
