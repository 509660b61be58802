// Libraries of AWS, unchanged, in the place of a container: a gateway and an agent as real processes, an STS, and an S3 that takes the keys that
// the STS gave and no others. Neither these keys nor what they were had by is in the memory, the files, the environment or the traffic of the
// container's side.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { MemoryScan } from '../agent/support/memory-scan.ts';
import { findCanary } from '../support/canary.ts';
import { runCommand } from '../support/command.ts';
import { deploy, type AgentProcess, type Deployment } from '../support/deployment.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';
import { type AwsIdentity, openAwsIdentity, roleArn, user } from './support/aws-identity.ts';

const skip = process.env['TEST_IDENTITIES'] === undefined ? '`npm run test:identities` runs it' : false;
const workload = fileURLToPath(new URL('support/s3-workload.mjs', import.meta.url));
const placeholder = 'upstreamproxy-placeholder-keys';

interface Scene extends AsyncDisposable {
  readonly identity: AwsIdentity;
  readonly deployment: Deployment;
  readonly endpoint: string;
  readonly token: string;
}

/** The token is in a file that somebody renews, as a cluster does. */
async function open(credential: Readonly<Record<string, unknown>> = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const identity = stack.use(await openAwsIdentity({ authority }));
  const token = await identity.token();
  const { port } = identity.s3;
  const folder = stack.use(await temporaryDirectory());
  const file = join(folder.path, 'identity');
  await writeFile(file, token, { mode: 0o600 });
  const deployment = stack.use(
    await deploy({
      authority,
      hosts: { 'origin.test': '127.0.0.1', localhost: '127.0.0.1' },
      rules: [
        {
          name: 's3',
          hosts: ['origin.test'],
          ports: [port],
          addresses: ['127.0.0.1/32'],
          paths: ['/bucket/**'],
          inject: ['keys'],
        },
      ],
      credentials: {
        keys: {
          kind: 'sigv4',
          source: { command: ['/bin/cat', file] },
          region: 'us-east-1',
          service: 's3',
          role: { arn: roleArn, endpoint: identity.sts.url },
          emulate: {},
          ...credential,
        },
      },
      environment: { KEY_ID: user.accessKeyId, SECRET: user.secretAccessKey },
      config: { log: { level: 'debug' }, audit: { file: 'audit.jsonl' } },
    }),
  );
  const owned = stack.move();
  return {
    identity,
    deployment,
    token,
    endpoint: `https://origin.test:${String(port)}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Workload extends AsyncDisposable {
  readonly pid: number;
  /** Resolves with all that it printed, once it has worked. @throws with that if it ended before */
  readonly worked: Promise<string>;
}

function startWorkload(agent: AgentProcess, variables: Readonly<Record<string, string>>): Workload {
  const child = spawn(process.execPath, [workload], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...agent.env, ...variables },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  return {
    pid: child.pid ?? 0,
    worked: outputOf(child),
    [Symbol.asyncDispose]: async () => {
      const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
      child.stdin.end();
      await ended;
    },
  };
}

async function outputOf(child: ChildProcess): Promise<string> {
  const printed: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr])
    if (stream !== null)
      createInterface({ input: stream }).on('line', (line) => {
        printed.push(line);
        if (/^worked \d+$/.test(line)) resolve(printed.join('\n'));
      });
  child.once('close', () => reject(new Error(`the workload ended: ${printed.join('\n')}`)));
  return await promise;
}

async function filesBelow(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    // A journal may be gone by now.
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes !== undefined) files.set(path, bytes);
  }
  return files;
}

/** How often each stands in the memory of the process. */
function copies(pid: number, texts: readonly string[]): readonly number[] {
  const scan = new MemoryScan(pid);
  return texts.map((text) => scan.count(Buffer.from(text).map((octet) => octet ^ 0xff)));
}

const secretsOf = ({ identity, token }: Scene): readonly string[] => [
  token,
  user.secretAccessKey,
  ...identity.sts.issued.flatMap(({ secretAccessKey, sessionToken }) => [secretAccessKey, sessionToken]),
];

test(
  'the S3 client finds placeholders by the container address and works with keys of a role; no secret is on its side',
  { skip },
  async () => {
    await using scene = await open();
    const { identity, deployment, endpoint } = scene;
    await using agent = await deployment.startAgent();
    await using client = startWorkload(agent, { ENDPOINT: endpoint });
    const output = await client.worked;
    const secrets = secretsOf(scene);
    assert.equal(identity.sts.issued.length, 1, output);
    assert.ok(identity.s3.verdicts.every(({ code }) => code === 'ok'));
    // Positive controls: the S3 saw the token and repeated it, and what the client has in its memory is found there.
    assert.notDeepEqual(
      findCanary(JSON.stringify(identity.s3.seen), identity.sts.issued[0]?.sessionToken ?? ''),
      [],
    );
    assert.match(output, /"x-told":"\\"\*+\\""/);
    assert.ok(output.includes(placeholder));
    if (process.getuid?.() === 0) {
      assert.ok((copies(client.pid, [placeholder])[0] ?? 0) > 0);
      for (const pid of [client.pid, agent.pid])
        assert.deepEqual(
          copies(pid, secrets),
          secrets.map(() => 0),
          `memory of ${String(pid)}`,
        );
    }
    const audit = JSON.stringify(await deployment.audit());
    assert.ok(audit.includes('emulated-identity'));
    const places = {
      output,
      environment: JSON.stringify(agent.env),
      agent: agent.said(),
      audit,
      log: deployment.gateway.log(),
    };
    const files = await filesBelow(deployment.directory);
    assert.ok([...files.keys()].some((path) => path.endsWith('audit.jsonl')));
    for (const secret of secrets) {
      for (const [place, text] of Object.entries(places))
        assert.deepEqual(findCanary(text, secret), [], place);
      for (const [path, octets] of files) assert.deepEqual(findCanary(octets, secret), [], path);
    }
  },
);

test(
  'by the metadata address of a machine it is the same, and the address is never dialled',
  { skip },
  async () => {
    await using scene = await open();
    await using agent = await scene.deployment.startAgent();
    const { AWS_CONTAINER_CREDENTIALS_FULL_URI: _, ...env } = agent.env;
    await using client = startWorkload({ ...agent, env }, { ENDPOINT: scene.endpoint, BY: 'machine' });
    assert.ok((await client.worked).includes(placeholder));
    const events = await scene.deployment.audit();
    const asked = events.filter((event) => JSON.stringify(event).includes('169.254.169.254'));
    assert.ok(asked.length >= 2);
    for (const event of asked)
      assert.ok(JSON.stringify(event).includes('emulated-identity'), JSON.stringify(event));
  },
);

test(
  'four at once work on while keys end and others follow: no request fails, and STS is asked once for each set',
  { skip },
  async () => {
    await using scene = await open({ accessKeyId: { env: 'KEY_ID' }, source: { env: 'SECRET' } });
    const { identity, deployment } = scene;
    identity.sts.keysLifeMs = 12_000;
    await using agent = await deployment.startAgent();
    await using client = startWorkload(agent, { ENDPOINT: scene.endpoint, FOR_MS: '30000' });
    const output = await client.worked;
    const bad = identity.s3.verdicts.filter(({ code }) => code !== 'ok');
    assert.deepEqual(bad, [], output.slice(-2_000));
    const sets = identity.sts.issued.length;
    assert.ok(sets >= 3 && sets <= 8, `${String(sets)} sets for half a minute`);
    assert.deepEqual(new Set(identity.sts.asked), new Set(['AssumeRole']));
  },
);

test(
  'the command line of AWS works in a jail with no keys but what it finds',
  { skip: skip === false ? skipWithout('aws') : skip },
  async () => {
    await using scene = await open();
    const { deployment, endpoint, identity } = scene;
    const cli = [
      'aws',
      '--endpoint-url',
      endpoint,
      's3api',
      'put-object',
      '--bucket',
      'bucket',
      '--key',
      'of-cli',
      '--body',
      '/etc/hostname',
    ];
    const options = deployment.agentOptions(await deployment.issueToken());
    const { stdout, stderr } = await runCommand(launcher, ['run', ...options, '--', ...cli], {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: process.env['HOME'] ?? '/root',
        AWS_MAX_ATTEMPTS: '1',
        AWS_CONFIG_FILE: '/dev/null',
      },
      timeoutMs: 180_000,
    });
    assert.deepEqual(
      identity.s3.verdicts.map(({ code }) => code),
      ['ok'],
      stdout + stderr,
    );
    assert.ok(identity.s3.objects.has('/bucket/of-cli'));
    for (const secret of secretsOf(scene)) assert.deepEqual(findCanary(stdout + stderr, secret), []);
  },
);
