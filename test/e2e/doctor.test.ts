// The doctor as a user starts it: with real clients, in the environment of an agent and in the network of `run`.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import type { ClientReport, DoctorReport } from '../../src/agent/doctor/doctor.ts';
import { runCommand } from '../support/command.ts';
import { deploy, type AgentProcess, type Deployment } from '../support/deployment.ts';
import { launcher } from '../support/program.ts';
import { findTool, skipWithout } from '../support/tools.ts';

let set: Deployment;
let agent: AgentProcess;
let home: string;

before(async () => {
  set = await deploy({
    rules: [{ name: 'database', hosts: ['db.test'], scheme: 'tcp', ports: [5432] }],
    config: { access: { enabled: false } },
  });
  agent = await set.startAgent();
  home = join(set.directory, 'home');
  await mkdir(home);
});
after(async () => {
  await agent?.[Symbol.asyncDispose]();
  await set?.[Symbol.asyncDispose]();
});

/** Clients that are everywhere or quick to start. */
const quick: Readonly<Record<string, string>> = {
  curl: 'curl',
  wget: 'wget',
  git: 'git',
  'node-fetch': 'node',
  'node-https': 'node',
  'python-urllib': 'python3',
  'perl-http-tiny': 'perl',
};
const present = Object.keys(quick).filter((id) => findTool(quick[id] ?? '') !== undefined);

interface Examined {
  readonly code: number | null;
  readonly report: DoctorReport;
}

async function doctor(
  clients: readonly string[],
  changes: Readonly<Record<string, string | undefined>> = {},
  prefix: readonly string[] = [launcher],
): Promise<Examined> {
  const environment = { PATH: process.env['PATH'], HOME: home, ...agent.env, ...changes };
  const [file = '', ...args] = [...prefix, 'doctor', '--json', ...clients];
  const { code, stdout, stderr } = await runCommand(file, args, { env: environment });
  assert.notEqual(stdout, '', stderr);
  // Printed by our own command.
  return { code, report: JSON.parse(stdout) as DoctorReport };
}

function clientOf({ report }: Examined, id: string): ClientReport {
  const found = report.clients.find(({ client }) => client === id);
  assert.ok(found, `${id} is not in the report`);
  return found;
}

test('in the environment of a session every client that is here is proved, without a rule and without effects', async () => {
  const examined = await doctor(present);
  const { code, report } = examined;
  assert.equal(code, 0, JSON.stringify(report, undefined, 1));
  assert.deepEqual([report.ok, report.captured, report.problems], [true, false, []]);
  assert.equal(report.relay, `http://127.0.0.1:${agent.relayPort}`);
  assert.ok(Math.abs(report.clockSkewMs ?? Infinity) < 60_000);
  for (const { client, proof, proxy, trust } of report.clients)
    assert.deepEqual([proof?.passed, proxy.holds, trust.holds], [true, true, true], client);
  const asked = (await set.audit()).filter(({ rule }) => rule === 'doctor');
  assert.ok(asked.length > report.clients.length, 'each proof, and the request of its own');
  assert.ok(asked.every(({ verdict, host }) => verdict === 'info' && host === 'upstreamproxy.invalid'));
  assert.deepEqual(await readdir(home), [], 'clients write into a HOME of their own');
});

test(
  'what it says of the settings is what the request shows, whatever is taken away',
  { skip: skipWithout('curl', 'git', 'python3') },
  async () => {
    const broken = [
      ['git', 'GIT_SSL_CAINFO'],
      ['node-fetch', 'NODE_EXTRA_CA_CERTS'],
      ['python-urllib', 'SSL_CERT_FILE'],
    ] as const;
    for (const [id, name] of broken) {
      const one = await doctor([id], { [name]: undefined });
      const report = clientOf(one, id);
      assert.equal(one.code, 1, id);
      assert.deepEqual([report.works, report.proof?.passed, report.trust.holds], [false, false, false], id);
      assert.ok(report.fix?.startsWith(`export ${name}=`), id);
      const mended = await doctor([id], { [name]: report.fix?.slice(`export ${name}=`.length) });
      assert.equal(clientOf(mended, id).works, true, 'and its fix mends it');
    }
  },
);

/** Present with what they need besides. */
const readers: Readonly<Record<string, readonly string[]>> = {
  wget2: ['wget2'],
  bundler: ['bundle'],
  php: ['php'],
  gio: ['gio', 'dbus-run-session', '/usr/libexec/gvfsd-http'],
};
const isHere = (name: string): boolean =>
  name.startsWith('/') ? existsSync(name) : findTool(name) !== undefined;
