// `npm run demo`: the main job on real input. A container without a network installs a package, clones a repository
// and calls an API with a credential that it never sees; one request is denied; then it is shown what was proven.

import { lookup } from 'node:dns/promises';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { stringify } from 'yaml';

import { canary, findCanary } from '../test/support/canary.ts';
import { mustRun, runCommand, type CommandResult } from '../test/support/command.ts';
import { gitServer, type GitServer } from '../test/support/git-server.ts';
import { httpsOrigin, type Origin } from '../test/support/origin.ts';
import { launcher, startGatewayProcess, waitForFile } from '../test/support/program.ts';
import { temporaryDirectory } from '../test/support/temporary-directory.ts';
import { createTestAuthority } from '../test/support/test-authority.ts';
import {
  containerScript,
  demoHosts,
  missingTools,
  openContainer,
  userPath,
  type Container,
} from './demo-container.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const containerTimeoutMs = 100_000;

interface Check {
  readonly claim: string;
  readonly holds: boolean;
  readonly detail?: string | undefined;
}

interface Stage {
  /** Files of the gateway's side. */
  readonly outside: string;
  /** The container's own folder. */
  readonly inside: string;
  readonly container: Container;
  readonly git: GitServer;
  readonly api: Origin;
  readonly registry: string;
  readonly secret: string;
}

/** The gateway's configuration and policy for the demo. */
async function writeConfiguration({ outside, container, git, api, registry }: Stage): Promise<string> {
  const { port } = new URL(registry);
  const own = { addresses: ['127.0.0.1/32'] };
  const policy = {
    // Whichever registry npm uses on this machine, the gateway finds it out.
    groups: { registry: { discover: 'npm' } },
    rules: [
      {
        name: 'packages',
        include: 'registry',
        methods: ['GET', 'HEAD'],
        ...(port === '' ? {} : { ports: [Number(port)] }),
      },
      { name: 'source', hosts: [demoHosts.git], ports: [git.port], methods: ['GET', 'POST'], ...own },
      {
        name: 'api',
        hosts: [demoHosts.api],
        ports: [api.port],
        methods: ['GET'],
        inject: ['demo-api'],
        ...own,
      },
    ],
  };
  const config = {
    listen: { address: container.gatewayAddress, port: 0 },
    publicNames: [container.gatewayAddress],
    stateDirectory: 'state',
    policy: 'policy.yaml',
    credentials: {
      'demo-api': { kind: 'bearer', source: { env: 'DEMO_API_TOKEN' }, placeholder: { env: 'API_TOKEN' } },
    },
    upstream: { ca: 'origins.pem', hosts: { [demoHosts.git]: '127.0.0.1', [demoHosts.api]: '127.0.0.1' } },
  };
  await writeFile(join(outside, 'policy.yaml'), stringify(policy, { aliasDuplicateObjects: false }));
  await writeFile(join(outside, 'gateway.yaml'), stringify(config));
  return join(outside, 'gateway.yaml');
}

/** Looks at the agent's process from outside, while the command waits. */
async function inspectAgent(pid: string, token: string, tokenFile: string): Promise<Check[]> {
  const read = (name: string): Promise<Buffer | undefined> =>
    readFile(`/proc/${pid}/${name}`).catch(() => undefined);
  const [argv, environment] = await Promise.all([read('cmdline'), read('environ')]);
  // Without root we cannot read it ourselves, which is what is to be shown.
  const { uid: owner } = await stat(`/proc/${pid}/environ`);
  const unreadable = environment === undefined ? 'which not even its own user can read' : undefined;
  const checks: Check[] = [
    { claim: 'the token file is gone', holds: !existsSync(tokenFile) },
    {
      claim: "the token is not in the agent's argv",
      holds: argv !== undefined && argv.length > 0 && findCanary(argv, token).length === 0,
    },
    {
      claim: "the token is not in the agent's environment",
      holds: findCanary(environment ?? '', token).length === 0,
      detail: unreadable,
    },
  ];
  if (process.getuid?.() !== 0) {
    checks.push({ claim: "the agent's files in /proc belong to root, not to its user", holds: owner === 0 });
  }
  return checks;
}

/** What the gateway was told about the agent when it enrolled. */
async function postureChecks(events: readonly AuditLine[]): Promise<Check[]> {
  const posture = events.find(({ action }) => action === 'enrolled')?.details?.posture;
  const committed = events.some(({ action }) => action === 'committed');
  return [
    {
      claim: 'dumpable is 0: PR_GET_DUMPABLE in the posture that the gateway recorded',
      holds: posture?.['nondumpable'] === true,
    },
    {
      claim: 'no core file, no tracer, no inspector',
      holds: ['coreLimitZero', 'untraced', 'inspectorClosed'].every((fact) => posture?.[fact] === true),
    },
    {
      claim: 'the token was consumed by this session: a second use would be refused and raise an alarm',
      holds: committed,
    },
  ];
}

