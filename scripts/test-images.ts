// `npm run test:images`: builds the images of deploy/ from the checkout and starts both, by buildah. Base images are made here from Debian's
// packages and the checkout's own Node, for a registry of images is not always there. Root, `buildah` and `mmdebstrap` are needed; without
// buildah the root file systems alone are made and started.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { testBareImages } from './images/bare-images.ts';
import { freePort } from '../test/support/free-port.ts';
import { findTool, skipWithout } from '../test/support/tools.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'upstreamproxy-images-'));
const bundle = '/etc/ssl/certs/ca-certificates.crt';
const users = { gateway: 10_001, agent: 1_000 };

/** The limits of this process: inside another sandbox buildah may not raise them. */
function limits(): string {
  const text = readFileSync('/proc/self/limits', 'latin1');
  const of = (name: string): string => {
    const [, soft = '', hard = ''] = new RegExp(`^${name} +(\\S+) +(\\S+)`, 'm').exec(text) ?? [];
    return `${soft}:${hard}`.replaceAll('unlimited', '-1');
  };
  return `[containers]\ndefault_ulimits=["nofile=${of('Max open files')}","nproc=${of('Max processes')}"]\n`;
}

function run(
  file: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv } = {},
): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  if (status === 0) return stdout;
  throw new Error(
    `${file} ${args.join(' ')} ended with ${status ?? error?.message}\n${stdout.slice(-4_000)}${stderr.slice(-4_000)}`,
  );
}

const settings = {
  STORAGE_DRIVER: 'vfs',
  BUILDAH_ISOLATION: 'chroot',
  CONTAINERS_CONF: join(work, 'containers.conf'),
};
const place = ['--root', join(work, 'store'), '--runroot', join(work, 'run')];

function buildah(...args: readonly string[]): string {
  return run('buildah', [...place, ...args], { env: { ...process.env, ...settings } }).trim();
}

/** Of Debian the release that this machine has, if it has one: its package sources are known to work here. */
function release(): string {
  const text = readFileSync('/etc/os-release', 'utf8');
  return (/^ID=debian$/m.test(text) ? /^VERSION_CODENAME=(\w+)$/m.exec(text)?.[1] : undefined) ?? 'stable';
}

/** Debian's required packages, as its images have them, with `more`, as a folder or an archive. */
function debian(target: string, more: readonly string[]): void {
  run('mmdebstrap', ['--variant=minbase', `--include=${more.join(',')}`, release(), target]);
}

/** `debian:stable-slim` and `node:26-slim`, as far as the recipes use them. */
function makeBaseImages(): void {
  const archive = join(work, 'debian.tar');
  debian(archive, ['ca-certificates']);
  const plain = buildah('from', 'scratch');
  buildah('add', plain, archive, '/');
  rmSync(archive);
  buildah('copy', plain, bundle, bundle);
  buildah('commit', '--rm', plain, 'docker.io/library/debian:stable-slim');
  const node = buildah('from', '--pull=never', 'docker.io/library/debian:stable-slim');
  buildah('copy', node, realpathSync(join(root, 'node_modules/.bin/node')), '/usr/local/bin/node');
  // `npm root` would name the folder of the checkout's Node.
  const npm = join(realpathSync(findTool('npm') ?? ''), '../..');
  buildah('copy', node, npm, '/usr/local/lib/node_modules/npm');
  // Where packages come from is a fact of this machine.
  writeFileSync(
    join(work, 'npmrc'),
    `registry=${run('npm', ['config', 'get', 'registry']).trim()}\ncafile=${bundle}\n`,
  );
  buildah('copy', node, join(work, 'npmrc'), '/root/.npmrc');
  buildah('run', node, 'ln', '-s', '../lib/node_modules/npm/bin/npm-cli.js', '/usr/local/bin/npm');
  buildah('commit', '--rm', node, 'docker.io/library/node:26-slim');
}

/** How a program is started as its image says, but for the command. */
type Start = (
  user: number,
  args: readonly string[],
  mounts: readonly string[],
) => readonly [string, readonly string[]];

function fromImage(name: 'gateway' | 'agent'): Start {
  buildah('bud', '--pull=never', '--network', 'host', '-f', `deploy/${name}.Dockerfile`, '-t', name, '.');
  const container = buildah('from', '--pull=never', `localhost/${name}`);
  return (_user, args, mounts) => {
    const volumes = mounts.flatMap((mount) => ['--volume', mount]);
    return ['buildah', [...place, 'run', '--network', 'host', ...volumes, container, '--', ...args]];
  };
}

