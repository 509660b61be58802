// What the environment and the working folder of the agent can and cannot make it do.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { FakeGateway } from '../../agent/support/fake-gateway.ts';
import { caCertPath } from '../../../src/protocol/session-messages.ts';
import type { AttackCase, AgentOptions, Bench, Holder, Verdict } from '../support/bench.ts';
import { isAlive, type LabProcess } from '../support/lab.ts';
import { patienceMs } from '../../support/patience.ts';

const quiet = ['--disable-sigusr1', '--disable-warning=ExperimentalWarning'];

export const environmentCases: readonly AttackCase[] = [
  {
    number: '16',
    title: 'NODE_OPTIONS=--heapsnapshot-signal, then the signal',
    runtimes: ['node', 'single'],
    play: (bench) => snapshot(bench),
  },
  {
    number: '17',
    title: 'preloaded code (NODE_OPTIONS, BUN_OPTIONS)',
    short: true,
    play: (bench) => preload(bench),
  },
  { number: '17b', title: 'LD_PRELOAD in the environment', play: (bench) => loader(bench) },
  { number: '19', title: '.env in the working folder', play: (bench) => envFile(bench) },
  {
    number: '20',
    title: 'bunfig.toml with a preload in the working folder',
    runtimes: ['bun'],
    play: (bench) => bunfig(bench),
  },
  {
    number: '21',
    title: 'NODE_TLS_REJECT_UNAUTHORIZED=0 and another gateway',
    short: true,
    play: (bench) => unverified(bench),
  },
  {
    number: '22',
    title: 'NODE_EXTRA_CA_CERTS, SSL_CERT_FILE with another authority',
    play: (bench) => foreignAuthority(bench),
  },
  { number: '23', title: 'HTTPS_PROXY to the attacker', play: (bench) => environmentProxy(bench) },
  {
    number: '40',
    title: 'no foreign functions, or prctl taken away',
    play: (bench) => noForeignFunctions(bench),
  },
];

/** Ends by itself, with the reason, without a request to anybody, and with its token as it was. */
async function mustRefuse(agent: Holder, reason: RegExp, gateway: FakeGateway): Promise<void> {
  const code = await endOf(agent);
  assert.notEqual(code, 0, agent.said());
  assert.match(agent.said(), reason);
  assert.deepEqual(gateway.requests, []);
  assert.equal(readFileSync(agent.tokenFile, 'utf8'), agent.token);
}

async function endOf(started: LabProcess): Promise<number | null> {
  const timer = setTimeout(() => started.child.kill('SIGKILL'), patienceMs);
  const code = await started.ended;
  clearTimeout(timer);
  return code;
}

async function snapshot(bench: Bench): Promise<Verdict> {
  const env = { NODE_OPTIONS: '--heapsnapshot-signal=SIGUSR2' };
  const snapshots = (folder: string): readonly string[] =>
    readdirSync(folder).filter((name) => name.endsWith('.heapsnapshot'));
  const place = bench.lab.newFolder();
  const victim = await bench.victim({ cwd: place, env });
  process.kill(victim.pid, 'SIGUSR2');
  // It is written while the victim stands still, and complete when it is found to hold the token.
  const holdsToken = (): boolean =>
    snapshots(place).some((name) => readFileSync(join(place, name), 'latin1').includes(victim.token));
  await bench.until('a snapshot with the token', holdsToken, victim);

  const cwd = bench.lab.newFolder();
  const agent = await bench.agent('enrolling', { cwd, env });
  process.kill(agent.pid, 'SIGUSR2');
  for (let waited = 0; waited < 20 && isAlive(agent.pid); waited++) await delay(50);
  assert.deepEqual(snapshots(cwd), []);
  if (!bench.hasLauncher) return { denied: 'no snapshot', control: 'snapshot with the token' };
  const gateway = await bench.gateway();
  await mustRefuse(await bench.agent('started', { gateway, env, direct: quiet }), /NODE_OPTIONS/, gateway);
  return { denied: 'launcher: no snapshot; without launcher: refused', control: 'snapshot with the token' };
}

async function preload(bench: Bench): Promise<Verdict> {
  const attempt = (): {
    readonly env: Record<string, string>;
    readonly marker: string;
    readonly cwd: string;
  } => {
    const cwd = bench.lab.newFolder();
    const marker = join(cwd, 'marker');
    const script = `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')`;
    const file = bench.lab.writeFile(join(cwd, 'evil.cjs'), script, 0o644);
    const env: Record<string, string> =
      bench.engine === 'node' ? { NODE_OPTIONS: `--require=${file}` } : { BUN_OPTIONS: `--preload=${file}` };
    return { env, marker, cwd };
  };
  const control = attempt();
  await bench.victim(control);
  assert.ok(existsSync(control.marker), 'the control failed: nothing was preloaded');
  const launched = attempt();
  await bench.agent('enrolling', launched);
  assert.ok(!existsSync(launched.marker), 'the code ran in the agent');
  if (!bench.hasLauncher) return { denied: 'not run', control: 'the code ran' };
  const direct = attempt();
  const gateway = await bench.gateway();
  const agent = await bench.agent('started', {
    ...direct,
    gateway,
    direct: bench.engine === 'node' ? quiet : [],
  });
  await mustRefuse(agent, bench.engine === 'node' ? /NODE_OPTIONS/ : /BUN_OPTIONS/, gateway);
  return { denied: 'launcher: not run; without launcher: refused before the token', control: 'the code ran' };
}

