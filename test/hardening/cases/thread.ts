// The library in a program of somebody: a session on a thread of its own, and fetch for the program itself. The process that holds the
// thread is attacked as an agent is.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';

import { createTestAuthority } from '../../support/test-authority.ts';
import type { AttackCase, Bench, Holder, Verdict } from '../support/bench.ts';
import { isAlive } from '../support/lab.ts';
import { openedBySignal } from './signals.ts';

/** A single file is no library. */
const runtimes = ['node', 'bun'] as const;
const users = ['agent'] as const;
const otherUsers = 'root with CAP_SYS_PTRACE outside the jail reads everything';

export const threadCases: readonly AttackCase[] = [
  {
    number: '166',
    title: 'memory, trace, environment, mappings, descriptors of a program whose thread holds a token',
    runtimes,
    users,
    otherUsers,
    play: (bench) => reading(bench),
  },
  {
    number: '167',
    title: 'SIGUSR1 opens no inspector of a program whose thread holds a token',
    runtimes,
    users,
    otherUsers,
    needsRoot: true,
    play: (bench) => inspector(bench),
  },
  {
    number: '168',
    title: 'what a child of that program inherits: neither descriptors nor the token',
    runtimes,
    users,
    otherUsers,
    play: (bench) => inherited(bench),
  },
  {
    number: '169',
    title: 'fetch of the library trusts its own certificates when the program trusts everybody',
    runtimes,
    users,
    otherUsers,
    play: (bench) => trusting(bench),
  },
];

const words = ['mem', 'vm', 'ptrace', 'getfd', 'environ', 'maps', 'fd'] as const;

/** The program; `enrolling`: its gateway never responds, so that the thread has to keep its token. */
async function program(bench: Bench, until: 'enrolling' | 'up', originPort?: number): Promise<Holder> {
  const gateway = await bench.gateway(until === 'enrolling');
  if (originPort !== undefined)
    gateway.onStream = (stream) => {
      const origin = connect(originPort, '127.0.0.1').on('error', () => stream.destroy());
      stream.pipe(origin).pipe(stream);
    };
  const OTHER_ORIGIN = originPort === undefined ? '' : `https://127.0.0.1:${originPort}/`;
  const { home, token, tokenFile } = bench.lab.newToken();
  bench.lab.writeFile(join(home, 'ca.pem'), gateway.authority.caPem, 0o644);
  const readyFile = join(home, 'ready');
  const runtime = bench.lab.runtimeFile(bench.runtime, 'exec-only');
  const options =
    bench.engine === 'node' ? ['--disable-sigusr1', '--disable-warning=ExperimentalWarning'] : [];
  const script = bench.lab.supportFile('thread-script.ts');
  const started = bench.start([runtime, ...options, script, home, gateway.url], {
    env: { HOME: home, OTHER_ORIGIN },
  });
  const holds = (): boolean =>
    until === 'enrolling' ? gateway.requests.includes('enrol') : existsSync(readyFile);
  await bench.until(`the program is ${until}`, holds, started);
  return { ...started, home, token, tokenFile, readyFile };
}

async function reading(bench: Bench): Promise<Verdict> {
  const victim = await bench.victim();
  const holder = await program(bench, 'enrolling');
  if (bench.lab.isRoot) await bench.mustHoldToken(holder);
  const denials: string[] = [];
  for (const word of words) {
    const control = await bench.attack([word, victim.pid, victim.token]);
    assert.ok(control.worked, `the control failed, so nothing is proven: ${control.said}`);
    const { worked, said } = await bench.attack([word, holder.pid, holder.token]);
    assert.ok(!worked, `${word}: ${said}`);
    denials.push(said.replace(/^denied: /, ''));
  }
  assert.ok(isAlive(holder.pid), holder.said());
  return {
    denied: denials.join('; '),
    control: `all ${words.length} work on a program that protects nothing`,
  };
}

async function inspector(bench: Bench): Promise<Verdict> {
  const victim = await bench.victim();
  const opened = await openedBySignal(bench, victim.pid, true);
  assert.ok(bench.engine === 'node' ? opened.length > 0 : !isAlive(victim.pid), 'the control failed');
  const holder = await program(bench, 'enrolling');
  assert.deepEqual(await openedBySignal(bench, holder.pid), []);
  assert.ok(isAlive(holder.pid), 'the program ended');
  return { denied: 'no port, alive', control: `the victim: ${opened.join() || 'ended'}` };
}

interface Told {
  readonly seen: string;
  readonly fetched: string;
  readonly global: string;
}

async function toldBy(bench: Bench, holder: Holder): Promise<Told> {
  await bench.until('it told', () => existsSync(holder.readyFile), holder);
  // Written by our own script.
  return JSON.parse(readFileSync(holder.readyFile, 'utf8')) as Told;
}

async function inherited(bench: Bench): Promise<Verdict> {
  const holder = await program(bench, 'up');
  const { seen } = await toldBy(bench, holder);
  const { token } = holder;
  assert.doesNotMatch(seen, /socket:|memfd|anon_inode/, seen);
  assert.ok(
    !seen.includes(token) && !seen.includes(holder.tokenFile),
    'the token is in what a child inherits',
  );
  assert.match(seen, /^HTTPS_PROXY=/im);
  const script = 'exec 3< "$1"; TOKEN=$(cat "$1"); export TOKEN; sh -c "readlink /proc/self/fd/3; env"';
  const fresh = bench.lab.newToken();
  const control = await bench.lab.finish(['sh', '-c', script, 'sh', fresh.tokenFile]);
  assert.ok(control.said.includes(fresh.token) && control.said.includes(fresh.tokenFile), control.said);
  return { denied: 'no socket, no token', control: 'a program that keeps both hands them on' };
}

/** An origin whose certificate nobody knows, behind a gateway that passes what it gets. */
async function trusting(bench: Bench): Promise<Verdict> {
  const stranger = createTestAuthority();
  const server = createServer({ ...stranger.issue('other.test') }, (_, response) => response.end('stranger'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  bench.use({
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  });
  const { port } = server.address() as AddressInfo;
  const holder = await program(bench, 'up', port);
  const { fetched, global } = await toldBy(bench, holder);
  // That it is refused for its certificate and not for anything else.
  assert.match(fetched, /certificate|UNABLE_TO_VERIFY|issuer/i);
  assert.equal(global, 'status 200', 'the control failed, so nothing is proven');
  return { denied: fetched, control: 'the global fetch trusts everybody by then' };
}
