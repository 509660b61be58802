// A test of the images that `npm run build:images` makes: the same each time, and started as they say, on a root that nobody can write to.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { freePort } from '../../test/support/free-port.ts';

export interface BareImagesNeeds {
  readonly root: string;
  /** A folder of the test. */
  readonly work: string;
  readonly env: NodeJS.ProcessEnv;
  /** Single files of this machine's architecture. */
  readonly files: Readonly<Record<'agent' | 'gateway', string>>;
}

const users = { gateway: 10_001, agent: 65_532 };
const withinMs = 120_000;

export async function testBareImages(needs: BareImagesNeeds): Promise<void> {
  const [first, second] = [buildOnce(needs, 'first'), buildOnce(needs, 'second')];
  if (first !== second) throw new Error(`the images are others each time:\n${first}\n${second}`);
  console.log('✔ two builds of the bare images have the same digests');
  try {
    const folders = { gateway: mounted(needs, 'gateway'), agent: mounted(needs, 'agent') };
    for (const folder of Object.values(folders))
      for (const path of ['bin', 'usr/bin', 'usr/sbin'])
        if (existsSync(join(folder, path))) throw new Error(`a bare image has the folder ${path}`);
    for (const [name, folder] of Object.entries(folders))
      if (!existsSync(join(folder, `usr/share/doc/upstreamproxy-${name}/licences`)))
        throw new Error(`the image of the ${name} has no licences`);
    await startBoth(needs, folders);
  } finally {
    // What is mounted could not be removed with the folder of the test.
    run(needs, 'buildah', [...storeOf(needs), 'rm', '--all']);
  }
}

const storeOf = ({ work }: BareImagesNeeds): readonly string[] => [
  '--root',
  join(work, 'bare'),
  '--runroot',
  join(work, 'bare-run'),
];

/** Gives the line of each image, with its digest. */
function buildOnce(needs: BareImagesNeeds, tag: string): string {
  const { root, files } = needs;
  const given = Object.entries(files).flatMap(([name, path]) => [`--${name}-${process.arch}`, path]);
  const said = run(needs, process.execPath, [
    join(root, 'scripts/build-images.ts'),
    ...storeOf(needs),
    '--tag',
    tag,
    ...given,
  ]);
  return said.replaceAll(`:${tag} `, ' ');
}

function mounted(needs: BareImagesNeeds, name: 'agent' | 'gateway'): string {
  const buildah = (...args: readonly string[]): string =>
    run(needs, 'buildah', [...storeOf(needs), ...args]).trim();
  return buildah('mount', buildah('from', '--pull=never', `localhost/upstreamproxy-${name}:first`));
}

function run({ env }: BareImagesNeeds, file: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    encoding: 'utf8',
    env,
    timeout: 600_000,
  });
  if (status === 0) return stdout;
  throw new Error(`${file} ${args.join(' ')} ended with ${status ?? error?.message}\n${stdout}${stderr}`);
}

/** As a runtime for containers does: the root of the image without a right to write, what is mounted, a user without capabilities. */
function inImage(
  folder: string,
  user: number,
  mounts: Readonly<Record<string, string>>,
  words: readonly string[],
): readonly string[] {
  const script = [
    `mount --bind ${folder} ${folder}`,
    `mount -o remount,bind,ro ${folder}`,
    ...Object.entries(mounts).map(([to, from]) => `mount --bind ${from} ${folder}${to}`),
    `mount -t proc proc ${folder}/proc`,
    `mount --rbind /dev ${folder}/dev`,
    `mount -t tmpfs -o mode=1777 tmpfs ${folder}/tmp`,
    `exec chroot --userspec=${user}:${user} ${folder} "$@"`,
  ];
  return ['--mount', '--pid', '--fork', 'sh', '-ec', script.join('\n'), 'sh', ...words];
}

async function startBoth(
  needs: BareImagesNeeds,
  folders: Readonly<Record<'agent' | 'gateway', string>>,
): Promise<void> {
  const port = await freePort();
  const place = (name: string, owner: number): string => {
    const path = join(needs.work, name);
    mkdirSync(path, { mode: 0o700 });
    chownSync(path, owner, owner);
    return path;
  };
  const [configuration, state] = [
    place('bare-configuration', users.gateway),
    place('bare-state', users.gateway),
  ];
  writeFileSync(join(configuration, 'policy.yaml'), 'rules: []\n');
  writeFileSync(
    join(configuration, 'gateway.yaml'),
    `listen: { address: 127.0.0.1, port: ${port} }\npublicNames: [127.0.0.1]\npolicy: policy.yaml\n`,
  );
  const mounts = { '/etc/upstreamproxy': configuration, '/var/lib/upstreamproxy': state };
  const config = ['--config', '/etc/upstreamproxy/gateway.yaml'];
  const program = '/usr/local/bin/upstreamproxy';
  const gateway = (...args: readonly string[]): readonly string[] =>
    inImage(folders.gateway, users.gateway, mounts, [program, ...args, ...config]);
  const child = spawn('unshare', [...gateway('gateway')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  try {
    await listens(child);
    console.log('✔ the gateway listens: from a root without a shell, read-only, as a user without rights');
    const secrets = place('bare-secrets', users.agent);
    const keep = (name: string, text: string): void => {
      writeFileSync(join(secrets, name), text, { mode: 0o600 });
      chownSync(join(secrets, name), users.agent, users.agent);
    };
    keep('ca.pem', run(needs, 'unshare', gateway('ca', 'show', '--server')));
    keep('token', run(needs, 'unshare', gateway('token', 'issue', '--subject', 'image')));
    const own = '/usr/local/bin/upstreamproxy-agent';
    const reached = ['--gateway', `https://127.0.0.1:${port}`, '--gateway-ca', '/run/upstreamproxy/ca.pem'];
    const words = [own, 'run', ...reached, '--token-file', '/run/upstreamproxy/token', '--', own, 'version'];
    const said = run(
      needs,
      'unshare',
      inImage(folders.agent, users.agent, { '/run/upstreamproxy': secrets }, words),
    );
    if (!said.includes('upstreamproxy ')) throw new Error(`the command of the agent said: ${said}`);
    console.log('✔ the agent has a session with it, and runs a command');
  } finally {
    // Its group: the change of user takes off what would end it with its parent.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }
}

async function listens(child: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`it does not listen: ${said}`)), withinMs);
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += String(chunk);
    if (/listening on/.test(said)) resolve();
  });
  child.once('close', () => reject(new Error(`it ended: ${said}`)));
  await promise.finally(() => clearTimeout(timer));
}