async function loader(bench: Bench): Promise<Verdict> {
  // A name that no file has: the loader says so and goes on, in each process that has the variable.
  const env = { LD_PRELOAD: '/nonexistent/evil.so' };
  const victim = await bench.victim({ env });
  await bench.until('the loader saw the variable', () => victim.said().includes('evil.so'), victim);
  if (bench.hasLauncher) {
    const launched = await bench.agent('up', { env });
    assert.ok(!environmentOf(bench, launched).includes('\0LD_PRELOAD='));
  }
  const gateway = await bench.gateway();
  const direct = bench.engine === 'node' ? quiet : [];
  await mustRefuse(await bench.agent('started', { gateway, env, direct }), /LD_PRELOAD/, gateway);
  return {
    denied: 'launcher: taken out; without launcher: refused before the token',
    control: 'the loader obeyed',
  };
}

/** As root sees it; elsewhere nothing, for it is closed to others. */
function environmentOf(bench: Bench, { pid }: Holder): string {
  return bench.lab.isRoot ? readFileSync(`/proc/${pid}/environ`, 'latin1') : '';
}

async function envFile(bench: Bench): Promise<Verdict> {
  const evil = await bench.gateway();
  const cwd = bench.lab.newFolder();
  const { tokenFile, token } = bench.lab.newToken();
  const lines = [
    `UPSTREAMPROXY_GATEWAY=${evil.url}`,
    'NODE_TLS_REJECT_UNAUTHORIZED=0',
    `UPSTREAMPROXY_TOKEN_FILE=${tokenFile}`,
  ];
  bench.lab.writeFile(join(cwd, '.env'), `${lines.join('\n')}\n`, 0o644);
  const show = "console.log(process.env.UPSTREAMPROXY_GATEWAY ?? 'not read')";
  const file = bench.lab.writeFile(join(cwd, 'show.cjs'), show, 0o644);
  // Bun reads it by itself, Node when it is told to.
  const toldTo = bench.engine === 'node' ? ['--env-file=.env'] : [];
  const control = await bench.lab.finish(
    [bench.lab.runtimeFile(bench.runtime, 'readable'), ...toldTo, file],
    { cwd },
  );
  assert.equal(control.said, evil.url, 'the control failed');
  // Without options, so that the file could say all.
  const bare = bench.start(bench.program(['agent']), { cwd });
  assert.equal(await endOf(bare), 64, bare.said());
  assert.match(bare.said(), /name the gateway/);
  // Told by an argument that a runtime would take for its own.
  const argument = bench.start(bench.program(['agent', '--env-file=.env']), { cwd });
  assert.notEqual(await endOf(argument), 0);
  // An honest gateway without a CA for it: the file must not switch the check off.
  const gateway = await bench.gateway();
  const agent = await bench.agent('started', { gateway, cwd, gatewayCa: false });
  assert.notEqual(await endOf(agent), 0);
  assert.match(agent.said(), /gateway_untrusted/);
  assert.deepEqual([evil.requests, gateway.requests], [[], []]);
  assert.equal(readFileSync(tokenFile, 'utf8'), token);
  return { denied: 'neither gateway, token nor TLS setting taken from it', control: 'the runtime reads it' };
}

async function bunfig(bench: Bench): Promise<Verdict> {
  const attempt = (): { readonly cwd: string; readonly marker: string } => {
    const cwd = bench.lab.newFolder();
    const marker = join(cwd, 'marker');
    bench.lab.writeFile(join(cwd, 'bunfig.toml'), 'preload = ["./evil.cjs"]\n', 0o644);
    bench.lab.writeFile(
      join(cwd, 'evil.cjs'),
      `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')`,
      0o644,
    );
    return { cwd, marker };
  };
  const control = attempt();
  await bench.victim(control);
  assert.ok(existsSync(control.marker), 'the control failed');
  const { cwd, marker } = attempt();
  await bench.agent('enrolling', { cwd });
  assert.ok(!existsSync(marker));
  return { denied: 'not run', control: 'the code ran' };
}

