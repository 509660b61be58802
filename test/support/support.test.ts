// The fixtures themselves: what other tests take for granted.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { once } from 'node:events';
import { test } from 'node:test';

import { canary, findCanary } from './canary.ts';
import { mustRun, runCommand } from './command.ts';
import { gitServer } from './git-server.ts';
import { namespaceLeftovers, namespaceObstacle, networkNamespace } from './network-namespace.ts';
import { httpOrigin, httpsOrigin } from './origin.ts';
import { patternHash, patternStream } from './pattern-bytes.ts';
import { resourceBaseline, resourcesSettled } from './resources.ts';
import { withTemporaryDirectory } from './temporary-directory.ts';
import { createTestAuthority } from './test-authority.ts';
import { skipWithout } from './tools.ts';

test('a canary is found plain, encoded and inside Basic credentials, and not where it is not', () => {
  const secret = canary('token');
  const forms = [
    secret,
    Buffer.from(`git:${secret}`).toString('base64'),
    Buffer.from(secret).toString('hex'),
  ];
  forms.push(Buffer.from(`user:${secret}`).toString('base64'), Buffer.from(`u:${secret}`).toString('base64'));
  for (const form of forms) assert.notEqual(findCanary(`before ${form} after`, secret).length, 0, form);
  assert.deepEqual(findCanary(`${canary('token')} and [secret]`, secret), []);
});

test('a command ends at its deadline, with what it printed, though what it started lives on', async () => {
  const command = 'echo before; sleep 300 & echo $!; wait';
  const { signal, stdout } = await runCommand('sh', ['-c', command], { timeoutMs: 2_000 });
  assert.equal(signal, 'SIGKILL');
  const [line, pid] = stdout.split('\n');
  assert.equal(line, 'before');
  // What it started was not waited for; it cannot be killed if it has ended.
  process.kill(Number(pid), 'SIGKILL');
});

test('the resource check names what is left open and passes once it is closed', async () => {
  const baseline = resourceBaseline();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  await assert.rejects(resourcesSettled(baseline, 30), /TCPServerWrap/);
  server.close();
  await resourcesSettled(baseline);
});

test('an origin serves pattern bytes and logs what it saw', async () => {
  const baseline = resourceBaseline();
  {
    await using origin = await httpOrigin({ expectedAuthorization: 'Bearer x' });
    const response = await fetch(origin.url('127.0.0.1', '/bytes/200000'), {
      headers: { connection: 'close' },
    });
    assert.equal(
      createHash('sha256')
        .update(Buffer.from(await response.arrayBuffer()))
        .digest('hex'),
      patternHash(200_000),
    );
    const posted = await fetch(origin.url('127.0.0.1', '/sink'), {
      method: 'POST',
      body: patternStream(100_000, 2),
      duplex: 'half',
      headers: { connection: 'close' },
    });
    assert.partialDeepStrictEqual(await posted.json(), { sha256: patternHash(100_000, 2), bytes: 100_000 });
    assert.deepEqual(
      origin.requests.map(({ method, target, bodyBytes }) => [method, target, bodyBytes]),
      [
        ['GET', '/bytes/200000', 0],
        ['POST', '/sink', 100_000],
      ],
    );
  }
  await resourcesSettled(baseline);
});

test('a TLS origin has a certificate for any name, which verifies against its authority only', async () => {
  const authority = createTestAuthority();
  await using origin = await httpsOrigin({ authority });
  const get = (ca: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      https
        .get(
          { host: '127.0.0.1', port: origin.port, servername: 'name.test', path: '/hello', ca, agent: false },
          (response) => {
            response.resume();
            resolve(response.statusCode);
          },
        )
        .on('error', reject);
    });
  assert.equal(await get(authority.caPem), 200);
  assert.equal(origin.requests[0]?.servername, 'name.test');
  await assert.rejects(get(createTestAuthority().caPem));
});

test('a real git clones from the git server', { skip: skipWithout('git') }, async () => {
  const authority = createTestAuthority();
  await using server = await gitServer({ authority });
  await withTemporaryDirectory(async (directory) => {
    await writeFile(join(directory, 'ca.pem'), authority.caPem);
    const env = {
      PATH: process.env['PATH'],
      GIT_SSL_CAINFO: join(directory, 'ca.pem'),
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
    };
    await mustRun(
      'git',
      ['clone', '-q', server.url('127.0.0.1', server.repositoryPath), join(directory, 'c')],
      { env },
    );
    assert.match(await readFile(join(directory, 'c', 'README'), 'utf8'), /fetched through the proxy/);
    const head = await mustRun('git', ['-C', join(directory, 'c'), 'rev-parse', 'HEAD'], { env });
    assert.equal(head.trim(), server.commit);
  });
});

test('a program that outlives its time is killed and told', async () => {
  const { signal } = await runCommand('sleep', ['60'], { timeoutMs: 50 });
  assert.equal(signal, 'SIGKILL');
});

test(
  'a namespace reaches one address outside and nothing else, and is gone afterwards',
  { skip: namespaceObstacle() ?? false },
  async () => {
    {
      await using namespace = await networkNamespace();
      await using origin = await httpOrigin({ address: namespace.outsideAddress });
      const curl = (url: string): Promise<{ code: number | null }> => {
        const [file, ...args] = namespace.enter(['curl', '-sS', '--noproxy', '*', '--max-time', '3', url]);
        return runCommand(file, args);
      };
      assert.equal((await curl(origin.url(namespace.outsideAddress, '/hello'))).code, 0);
      assert.equal((await curl('http://192.0.2.1/')).code, 7);
      assert.notDeepEqual(await namespaceLeftovers(), []);
    }
    assert.deepEqual(await namespaceLeftovers(), []);
  },
);
