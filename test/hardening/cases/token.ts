// The token on its way: in its file, in memory after its one use, on the wire, and after the agent's death.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, existsSync, linkSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';

import { canary } from '../../support/canary.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import type { AttackCase, Bench, Verdict } from '../support/bench.ts';

export const tokenCases: readonly AttackCase[] = [
  {
    number: '24',
    title: 'a hard link to the token, made before the start or meanwhile',
    play: (bench) => hardLink(bench),
  },
  {
    number: '25',
    title: 'a descriptor opened before the start, read afterwards',
    play: (bench) => earlyDescriptor(bench),
  },
  {
    number: '26',
    title: 'token path is a symlink, FIFO, folder, or open to others',
    short: true,
    play: (bench) => oddFiles(bench),
  },
  {
    number: '28',
    title: 'a scan of all memory after the exchange (by root)',
    needsRoot: true,
    play: (bench) => noCopies(bench),
  },
  { number: '37', title: 'a sniffer with CAP_NET_RAW', needsRoot: true, play: (bench) => sniffer(bench) },
  {
    number: '38',
    title: 'kill -9, then the port of the relay is squatted',
    play: (bench) => squatter(bench),
  },
];

async function hardLink(bench: Bench): Promise<Verdict> {
  // Unlinking alone: the link still has all of it.
  const control = bench.lab.newToken();
  linkSync(control.tokenFile, join(control.home, 'link'));
  await bench.lab.finish(['sh', '-c', 'rm "$1"', 'sh', control.tokenFile]);
  assert.equal(readFileSync(join(control.home, 'link'), 'utf8'), control.token);
  // Before: refused.
  const gateway = await bench.gateway();
  const early = bench.lab.newToken();
  linkSync(early.tokenFile, join(early.home, 'link'));
  const refused = await bench.agent('started', { gateway, ...early });
  assert.notEqual(await refused.ended, 0);
  assert.match(refused.said(), /another hard link.*token_unreadable/);
  assert.deepEqual(gateway.requests, []);
  // Meanwhile: made when the token was sent, and overwritten with the file.
  const late = bench.lab.newToken();
  const link = join(late.home, 'link');
  const push = gateway.requests.push.bind(gateway.requests);
  gateway.requests.push = (...kinds) => {
    if (kinds[0] === 'enrol') linkSync(late.tokenFile, link);
    return push(...kinds);
  };
  await bench.agent('up', { gateway, ...late });
  assert.ok(!existsSync(late.tokenFile));
  assert.equal(readFileSync(link, 'utf8'), '');
  return {
    denied: 'before: refused; meanwhile: the link is empty',
    control: 'after unlink alone the link has the token',
  };
}

async function earlyDescriptor(bench: Bench): Promise<Verdict> {
  const read = (fd: number): string => {
    const bytes = Buffer.alloc(256);
    const count = readSync(fd, bytes, 0, 256, 0);
    closeSync(fd);
    return bytes.toString('latin1', 0, count);
  };
  const control = bench.lab.newToken();
  const early = openSync(control.tokenFile, 'r');
  await bench.lab.finish(['rm', control.tokenFile]);
  assert.equal(read(early), control.token);
  const token = bench.lab.newToken();
  const fd = openSync(token.tokenFile, 'r');
  await bench.agent('up', token);
  assert.equal(read(fd), '');
  return { denied: 'nothing to read', control: 'after unlink alone the descriptor gives the token' };
}

async function oddFiles(bench: Bench): Promise<Verdict> {
  const gateway = await bench.gateway();
  const { home, token, tokenFile } = bench.lab.newToken();
  const open = bench.lab.writeFile(join(home, 'open'), token, 0o644);
  const inHome = (name: string): string => join(home, name);
  const made = await bench.lab.finish([
    'sh',
    '-c',
    'ln -s "$1" "$2/symlink" && mkfifo -m 600 "$2/fifo" && mkdir -m 700 "$2/folder"',
    'sh',
    tokenFile,
    home,
  ]);
  assert.equal(made.code, 0, made.said);
  // A careless reader follows the link and does not look at the mode.
  assert.equal(readFileSync(inHome('symlink'), 'utf8'), token);
  assert.equal(readFileSync(open, 'utf8'), token);
  const cases: readonly (readonly [string, RegExp])[] = [
    ['symlink', /symbolic link/],
    ['fifo', /not a regular file/],
    ['folder', /not a regular file/],
    ['open', /mode 644/],
  ];
  for (const [name, reason] of cases) {
    const agent = await bench.agent('started', { gateway, home, tokenFile: inHome(name) });
    assert.notEqual(await agent.ended, 0);
    assert.match(agent.said(), reason);
    assert.match(agent.said(), /token_unreadable/);
  }
  if (bench.lab.isRoot) {
    bench.lab.give(tokenFile, 'work');
    const foreign = await bench.agent('started', { gateway, home, tokenFile });
    assert.notEqual(await foreign.ended, 0);
    assert.match(foreign.said(), /token_unreadable/);
    assert.equal(statSync(tokenFile).size, token.length);
  }
  assert.deepEqual(gateway.requests, []);
  return {
    denied: 'refused each, nothing asked',
    control: 'a careless reader gets the token by symlink and by mode 644',
  };
}