const readersHere = Object.keys(readers).filter((id) => readers[id]?.every(isHere) === true);
const forHttp = ['http_proxy', 'HTTP_PROXY'];
const forHttps = ['https_proxy', 'HTTPS_PROXY'];
/** What is unset, and who works then. */
const takenAway: readonly (readonly [unset: readonly string[], working: readonly string[]])[] = [
  [[], ['wget2', 'bundler', 'php']],
  [forHttps, ['wget2', 'bundler', 'php']],
  [forHttp, ['wget2']],
  [
    ['SSL_CERT_FILE', 'SSL_CERT_DIR'],
    ['wget2', 'php'],
  ],
  [
    ['PHP_INI_SCAN_DIR', 'BUNDLE_SSL_CA_CERT'],
    ['wget2', 'bundler'],
  ],
];
for (const [unset, working] of takenAway) {
  const what = unset.length === 0 ? 'all of the session' : `what is left without ${unset.join(', ')}`;
  test(
    `wget2, Bundler, PHP and gio do with ${what} what their rows say`,
    { skip: readersHere.length === 0 ? 'none of them is installed here' : false },
    async () => {
      // Where the variables for https are gone, only a person can say where the relay is.
      const named = ['--relay', `http://127.0.0.1:${agent.relayPort}`];
      const changes = Object.fromEntries(unset.map((name) => [name, undefined]));
      const examined = await doctor([...named, ...readersHere], changes);
      const states = examined.report.clients.map(({ client, proof, proxy, trust, works }) => [
        client,
        { settings: proxy.holds && trust.holds, shown: proof?.passed, works },
      ]);
      assert.deepEqual(
        Object.fromEntries(states),
        Object.fromEntries(
          readersHere.map((id) => {
            const works = working.includes(id);
            return [id, { settings: works, shown: works, works }];
          }),
        ),
        JSON.stringify(examined.report.clients, undefined, 1),
      );
    },
  );
}

test(
  'a setting of the user that goes over the session is found, and the client fails as it says',
  { skip: skipWithout('git') },
  async () => {
    await writeFile(join(home, '.gitconfig'), '[http]\n\tproxy = http://127.0.0.1:9\n');
    const examined = await doctor(['git']);
    await writeFile(join(home, '.gitconfig'), '');
    assert.deepEqual(
      examined.report.problems.map(({ code }) => code),
      ['setting_overrides'],
    );
    assert.equal(clientOf(examined, 'git').proof?.passed, false);
  },
);

test('a relay that is gone is told, and nobody is asked', { skip: skipWithout('curl') }, async () => {
  const gone = 'http://127.0.0.1:9';
  const { code, report } = await doctor(['curl'], {
    https_proxy: gone,
    HTTPS_PROXY: gone,
    http_proxy: gone,
    HTTP_PROXY: gone,
  });
  assert.equal(code, 1);
  assert.deepEqual(
    report.problems.map((problem) => problem.code),
    ['gateway_unreachable'],
  );
  const [curl] = report.clients;
  assert.deepEqual([curl?.works, curl?.proof], [false, undefined]);
});

test(
  'in a network of its own clients are proved without a proxy variable',
  { skip: skipWithout('curl', 'python3', 'unshare') },
  async (t) => {
    const options = [
      'run',
      '--quiet',
      '--isolate=require',
      '--capture-only',
      ...set.agentOptions(await set.issueToken()),
    ];
    const environment = { PATH: process.env['PATH'], HOME: home };
    const command = [
      ...options,
      '--',
      launcher,
      'doctor',
      '--json',
      'curl',
      'python-urllib',
      'psql',
      'redis-cli',
    ];
    const { code, stdout, stderr } = await runCommand(launcher, command, { env: environment });
    if (/jail_refused/.test(stderr)) {
      t.skip(`no network of its own here: ${stderr.trim()}`);
      return;
    }
    const report = JSON.parse(stdout) as DoctorReport;
    assert.deepEqual([report.captured, report.relay, report.jail.networkIsolated], [true, undefined, true]);
    // A rule opens the port of psql, and none that of redis-cli.
    const closed = report.clients.some(({ client }) => client === 'redis-cli');
    assert.equal(code, closed ? 1 : 0, stdout + stderr);
    for (const { client, proxy, works } of report.clients) {
      const expected = client === 'redis-cli' ? ['no rule', false] : ['the network', true];
      assert.deepEqual([proxy.by, works], expected, client);
    }
  },
);

test(
  'as text it has a line for what works and the fix for what does not',
  { skip: skipWithout('curl', 'git') },
  async () => {
    const environment = { PATH: process.env['PATH'], HOME: home, ...agent.env, GIT_SSL_CAINFO: '/gone' };
    const { code, stdout } = await runCommand(launcher, ['doctor', 'curl', 'git'], { env: environment });
    assert.equal(code, 1);
    assert.match(stdout, /^✓ curl [0-9.]+ {2}https_proxy; CURL_CA_BUNDLE; proved in \d+ ms$/m);
    assert.match(stdout, /^✗ git [0-9.]+\n(?: {4}.*\n)+ {4}fix: export GIT_SSL_CAINFO=\//m);
    assert.match(stdout, /\n1 of 2 clients work\n$/);
    const unknown = await runCommand(launcher, ['doctor', 'nonesuch'], { env: environment });
    assert.equal(unknown.code, 64);
  },
);