/** Without buildah: the file system of the last stage, with what its recipe installs, and the program as the recipe builds it. */
function fromRootFileSystem(name: 'gateway' | 'agent'): Start {
  const last =
    readFileSync(join(root, `deploy/${name}.Dockerfile`), 'utf8')
      .split(/^FROM /m)
      .at(-1) ?? '';
  const packages =
    /apt-get install -y --no-install-recommends ([a-z0-9+ -]+?) &&/.exec(last)?.[1]?.split(' ') ?? [];
  const folder = join(work, name);
  debian(folder, packages);
  run('npm', ['run', `build:${name}`, '--', '--out', join(work, 'built'), '--install', join(work, 'out')]);
  const target = /COPY --from=build \S+ (\S+)/.exec(last)?.[1] ?? '';
  copyFileSync(join(work, 'out', `upstreamproxy-${name}`), join(folder, target));
  chmodSync(join(folder, target), 0o711);
  const state = join(folder, 'var/lib/upstreamproxy');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  chownSync(state, users.gateway, users.gateway);
  return (user, args, mounts) => {
    const binds = mounts
      .map((mount) => mount.split(':'))
      .map(([from = '', to = '']) => `mkdir -p ${folder}${to} && mount --bind ${from} ${folder}${to}`);
    const start = `exec chroot --userspec=${user}:${user} ${folder} "$@"`;
    return [
      'unshare',
      ['-m', 'sh', '-c', [...binds, `mount -t proc proc ${folder}/proc`, start].join(' && '), 'sh', ...args],
    ];
  };
}

/** For the images that have nothing else. */
function singleFiles(): Readonly<Record<'agent' | 'gateway', string>> {
  const file = (name: 'agent' | 'gateway'): string => {
    const out = join(work, `upstreamproxy-${name}`);
    run('npm', ['run', `build:${name}`, '--', '--out', out]);
    return out;
  };
  return { agent: file('agent'), gateway: file('gateway') };
}

async function lineOf(child: ChildProcess, pattern: RegExp): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let text = '';
  const take = (chunk: Buffer): void => {
    text += String(chunk);
    if (pattern.test(text)) resolve();
  };
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  child.once('close', () => reject(new Error(`it ended: ${text}`)));
  await promise;
}

/** The gateway serves, and a command of the agent's is refused by its policy: the whole way, from one image to the other. */
async function startBoth(start: (name: 'gateway' | 'agent') => Start): Promise<void> {
  const [gateway, agent] = [start('gateway'), start('agent')];
  const port = await freePort();
  const configuration = join(work, 'configuration');
  const secrets = join(work, 'secrets');
  for (const folder of [configuration, secrets]) mkdirSync(folder);
  writeFileSync(join(configuration, 'policy.yaml'), 'rules:\n  - { name: one, hosts: api.test }\n');
  writeFileSync(
    join(configuration, 'gateway.yaml'),
    `listen: { address: 127.0.0.1, port: ${port} }\npublicNames: [127.0.0.1]\npolicy: policy.yaml\n`,
  );
  const env = { ...process.env, ...settings };
  const config = ['--config', '/etc/upstreamproxy/gateway.yaml'];
  const mounts = [`${configuration}:/etc/upstreamproxy`];
  const ask = (...args: readonly string[]): string =>
    run(...gateway(users.gateway, ['upstreamproxy', ...args, ...config], mounts), { env });
  // Ended from inside too, should this process be killed.
  const serving = ['timeout', '--signal=TERM', '120', 'upstreamproxy', 'gateway', ...config];
  const child = spawn(...gateway(users.gateway, serving, mounts), { cwd: root, env, detached: true });
  await lineOf(child, /listening on/);
  console.log('✔ the gateway starts as its image says, and listens');
  writeFileSync(join(secrets, 'gateway-ca.pem'), ask('ca', 'show', '--server'));
  const token = ask('token', 'issue', '--subject', 'image');
  writeFileSync(join(secrets, 'upstreamproxy-token'), token, { mode: 0o600 });
  chownSync(join(secrets, 'upstreamproxy-token'), users.agent, users.agent);
  const request =
    'exec 3<>/dev/tcp/127.0.0.1/${http_proxy##*:}; printf "GET http://denied.test/ HTTP/1.1\\r\\nHost: denied.test\\r\\n\\r\\n" >&3; head -1 <&3';
  const place = ['--gateway', `https://127.0.0.1:${port}`, '--gateway-ca', '/run/secrets/gateway-ca.pem'];
  const words = ['/usr/local/bin/upstreamproxy-agent', 'run', ...place, '--', 'bash', '-c', request];
  const output = run(...agent(users.agent, words, [`${secrets}:/run/secrets`]), { env });
  if (!output.includes('HTTP/1.1 403')) throw new Error(`no refusal came back: ${output}`);
  console.log(
    '✔ the agent starts as its image says, with the token where sandboxes put it, and the policy of the gateway decides',
  );
  // Its group, for a signal to buildah alone does not reach what it runs.
  if (child.pid !== undefined) process.kill(-child.pid);
}

const missing = process.geteuid?.() === 0 ? skipWithout('mmdebstrap') : 'root is needed';
if (missing !== false) {
  console.log(`﹣ images: skipped, ${missing}`);
} else {
  try {
    writeFileSync(join(work, 'containers.conf'), limits());
    const canBuild = findTool('buildah') !== undefined;
    console.log(
      `${canBuild ? 'by buildah' : 'by root file systems, for buildah is not installed'}, ${availableParallelism()} processors`,
    );
    if (canBuild) makeBaseImages();
    await startBoth(canBuild ? fromImage : fromRootFileSystem);
    if (canBuild)
      await testBareImages({ root, work, env: { ...process.env, ...settings }, files: singleFiles() });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