async function noCopies(bench: Bench): Promise<Verdict> {
  const victim = await bench.victim();
  const control = await bench.attack(['mem', victim.pid, victim.token], 'root');
  assert.ok(control.worked, control.said);
  const holding = await bench.mustHoldToken(await bench.agent('enrolling'));
  const told: string[] = [];
  for (const installation of ['exec-only', 'readable'] as const) {
    const agent = await bench.agent('up', { installation });
    const { worked, said } = await bench.attack(['mem', agent.pid, agent.token], 'root');
    assert.ok(!worked, said);
    // Not a page of it could be read would prove nothing.
    assert.match(said, /^read, but nothing there/);
    told.push(said);
  }
  return { denied: told[0] ?? '', control: `victim: ${control.said}; agent before the exchange: ${holding}` };
}

async function sniffer(bench: Bench): Promise<Verdict> {
  // In the clear, over the same interface.
  const plainPort = await plainServer(bench);
  const victim = bench.lab.newToken();
  const client = [
    bench.lab.runtimeFile(bench.runtime, 'readable'),
    bench.lab.supportFile('naive-client-script.ts'),
  ];
  const control = await sniffed(bench, victim.token, async (home) => {
    await bench.lab.finish([...client, `http://127.0.0.1:${plainPort}/`, victim.tokenFile]);
    bench.lab.writeFile(join(home, 'done'), '');
  });
  assert.ok(control.worked, `the control failed: ${control.said}`);
  const agent = bench.lab.newToken();
  const { worked, said } = await sniffed(bench, agent.token, async (home) => {
    await bench.agent('up', agent);
    bench.lab.writeFile(join(home, 'done'), '');
  });
  assert.ok(!worked, said);
  return { denied: `ciphertext: ${said}`, control: control.said };
}

async function sniffed(
  bench: Bench,
  needle: string,
  act: (home: string) => Promise<void>,
): Promise<{ worked: boolean; said: string }> {
  const home = bench.lab.newFolder();
  const started = join(home, 'started');
  const attack = bench.attack(['sniff', needle, started, join(home, 'done')], 'root');
  await bench.until('the sniffer listens', () => existsSync(started));
  await act(home);
  return attack;
}

async function plainServer(bench: Bench): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('HTTP/1.1 204 No Content\r\n\r\n'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  bench.use({ [Symbol.asyncDispose]: async () => void server.close() });
  return portOf(server);
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function squatter(bench: Bench): Promise<Verdict> {
  const agent = await bench.agent('up');
  // Written by our own program: names and values.
  const environment = JSON.parse(readFileSync(agent.readyFile, 'utf8')) as Record<string, string>;
  const port = Number(new URL(environment['https_proxy'] ?? '').port);
  const { worked } = await bench.attack(['signal', agent.pid, 9]);
  assert.ok(worked);
  await agent.ended;
  // The squatter responses CONNECT, and has a certificate of its own making for every name.
  const seen: string[] = [];
  const authority = createTestAuthority();
  const secureContext = authority.context('api.test');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (head) => {
      seen.push(String(head));
      if (!String(head).startsWith('CONNECT ')) return void socket.destroy();
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const tls = new TLSSocket(socket, { isServer: true, secureContext });
      tls
        .on('error', () => undefined)
        .on('data', (chunk) => {
          seen.push(String(chunk));
          tls.end('HTTP/1.1 204 No Content\r\n\r\n');
        });
    });
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  bench.use({ [Symbol.asyncDispose]: async () => void server.close() });
  const secret = canary('api');
  const client = async (more: readonly string[]): Promise<number | null> => {
    const command = [
      'curl',
      '-sS',
      '-m',
      '5',
      ...more,
      '-H',
      `Authorization: Bearer ${secret}`,
      'https://api.test/',
    ];
    return (await bench.lab.finish(command, { env: environment })).code;
  };
  assert.equal(await client(['--insecure']), 0);
  assert.ok(seen.join('').includes(secret), 'the control failed');
  seen.length = 0;
  assert.notEqual(await client([]), 0);
  assert.match(seen.join(''), /^CONNECT api\.test:443 /, 'the client did not come to the squatter');
  assert.ok(!seen.join('').includes(secret));
  assert.doesNotMatch(seen.join(''), /authorization/i);
  return {
    denied: 'a CONNECT line without a credential, then the client left',
    control: 'a client that verifies nothing gave its header',
  };
}