interface AuditLine {
  readonly action?: string;
  readonly kind: string;
  readonly verdict: string;
  readonly rule?: string;
  readonly injected?: readonly string[];
  readonly details?: { readonly posture?: Readonly<Record<string, unknown>> };
}

async function readAudit(config: string): Promise<{ table: string; events: AuditLine[]; text: string }> {
  const common = ['audit', 'tail', '--config', config, '--number', '500'];
  const [table, text] = await Promise.all([
    mustRun(launcher, common),
    mustRun(launcher, [...common, '--json']),
  ]);
  // Printed by our own command, one event a line.
  const events = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditLine);
  return { table, events, text };
}

async function jobChecks({ inside, container, git, api, secret }: Stage): Promise<Check[]> {
  const text = (name: string): Promise<string> => readFile(join(inside, name), 'utf8').catch(() => '');
  const ok = async (step: string): Promise<boolean> => (await text(`${step}.code`)).trim() === '0';
  const failure = async (step: string): Promise<string | undefined> =>
    (await ok(step)) ? undefined : (await text(`${step}.err`)).trim().split('\n').at(-1);
  const installed = existsSync(join(inside, 'project', 'node_modules', 'is-number', 'package.json'));
  const cloned = await mustRun('git', ['-C', join(inside, 'clone'), 'rev-parse', 'HEAD']).catch(() => '');
  const denied = await text('denied.out');
  const seenByOrigin = api.requests.find(({ target }) => target === '/auth');
  const environment = await text('workload.env');
  const direct = container.isolated
    ? [{ claim: 'without the proxy the container reaches nothing', holds: !(await ok('direct')) }]
    : [];
  return [
    ...direct,
    {
      claim: 'npm installed is-number from the configured registry',
      holds: (await ok('npm')) && installed,
      detail: await failure('npm'),
    },
    { claim: 'git cloned over HTTPS', holds: cloned.trim() === git.commit, detail: await failure('git') },
    {
      claim: 'curl was let in by the API, whose log confirms the credential',
      holds:
        (await text('curl.out')).includes('"authorized":true') &&
        seenByOrigin?.headers.authorization === `Bearer ${secret}`,
      detail: await failure('curl'),
    },
    {
      claim: 'a response that echoes the credential arrives without it',
      holds: (await ok('reflect')) && findCanary(await text('reflect.out'), secret).length === 0,
    },
    {
      claim: 'the workload has a placeholder in place of the credential',
      holds: /^API_TOKEN=./m.test(environment) && !environment.includes(secret),
    },
    {
      claim: 'a request that no rule allows is denied, inside TLS, with the reason',
      holds:
        /^HTTP\/\S+ 403/m.test(denied.replace(/^HTTP\/1\.1 200[^\n]*\n\s*\n/, '')) &&
        denied.includes('x-deny-reason'),
    },
  ];
}

