// What stays after `run`, however it ends: nothing of ours, and the user's own files byte for byte as they were.

import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmod,
  chown,
  copyFile,
  cp,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { mustRun, runCommand } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { mountPlaces } from '../support/mount-places.ts';
import { launcher, waitForFile, waitUntil } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { findTool } from '../support/tools.ts';

const isRoot = process.geteuid?.() === 0;
const nobody = 65534;

/** Who starts `run`, and by which command. */
interface User {
  readonly name: string;
  readonly uid: number;
  readonly prefix: readonly string[];
}

const drop = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--inh-caps=-all'];
const users: readonly User[] = [
  { name: isRoot ? 'root' : 'this user', uid: process.geteuid?.() ?? 0, prefix: [] },
  ...(isRoot && findTool('setpriv') !== undefined
    ? [{ name: 'nobody', uid: nobody, prefix: [...drop, '--bounding-set=-all'] }]
    : []),
];

/** Why the user has no network and mounts of its own here, or false. */
function obstacle({ uid, prefix }: User): string | false {
  const options = uid === 0 ? [] : ['--user', '--map-current-user', '--keep-caps'];
  const [file = '', ...args] = [...prefix, 'unshare', ...options, '--net', '--mount', 'true'];
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  return status === 0 ? false : `no namespaces here: ${stderr?.trim() ?? error?.message}`;
}

/** What a user has in HOME; among it files whose place ours would take. */
const ownFiles: Readonly<Record<string, string>> = {
  '.gitconfig': '[user]\n\tname = Somebody\n',
  '.wgetrc': 'tries = 1\n',
  '.ssh/config': 'Host example.test\n  User somebody\n',
  '.config/pip/pip.conf': '[global]\nretries = 1\n',
  'work/file.txt': 'not ours',
};

let set: Deployment;

before(async () => {
  set = await deploy({ rules: [] });
});
after(async () => {
  await set?.[Symbol.asyncDispose]();
});

interface Place extends AsyncDisposable {
  readonly directory: string;
  readonly started: string;
  /** Starts `run` with a script for the shell; `$started` is the file by which it says that it runs. */
  start(script: string): Promise<ChildProcess>;
  run(script: string): Promise<number | null>;
  state(): Promise<MachineState>;
  /** Processes that belong to this place. */
  processes(): Promise<readonly string[]>;
}

/** Hash, mode and owner of files by path, and what the kernel has of mounts and addresses. */
type MachineState = Readonly<Record<string, string>>;

async function openPlace(user: User): Promise<Place> {
  const { uid, prefix } = user;
  const changesStore = uid === 0 && obstacle(user) === false;
  await using stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(await temporaryDirectory());
  const home = join(directory, 'home');
  const started = join(directory, 'work', 'started');
  for (const name of ['home', 'tmp', 'state', 'work', 'token']) await mkdir(join(directory, name));
  for (const [name, text] of Object.entries(ownFiles)) {
    await mkdir(dirname(join(home, name)), { recursive: true });
    await writeFile(join(home, name), text);
  }
  if (isRoot) await mustRun('chown', ['-R', String(uid), directory]);
  await chmod(directory, 0o755);
  // What root changes is a copy of /etc, in a mount namespace that ends with `run`: other tests look at the machine's own.
  const store = join(directory, 'etc');
  if (changesStore) await cp('/etc', store, { recursive: true, verbatimSymlinks: true });
  const mount = `mount --bind '${store}' /etc && exec "$@"`;
  const ownStore = changesStore ? ['unshare', '--mount', 'sh', '-c', mount, 'sh'] : [];
  const options = ['--home-files', ...(changesStore ? ['--system-store'] : [])];
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    TMPDIR: join(directory, 'tmp'),
    XDG_STATE_HOME: join(directory, 'state'),
    started,
  };
  let tokens = 0;
  const command = async (script: string): Promise<readonly [string, ...string[]]> => {
    tokens += 1;
    // In this place, so that the agent's command line names it.
    const token = join(directory, 'token', String(tokens));
    await copyFile(await set.issueToken(), token);
    await chmod(token, 0o600);
    const authority = join(directory, 'token', 'ca.pem');
    await copyFile(set.gatewayCaFile, authority);
    if (isRoot) for (const file of [token, authority]) await chown(file, uid, uid);
    const args = ['--gateway', set.gateway.url, '--gateway-ca', authority, '--token-file', token];
    const [file = '', ...rest] = [...prefix, ...ownStore, launcher, 'run', '--quiet', ...options, ...args];
    return [file, ...rest, '--', 'sh', '-c', script];
  };
  const owned = stack.move();
  return {
    directory,
    started,
    start: async (script) => {
      const [file, ...args] = await command(script);
      return spawn(file, args, { env, cwd: directory, stdio: 'ignore' });
    },
    run: async (script) => {
      const [file, ...args] = await command(script);
      return (await runCommand(file, args, { env, cwd: directory })).code;
    },
    state: () => machineState(directory),
    processes: () => processesOf(directory),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Everything outside of `run` that it could have changed. */
async function machineState(directory: string): Promise<MachineState> {
  const addresses = Object.values(networkInterfaces()).flatMap(
    (list) => list?.map(({ address }) => address) ?? [],
  );
  return {
    // Empty folders of state are no state.
    ...(await contents(
      directory,
      (path, kind) => !/^(?:work|token)\//.test(path) && !(kind === 'folder' && path.startsWith('state/')),
    )),
    ...(isRoot ? {} : await contents('/etc/ssl/certs', () => true)),
    mounts: (await mountPlaces()).join(' '),
    addresses: addresses.filter((address) => /^(?:127|198\.1[89])\.|^::1$/.test(address)).join(' '),
  };
}

/** What differs, by name. */
function changes(before: MachineState, after: MachineState): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names]
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name}: ${before[name] ?? 'absent'} -> ${after[name] ?? 'absent'}`);
}

/** Hash, mode and owner of every file below a folder, by its path; folders and links as such. */
async function contents(
  folder: string,
  counts: (path: string, kind: string) => boolean,
): Promise<MachineState> {
  const found: Record<string, string> = {};
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const kind = entry.isSymbolicLink()
      ? 'link'
      : entry.isFile()
        ? 'file'
        : entry.isDirectory()
          ? 'folder'
          : 'special';
    if (!counts(path.slice(folder.length + 1), kind)) continue;
    const state =
      kind === 'file' ? await describeFile(path) : kind === 'link' ? `link to ${await readlink(path)}` : kind;
    // One that goes while it is looked at is not there.
    if (state !== undefined) found[path] = state;
  }
  return found;
}

async function describeFile(path: string): Promise<string | undefined> {
  try {
    const { mode, uid } = await stat(path);
    const hash = createHash('sha256').update(await readFile(path));
    return `${hash.digest('hex')} ${mode.toString(8)} ${uid}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** By command line or environment, whichever may be read. Zombies have neither. */
