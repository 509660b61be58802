// The manifests of docs/guides/kubernetes.md and the pod of deploy/kubernetes without a cluster: their configuration starts a gateway, and the
// shell lines of their pods run with paths of this machine.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { parse, parseAllDocuments, stringify } from 'yaml';

import { mustRun, runCommand } from '../support/command.ts';
import { openGuideStage, type GuideStage } from '../support/guide-stage.ts';
import {
  endChild,
  launcher,
  startGatewayProcess,
  waitForFile,
  type GatewayProcess,
} from '../support/program.ts';
import { skipWithout } from '../support/tools.ts';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
}

interface Container {
  readonly command: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
}

const skip = skipWithout('npm', 'curl', 'sh');
const namespaced = 'gateway.upstreamproxy.svc.cluster.local';
let manifests: readonly Manifest[];
let stage: GuideStage;
let gateway: GatewayProcess;

before(async () => {
  if (skip !== false) return;
  const text = await readFile(new URL('../../docs/guides/kubernetes.md', import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = '']) => block);
  const sidecar = await readFile(
    new URL('../../deploy/kubernetes/agent-sidecar.yaml', import.meta.url),
    'utf8',
  );
  const documents = [...blocks, sidecar].flatMap((block) => parseAllDocuments(block));
  assert.deepEqual(
    documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
    [],
  );
  // Of our own guide; what is used of it is looked at below.
  manifests = documents.map((document) => document.toJS() as Manifest);
  stage = await openGuideStage();
  gateway = await startGateway();
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await stage?.[Symbol.asyncDispose]();
});

/** The configuration and policy of the ConfigMap, with the places of this machine. */
async function startGateway(): Promise<GatewayProcess> {
  const { directory, upstream } = stage;
  const files = manifests.find(({ kind }) => kind === 'ConfigMap')?.data ?? {};
  const config = parse(files['gateway.yaml'] ?? '') as {
    readonly stateDirectory: string;
    readonly issuers: readonly [{ readonly ca: string }];
  };
  // The cluster's authority vouches for its issuer, and for no origin.
  assert.ok(!('upstream' in config));
  await mkdir(join(directory, 'cluster'));
  await copyFile(join(directory, 'origins.pem'), join(directory, config.issuers[0].ca));
  await mountVolume(join(directory, 'volume'), 0o2775);
  const here = {
    ...config,
    listen: { address: '127.0.0.1', port: 0 },
    publicNames: ['localhost'],
    stateDirectory: config.stateDirectory.replace('/var/lib/upstreamproxy', join(directory, 'volume')),
    issuers: [{ ...config.issuers[0], issuer: 'https://issuer.example.com' }],
    upstream,
    metrics: undefined,
    log: undefined,
  };
  await writeFile(join(directory, 'gateway.yaml'), stringify(here));
  await writeFile(join(directory, 'policy.yaml'), files['policy.yaml'] ?? '');
  const running = await startGatewayProcess(join(directory, 'gateway.yaml'));
  const ca = await mustRun(launcher, ['ca', 'show', '--server', '--config', join(directory, 'gateway.yaml')]);
  await writeFile(join(directory, 'gateway-ca.pem'), ca);
  await symlink(launcher, join(directory, 'upstreamproxy-agent'));
  await mountVolume(join(directory, 'run'), 0o2777);
  return running;
}

/** As the kubelet hands a volume over to a pod with `fsGroup`: writable for the group, and whose group stays. */
async function mountVolume(path: string, mode: number): Promise<void> {
  await mkdir(path);
  await chmod(path, mode);
}

function containerOf(pod: string, which: 'containers' | 'initContainers'): Container {
  const manifest = manifests.find(({ kind, metadata }) => kind === 'Pod' && metadata.name === pod);
  return manifest?.spec?.[which]?.[0] ?? assert.fail(`${pod} has no ${which}`);
}

/** What stands in a pod, with the paths of this machine. */
function withPlaces(text: string): string {
  const { directory } = stage;
  return text
    .replaceAll('/etc/upstreamproxy', directory)
    .replaceAll('/var/run/secrets/upstreamproxy', directory)
    .replaceAll('/run/upstreamproxy', join(directory, 'run'));
}

/** The shell line of a container, with the paths and names of this machine, and a fresh token of a service account. */
async function lineOf(
  pod: string,
  which: 'containers' | 'initContainers',
  serviceAccount: string,
): Promise<string> {
  const { command, args = [] } = containerOf(pod, which);
  const line = [...command, ...args];
  assert.deepEqual(line.slice(0, 2), ['sh', '-c']);
  const { directory } = stage;
  await writeFile(
    join(directory, 'token'),
    await stage.issueToken(`system:serviceaccount:${serviceAccount}`),
  );
  return withPlaces(line[2] ?? '')
    .replaceAll(`https://${namespaced}:8443`, gateway.url.replace('127.0.0.1', 'localhost'))
    .replaceAll('--relay-port 8119', '--relay-port 0')
    .replaceAll('npm ci', 'npm view greeting version');
}

const shell = (): { readonly cwd: string; readonly env: NodeJS.ProcessEnv } => {
  const { directory: cwd, environment } = stage;
  return { cwd, env: { ...environment, PATH: `${cwd}:${environment['PATH']}` } };
};

test('the pod whose command is started by run gets through the gateway', { skip }, async () => {
  const line = await lineOf('build', 'containers', 'builds:build');
  assert.equal((await mustRun('sh', ['-c', line], shell())).trim(), '1.0.0');
});

test('a service account of another namespace starts a session, and no rule is for it', { skip }, async () => {
  const line = await lineOf('build', 'containers', 'other:build');
  const { code, stderr } = await runCommand('sh', ['-c', line], shell());
  assert.notEqual(code, 0);
  assert.match(stderr, /No rule allows GET https:\/\/registry\.example\.com\/greeting/);
});

test(
  'the pod with the agent beside it: the job gets through by its variables, and by the file of the agent',
  { skip },
  async () => {
    const agent = spawn('sh', ['-c', await lineOf('job', 'initContainers', 'builds:build')], {
      ...shell(),
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    try {
      const file = join(stage.directory, 'run', 'environment');
      await waitForFile(file);
      const port = /127\.0\.0\.1:(\d+)/.exec(await readFile(file, 'utf8'))?.[1] ?? '';
      const { command, env = [] } = containerOf('job', 'containers');
      assert.deepEqual(command, ['npm', 'ci']);
      const view = ['view', 'greeting', 'version'];
      const { cwd, env: bare } = shell();
      const variables = env.map(({ name, value }) => [name, withPlaces(value).replaceAll('8119', port)]);
      const job = { cwd, env: { ...bare, ...Object.fromEntries(variables) } };
      assert.equal((await mustRun('npm', view, job)).trim(), '1.0.0');
      const own = { npm_config_fetch_retries: '0', npm_config_cache: join(cwd, 'other-cache') };
      const alone = { cwd, env: { ...bare, ...own } };
      assert.notEqual((await runCommand('npm', view, alone)).code, 0);
      const sourced = `. ${file} && exec npm ${view.join(' ')}`;
      assert.equal((await mustRun('sh', ['-c', sourced], shell())).trim(), '1.0.0');
    } finally {
      await endChild(agent);
    }
  },
);
