import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { canary, findCanary } from '../../support/canary.ts';
import { mustRun } from '../../support/command.ts';
import { gitServer } from '../../support/git-server.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { openConnectProxy } from '../support/connect-proxy.ts';
import { openRequestPath } from '../support/request-path.ts';
import { authority, openCredentialScene } from './support/credential-scene.ts';

test('git clones and pushes with Basic and no set-up, and the secret is nowhere in what it got', async () => {
  const secret = canary('git');
  const pair = Buffer.from(`x-access-token:${secret}`).toString('base64');
  await using directory = await temporaryDirectory();
  await using server = await gitServer({ authority, expectedAuthorization: `Basic ${pair}` });
  await using path = openRequestPath({
    policy: `
rules:
  - name: git
    hosts: git.test
    ports: ${server.port}
    addresses: 127.0.0.0/8
    inject: it
`,
    hosts: ['git.test'],
    trust: [authority.caPem],
    credentials: { it: { kind: 'basic', username: 'x-access-token', source: { env: 'S' } } },
    environment: { S: secret },
  });
  await using proxy = await openConnectProxy(path);
  const ca = join(directory.path, 'ca.pem');
  await writeFile(ca, path.caPem);
  const env = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSL_CAINFO: ca,
    https_proxy: proxy.url,
    GIT_TRACE_CURL: join(directory.path, 'trace'),
    GIT_TRACE_REDACT: '0',
    GIT_AUTHOR_NAME: 'Test',
    GIT_AUTHOR_EMAIL: 'test@example.com',
    GIT_COMMITTER_NAME: 'Test',
    GIT_COMMITTER_EMAIL: 'test@example.com',
  };
  const url = server.url('git.test', server.repositoryPath);
  const work = join(directory.path, 'work');
  const git = (...args: string[]): Promise<string> => mustRun('git', args, { env });
  await git('clone', '--quiet', url, work);
  assert.equal((await git('-C', work, 'rev-parse', 'HEAD')).trim(), server.commit);
  await git('-C', work, 'commit', '--quiet', '--allow-empty', '-m', 'second');
  await git('-C', work, 'push', '--quiet', 'origin', 'HEAD:main');
  const pushed = (await git('-C', work, 'ls-remote', 'origin', 'main')).split('\t')[0];
  assert.equal(pushed, (await git('-C', work, 'rev-parse', 'HEAD')).trim());
  // Positive control: the same search finds it in what the server saw.
  assert.notDeepEqual(findCanary(JSON.stringify(server.requests), secret), []);
  const trace = await readFile(join(directory.path, 'trace'), 'utf8');
  assert.match(trace, /HTTP\/[12]/);
  assert.deepEqual(findCanary(trace, secret), []);
  assert.deepEqual(findCanary(JSON.stringify(path.audit), secret), []);
});

test('Connection: authorization cannot take the injected field off again', async () => {
  const secret = canary('hop');
  await using scene = await openCredentialScene({
    credential: { kind: 'bearer', source: { env: 'S' } },
    environment: { S: secret },
  });
  const response = await scene.get('/in/a', 'Connection: authorization', 'Authorization: Bearer own');
  // Either it is refused as a trick, or the origin gets the injected value: never the client's, never none.
  if (response.status === 200) assert.equal(scene.seen[0]?.headers.authorization, `Bearer ${secret}`);
  else assert.equal(scene.seen.length, 0);
});
