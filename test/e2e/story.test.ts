// The guide docs/guides/first-steps.md, command by command: real npm, git and curl, and origins on loopback.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';

import { mustRun } from '../support/command.ts';
import { gitServer } from '../support/git-server.ts';
import { runGuide } from '../support/guide-run.ts';
import { parseGuide } from '../support/guide.ts';
import { leadingProxy } from '../support/leading-proxy.ts';
import { httpsOrigin } from '../support/origin.ts';
import { packageRegistry } from '../support/package-registry.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';

const guideFile = new URL('../../docs/guides/first-steps.md', import.meta.url);
const beatMs = 50;

/** A port that nobody listens on: the guide writes it down before its gateway starts. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on a port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const endless: RequestListener = (_request, response) => {
  const timer = setInterval(() => response.write(Buffer.alloc(4096)), beatMs);
  response.once('close', () => clearInterval(timer));
};

/** What npm and git are told by the machine's owner, not by us: their registry, and nobody else's settings. */
async function userEnvironment(directory: string): Promise<NodeJS.ProcessEnv> {
  const [home, bin] = [join(directory, 'home'), join(directory, 'bin')];
  await Promise.all([mkdir(home), mkdir(bin)]);
  const npm = [
    'registry=https://registry.example.com/',
    'audit=false',
    'fund=false',
    'update-notifier=false',
  ];
  await writeFile(join(home, '.npmrc'), `${npm.join('\n')}\n`);
  await symlink(launcher, join(bin, 'upstreamproxy'));
  return { HOME: home, PATH: `${bin}${delimiter}${process.env['PATH']}`, GIT_CONFIG_NOSYSTEM: '1' };
}

test(
  'the guide for first steps does what it shows: observe, learn, check, replay, enforce, ask, grant, revoke, end',
  { skip: skipWithout('npm', 'git', 'curl', 'bash'), timeout: 170_000 },
  async (context) => {
    await using stack = new AsyncDisposableStack();
    const directory = stack.use(await temporaryDirectory()).path;
    const authority = createTestAuthority();
    const publicUrl = 'https://registry.example.com/';
    const registry = stack.use(await packageRegistry({ authority, publicUrl, name: 'greeting' }));
    const git = stack.use(await gitServer({ authority }));
    const api = stack.use(
      await httpsOrigin({ authority, handler: (_request, response) => response.end('[{"item":1}]\n') }),
    );
    const files = stack.use(await httpsOrigin({ authority, handler: endless }));
    const proxy = stack.use(
      await leadingProxy({
        'registry.example.com': registry.port,
        'git.example.com': git.port,
        'api.example.com': api.port,
        'files.example.com': files.port,
      }),
    );
    const stage = join(directory, 'stage');
    await mkdir(stage);
    await writeFile(join(stage, 'origins.pem'), authority.caPem);
    const upstream = { ca: 'origins.pem', systemTrust: false, proxy: { url: proxy.url } };

    const ends = await runGuide(parseGuide(await readFile(guideFile, 'utf8')), {
      directory: stage,
      environment: await userEnvironment(directory),
      replacements: { '8443': String(await freePort()) },
      additions: { 'gateway.yaml': `upstream: ${JSON.stringify(upstream)}\n` },
    });

    const cloned = await mustRun('git', ['-C', join(stage, 'project'), 'rev-parse', 'HEAD']);
    assert.equal(cloned.trim(), git.commit);
    assert.match(await readFile(join(stage, 'app/node_modules/greeting/index.js'), 'utf8'), /hello/);
    assert.deepEqual(
      [...new Set(api.requests.map(({ method, target }) => `${method} ${target}`))],
      ['GET /v1/items'],
      'the origin saw the granted request alone',
    );
    const { size } = await stat(join(stage, 'disk.img'));
    assert.ok(size > 0 && files.requests.length === 1, 'the download had begun');
    const endOf = (part: string): number =>
      [...ends].find(([command]) => command.includes(part))?.[1].endedMs ?? Number.NaN;
    const brokeOffMs = endOf('disk.img') - endOf('session revoke');
    context.diagnostic(`the download ended ${Math.round(brokeOffMs)} ms after the revocation`);
    assert.ok(brokeOffMs < 2000, String(brokeOffMs));
  },
);