/** Every file that the workload could have written or read in its folder, searched for both secrets. */
async function leakChecks({ inside, secret }: Stage, audit: string, token: string): Promise<Check[]> {
  const names = await readdir(inside, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  let leaks = 0;
  for (const file of files) {
    const bytes = await readFile(file);
    leaks += findCanary(bytes, secret).length + findCanary(bytes, token).length;
  }
  const inAudit = findCanary(audit, secret).length + findCanary(audit, token).length;
  return [
    {
      claim: `neither secret is in any of the ${files.length} files of the container`,
      holds: files.length > 5 && leaks === 0,
    },
    { claim: 'neither secret is in the audit', holds: audit.length > 100 && inAudit === 0 },
  ];
}

async function runContainer(
  stage: Stage,
  gatewayUrl: string,
  token: string,
): Promise<{ result: CommandResult; checks: Check[] }> {
  const { inside, container, registry, git, api } = stage;
  const { hostname, port, protocol } = new URL(registry);
  const { address } = await lookup(hostname, 4);
  const script = containerScript({
    registry,
    registryAt: `${hostname}:${port === '' ? (protocol === 'http:' ? '80' : '443') : port}:${address}`,
    repository: git.url(demoHosts.git, git.repositoryPath),
    api: api.url(demoHosts.api, ''),
  });
  await writeFile(join(inside, 'job.sh'), script);
  const tokenFile = join(inside, 'session-token');
  const options = [
    '--gateway',
    gatewayUrl,
    '--gateway-ca',
    join(inside, 'gateway-ca.pem'),
    '--token-file',
    tokenFile,
  ];
  const [file, ...args] = container.enter([launcher, 'run', ...options, '--', 'sh', 'job.sh']);
  const running = runCommand(file, args, {
    cwd: inside,
    env: {
      PATH: userPath(root, process.env['PATH'] ?? ''),
      HOME: inside,
      npm_config_cache: join(inside, 'cache'),
      // The registry may need the user's own settings.
      NPM_CONFIG_USERCONFIG:
        process.env['npm_config_userconfig'] ?? join(process.env['HOME'] ?? '/', '.npmrc'),
    },
    timeoutMs: containerTimeoutMs,
  });
  const pid = await Promise.race([
    waitForFile(join(inside, 'agent.pid')).then((text) => text.trim()),
    running.then((result) => `exit ${result.code}: ${result.stderr}`),
  ]);
  if (!/^[0-9]+$/.test(pid)) throw new Error(`the container did not start, ${pid}`);
  // In a namespace of processes of its own the workload sees no number of its parent.
  const seenOutside = agentPid(tokenFile) ?? pid;
  const checks = await inspectAgent(seenOutside, token, tokenFile);
  await writeFile(join(inside, 'go'), `${seenOutside}\n`);
  const result = await running;
  const probe = await readFile(join(inside, 'probe.err'), 'utf8');
  if (container.isolated || process.getuid?.() !== 0) {
    checks.push({
      claim: "the workload cannot read its parent's environment",
      holds: /denied|No such file/.test(probe),
      detail: probe.trim(),
    });
  }
  return { result, checks };
}

function print(checks: readonly Check[]): boolean {
  for (const { claim, holds, detail } of checks) {
    console.log(
      `  ${holds ? '✔' : '✖'} ${claim}${detail === undefined || detail === '' ? '' : ` (${detail})`}`,
    );
  }
  return checks.every(({ holds }) => holds);
}

async function demo(): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory());
  const [outside, inside] = [join(directory.path, 'gateway'), join(directory.path, 'container')];
  await Promise.all([mkdir(outside), mkdir(inside)]);
  const container = stack.use(await openContainer());
  console.log(`container: ${container.description}`);
  const registry = (await mustRun('npm', ['config', 'get', 'registry'])).trim();
  const authority = createTestAuthority();
  await writeFile(join(outside, 'origins.pem'), authority.caPem);
  const secret = canary('api');
  const git = stack.use(await gitServer({ authority }));
  const api = stack.use(await httpsOrigin({ authority, expectedAuthorization: `Bearer ${secret}` }));
  const stage: Stage = { outside, inside, container, git, api, registry, secret };
  const config = await writeConfiguration(stage);
  const gateway = stack.use(await startGatewayProcess(config, { DEMO_API_TOKEN: secret }));
  console.log(`gateway:   ${gateway.url}, outside`);
  await writeFile(
    join(inside, 'gateway-ca.pem'),
    await mustRun(launcher, ['ca', 'show', '--server', '--config', config]),
  );
  const tokenFile = join(inside, 'session-token');
  await mustRun(launcher, ['token', 'issue', '--config', config, '--subject', 'demo', '--out', tokenFile]);
  const token = await readFile(tokenFile, 'utf8');
  const { result, checks } = await runContainer(stage, gateway.url, token);
  if (result.stderr.trim() !== '') console.log(result.stderr.trim());
  const { table, events, text } = await readAudit(config);
  console.log(`\nWhat went through the gateway, from its audit:\n${table.replaceAll(/^/gm, '  ').trimEnd()}`);
  console.log('\nThe job:');
  const done = print(await jobChecks(stage));
  console.log('\nThe session token and the credential:');
  const proven = print([
    ...checks,
    ...(await postureChecks(events)),
    ...(await leakChecks(stage, text, token)),
  ]);
  return done && proven && result.code === 0;
}

/** The agent, as it is seen from outside: the node that was started with the token file. */
function agentPid(tokenFile: string): string | undefined {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .find((name) => {
      try {
        // Readable for everybody, also of a process whose memory is closed.
        const [program = '', ...args] = readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0');
        return /(?:^|\/)node$/.test(program) && args.some((argument) => argument.includes(tokenFile));
      } catch {
        return false;
      }
    });
}

const obstacle = missingTools();
if (obstacle !== undefined) {
  console.error(obstacle);
  process.exit(1);
}
const started = performance.now();
const good = await demo();
console.log(
  `\n${good ? 'All of it held' : 'Not all of it held'}, in ${((performance.now() - started) / 1000).toFixed(1)} s.`,
);
process.exitCode = good ? 0 : 1;