async function processesOf(directory: string): Promise<readonly string[]> {
  const numbers = (await readdir('/proc')).filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
  );
  const found = await Promise.all(
    numbers.map(async (number) => {
      const read = (name: string): Promise<string> =>
        readFile(`/proc/${number}/${name}`, 'utf8').catch(() => '');
      const text = await read('cmdline');
      const belongs = text.includes(directory) || (await read('environ')).includes(directory);
      return belongs ? [`${number} ${text.replaceAll('\0', ' ').slice(0, 200)}`] : [];
    }),
  );
  return found.flat();
}

async function assertNothingLeft(place: Place, before: MachineState): Promise<void> {
  let left: readonly string[] = [];
  await waitUntil('no process is left', async () => (left = await place.processes()).length === 0).catch(
    () => undefined,
  );
  assert.deepEqual(left, []);
  assert.deepEqual(changes(before, await place.state()), []);
}

/** It runs with a child of its own, of which nobody would know. */
const longScript = 'sleep 300 & echo $$ > "$started.new"; mv "$started.new" "$started"; exec sleep 300';

for (const user of users) {
  describe(`as ${user.name}`, { concurrency: 2 }, () => {
    test('after an exit nothing is left', async () => {
      await using place = await openPlace(user);
      const before = await place.state();
      assert.equal(await place.run('sleep 300 & exit 7'), 7);
      await assertNothingLeft(place, before);
    });

    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      test(`after ${signal} nothing is left`, async () => {
        await using place = await openPlace(user);
        const before = await place.state();
        const child = await place.start(longScript);
        const ended = once(child, 'exit');
        await waitForFile(place.started);
        child.kill(signal);
        assert.deepEqual(await ended, [null, signal]);
        await assertNothingLeft(place, before);
      });
    }

    test(
      'after kill -9 of the agent no process, mount or address is left, and files go with the next start',
      { skip: obstacle(user) },
      async () => {
        await using place = await openPlace(user);
        const before = await place.state();
        const child = await place.start(longScript);
        const ended = once(child, 'exit');
        await waitForFile(place.started);
        const running = await place.processes();
        assert.ok(running.length >= 3, `the agent, the command and its child: ${running.join('\n')}`);
        const placed = changes(before, await place.state());
        for (const file of user.uid === 0
          ? ['.aria2/aria2.conf', 'ca-certificates.crt']
          : ['.aria2/aria2.conf'])
          assert.ok(
            placed.some((change) => change.includes(file)),
            `it has ${file} while it runs: ${placed.join('\n')}`,
          );
        child.kill('SIGKILL');
        await ended;
        await waitUntil('the command is gone too', async () => (await place.processes()).length === 0);
        const { mounts, addresses } = await place.state();
        assert.deepEqual({ mounts, addresses }, { mounts: before['mounts'], addresses: before['addresses'] });
        assert.equal(await place.run('true'), 0);
        await assertNothingLeft(place, before);
      },
    );

    test('after a start that fails nothing is left', async () => {
      await using place = await openPlace(user);
      const before = await place.state();
      assert.equal(await place.run('true'), 0);
      const wrong = join(place.directory, 'token', 'ca.pem');
      await rm(wrong);
      await cp('/etc/hostname', wrong).catch(() => writeFile(wrong, 'x'));
      const args = ['run', '--quiet', '--home-files', '--gateway', set.gateway.url, '--gateway-ca', wrong];
      const { code } = await runCommand(launcher, [...args, '--token-file', wrong, '--', 'true'], {
        env: {
          PATH: process.env['PATH'],
          HOME: join(place.directory, 'home'),
          TMPDIR: join(place.directory, 'tmp'),
        },
      });
      assert.notEqual(code, 0);
      await assertNothingLeft(place, before);
    });
  });
}