/** An agent that was led to another gateway: refused for its certificate, nothing asked, token as it was. */
async function mustDistrust(bench: Bench, evil: FakeGateway, env: Record<string, string>): Promise<void> {
  const honest = await bench.gateway();
  const ca = bench.lab.writeFile(join(bench.lab.newFolder(), 'ca.pem'), honest.authority.caPem, 0o644);
  const direct = bench.engine === 'node' ? quiet : [];
  const ways: readonly AgentOptions[] = [{}, { direct }, { gatewayCa: false }, { gatewayCa: false, direct }];
  for (const way of ways) {
    const options = { gatewayCa: ca, ...way, gatewayUrl: evil.url, gateway: evil, env };
    await mustRefuse(await bench.agent('started', options), /gateway_untrusted/, evil);
  }
}

/** Sends a token as most programs do; true if the evil gateway got it. */
async function naiveSends(bench: Bench, evil: FakeGateway, env: Record<string, string>): Promise<boolean> {
  const { tokenFile, token } = bench.lab.newToken();
  const runtime = bench.lab.runtimeFile(bench.runtime, 'readable');
  const before = evil.requests.length;
  const url = `${evil.url}${caCertPath}`;
  const command = [runtime, bench.lab.supportFile('naive-client-script.ts'), url, tokenFile];
  const { said } = await bench.lab.finish(command, { env });
  assert.ok(!said.includes(token));
  return evil.requests.length > before;
}

async function unverified(bench: Bench): Promise<Verdict> {
  const env = { NODE_TLS_REJECT_UNAUTHORIZED: '0' };
  const evil = await bench.gateway();
  assert.ok(await naiveSends(bench, evil, env), 'the control failed');
  const second = await bench.gateway();
  await mustDistrust(bench, second, env);
  return {
    denied: 'gateway_untrusted, nothing sent (4 ways to start)',
    control: 'a plain client sent its token',
  };
}

async function foreignAuthority(bench: Bench): Promise<Verdict> {
  const evil = await bench.gateway();
  const file = bench.lab.writeFile(join(bench.lab.newFolder(), 'evil.pem'), evil.authority.caPem, 0o644);
  assert.ok(
    await naiveSends(bench, evil, { NODE_EXTRA_CA_CERTS: file }),
    'the control of NODE_EXTRA_CA_CERTS failed',
  );
  const curl = await bench.lab.finish(['curl', '-sS', '-o', '/dev/null', evil.url], {
    env: { SSL_CERT_FILE: file },
  });
  assert.equal(curl.code, 0, `the control of SSL_CERT_FILE failed: ${curl.said}`);
  for (const name of ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE']) {
    evil.requests.length = 0;
    await mustDistrust(bench, evil, { [name]: file });
  }
  return {
    denied: 'gateway_untrusted, nothing sent (8 ways)',
    control: 'a plain client and curl trusted it',
  };
}

async function environmentProxy(bench: Bench): Promise<Verdict> {
  const heads: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (chunk) => {
      heads.push(String(chunk));
      socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  bench.use({ [Symbol.asyncDispose]: async () => void server.close() });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const proxy = `http://127.0.0.1:${address.port}`;
  const env = { HTTPS_PROXY: proxy, https_proxy: proxy, ALL_PROXY: proxy, NODE_USE_ENV_PROXY: '1' };
  const gateway = await bench.gateway();
  await naiveSends(bench, gateway, env);
  assert.match(heads[0] ?? '', /^CONNECT /, 'the control failed: no CONNECT from a plain client');
  heads.length = 0;
  await bench.agent('up', { env });
  await bench.agent('up', { env, direct: bench.engine === 'node' ? quiet : [] });
  assert.deepEqual(heads, []);
  return { denied: 'sessions stand, the proxy saw nothing', control: 'a plain client sent CONNECT' };
}

async function noForeignFunctions(bench: Bench): Promise<Verdict> {
  const control = await bench.agent('enrolling');
  const gateway = await bench.gateway();
  const wrapper = [bench.lab.attackFile, 'without-prctl', '--'];
  await mustRefuse(await bench.agent('started', { gateway, wrapper }), /hardening_failed/, gateway);
  assert.ok(isAlive(control.pid));
  if (!bench.hasLauncher)
    return {
      denied: 'prctl refused: refused before the token, nothing asked',
      control: 'with it, the same agent asks for its session',
    };
  const script = bench.lab.writeFile(
    join(bench.lab.newFolder(), 'without.cjs'),
    `const own = process.getBuiltinModule;
process.getBuiltinModule = (name) => (name.endsWith(':ffi') ? undefined : own.call(process, name));`,
    0o644,
  );
  bench.lab.give(join(script, '..'));
  const direct = bench.engine === 'node' ? [...quiet, '--require', script] : ['--preload', script];
  await mustRefuse(await bench.agent('started', { gateway, direct }), /hardening_failed/, gateway);
  if (bench.engine === 'node') {
    const switchedOff = [...quiet, '--no-experimental-ffi'];
    await mustRefuse(
      await bench.agent('started', { gateway, direct: switchedOff }),
      /hardening_failed/,
      gateway,
    );
  }
  assert.ok(isAlive(control.pid));
  return {
    denied: 'refused before the token, nothing asked',
    control: 'with both, the same agent asks for its session',
  };
}
