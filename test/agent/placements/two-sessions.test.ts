// Sessions at once: in this process, in one that is killed, and in containers of their own.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { removeLeftovers } from '../../../src/agent/placements/leftovers.ts';
import { Placements } from '../../../src/agent/placements/placements.ts';
import { javaKeyStore, javaTrustEntry } from '../../../src/pki/java-key-store.ts';
import { waitUntil } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const everything = { isKnown: async () => true, bearsOurMark: async () => true };
const placementsModule = fileURLToPath(
  new URL('../../../src/agent/placements/placements.ts', import.meta.url),
);
const leftoversModule = fileURLToPath(new URL('../../../src/agent/placements/leftovers.ts', import.meta.url));

test('changes that sessions make of one file of the system at once are all there, and all go again', async () => {
  await withTemporaryDirectory(async (folder) => {
    const system = join(folder, 'system');
    mkdirSync(system);
    const [bundle, store] = [join(system, 'bundle.pem'), join(system, 'cacerts')];
    const original = javaKeyStore([Buffer.from('root')], 'changeit', 5);
    writeFileSync(bundle, 'roots\n');
    writeFileSync(store, original);
    const names = ['one', 'two', 'three', 'four'];
    for (let round = 0; round < 5; round++) {
      // Root may have another HOME each time.
      const sessions = await Promise.all(names.map((name) => Placements.open(join(folder, name, 'placed'))));
      const change = async (session: Placements, index: number): Promise<void> => {
        await session.appendText(bundle, `${names[index]}\n`);
        await session.addJavaEntry(store, javaTrustEntry(Buffer.from('ours'), `${names[index]}`, 0));
      };
      await Promise.all(sessions.map(change));
      for (const name of names) assert.ok(readFileSync(bundle, 'utf8').includes(name), `${name} is there`);
      assert.equal(readFileSync(store).readUInt32BE(8), 1 + names.length);
      await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()));
      assert.equal(readFileSync(bundle, 'utf8'), 'roots\n');
      assert.deepEqual(readFileSync(store), Buffer.from(original));
    }
    assert.deepEqual(readdirSync(system).sort(), ['bundle.pem', 'cacerts']);
  });
});

/** A process that places something, says so, and waits. It knows `placements` and its arguments. */
async function startSession(
  code: string,
  args: readonly string[],
  prefix: readonly string[] = [],
): Promise<ChildProcess> {
  const program = `import { Placements } from ${JSON.stringify(pathToFileURL(placementsModule).href)};
const [state, path] = process.argv.slice(-2);
const placements = await Placements.open(state);
${code}
process.stdout.write('placed');
setInterval(() => placements, 1_000_000);`;
  return await startModule(program, args, prefix);
}

async function startModule(
  program: string,
  args: readonly string[],
  prefix: readonly string[] = [],
): Promise<ChildProcess> {
  return await withTemporaryDirectory(async (folder) => {
    const file = join(folder, 'program.mts');
    writeFileSync(file, program);
    const [command = '', ...rest] = [...prefix, process.execPath, file, ...args];
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = (await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`it ended with ${code}`))),
    ])) as [Buffer];
    assert.equal(said.toString(), 'placed');
    return child;
  });
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

test('a session that is killed while it changes a file of the system stops nobody and leaves nothing', async () => {
  await withTemporaryDirectory(async (folder) => {
    const system = join(folder, 'system');
    mkdirSync(system);
    const bundle = join(system, 'bundle.pem');
    writeFileSync(bundle, 'roots\n');
    const state = join(folder, 'state', 'placed');
    // In the middle of it: it has the lock, the manifest knows, and the new file has not got its name yet.
    const middle = `
const { changeSystemFile } = await import(${JSON.stringify(pathToFileURL(join(dirname(placementsModule), 'system-file.ts')).href)});
const { writeFileSync } = await import('node:fs');
await placements.appendText(path, 'killed\\n');
globalThis.never = new Promise(() => {});
await new Promise((inside) => void changeSystemFile(path, () => {
  writeFileSync(path.replace('bundle', '.bundle') + '.0123456789ab', 'half');
  inside();
  return globalThis.never;
}));`;
    const child = await startSession(middle, [state, bundle]);
    await using other = await Placements.open(join(folder, 'other', 'placed'));
    const appended = other.appendText(bundle, 'other\n');
    await kill(child);
    await appended;
    assert.equal(readFileSync(bundle, 'utf8'), 'roots\n\nkilled\n\nother\n');
    assert.deepEqual(await removeLeftovers(state, everything), { sessions: 1, kept: [] });
    await other[Symbol.asyncDispose]();
    assert.equal(readFileSync(bundle, 'utf8'), 'roots\n');
    assert.deepEqual(readdirSync(system), ['bundle.pem']);
  });
});

/** A container's own process numbers, with its /proc; the host's name and files are shared. */
const container = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
const noContainer =
  spawnSync(container[0] ?? '', [...container.slice(1), 'true']).status === 0
    ? false
    : 'no PID namespaces here: not root, or no unshare';

test(
  'of two containers with one name and one HOME neither takes away what the other still has',
  { skip: noContainer },
  async () => {
    await withTemporaryDirectory(async (folder) => {
      const state = join(folder, 'state', 'placed');
      const path = join(folder, 'config');
      const child = await startSession(
        `await placements.placeFile(path, 'ours', 0o644);`,
        [state, path],
        container,
      );
      const program = `import { removeLeftovers } from ${JSON.stringify(pathToFileURL(leftoversModule).href)};
const known = { isKnown: async () => true, bearsOurMark: async () => true };
process.stdout.write(JSON.stringify(await removeLeftovers(process.argv.at(-1), known)));`;
      const cleanUp = async (prefix: readonly string[]): Promise<unknown> => {
        const file = join(folder, 'cleanup.mts');
        writeFileSync(file, program);
        const [command = '', ...rest] = [...prefix, process.execPath, file, state];
        const cleaner = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
        return JSON.parse(await text(cleaner.stdout));
      };
      assert.deepEqual(await removeLeftovers(state, everything), { sessions: 0, kept: [] });
      assert.deepEqual(await cleanUp(container), { sessions: 0, kept: [] });
      assert.equal(readFileSync(path, 'utf8'), 'ours');
      // The first process of a namespace takes all of them with it, a moment after the one that was waited for.
      await kill(child);
      let cleaned: unknown;
      await waitUntil('the session is known as over', async () => {
        cleaned = await cleanUp(container);
        return !isDeepStrictEqual(cleaned, { sessions: 0, kept: [] });
      });
      assert.deepEqual(cleaned, { sessions: 1, kept: [] });
      assert.equal(existsSync(path), false);
    });
  },
);

test('one number of a hashed folder that goes is taken by the next session, so that OpenSSL finds it', async () => {
  await withTemporaryDirectory(async (folder) => {
    const certs = join(folder, 'certs');
    mkdirSync(certs);
    writeFileSync(join(certs, '0a0b0c0d.0'), 'of the system');
    const mark = '# Written by upstreamproxy for one session; removed when it ends.\n';
    const texts = ['first', 'second', 'third'].map((name) => `${mark}${name}\n`);
    const sessions = await Promise.all(texts.map(() => Placements.open(join(folder, 'state', 'placed'))));
    for (const [index, session] of sessions.entries())
      assert.equal(await session.placeHashed(certs, '0a0b0c0d', texts[index] ?? ''), true);
    const [first, second, third] = sessions;
    await first?.[Symbol.asyncDispose]();
    const contents = (): string[] =>
      readdirSync(certs)
        .sort()
        .map((name) => `${name} ${readFileSync(join(certs, name), 'utf8').replace(mark, '')}`);
    assert.deepEqual(contents(), ['0a0b0c0d.0 of the system', '0a0b0c0d.1 third\n', '0a0b0c0d.2 second\n']);
    await third?.[Symbol.asyncDispose]();
    assert.deepEqual(contents(), ['0a0b0c0d.0 of the system', '0a0b0c0d.1 second\n']);
    await second?.[Symbol.asyncDispose]();
    assert.deepEqual(contents(), ['0a0b0c0d.0 of the system']);
  });
});

const other = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const noOther =
  spawnSync(other[0] ?? '', [...other.slice(1), 'flock', '--version']).status === 0
    ? false
    : 'no other user here: not root, or no setpriv or flock';

test(
  'a user who can only read the folder of a store cannot hold up who changes it',
  { skip: noOther },
  async () => {
    await withTemporaryDirectory(async (folder) => {
      const system = join(folder, 'system');
      mkdirSync(system);
      chmodSync(folder, 0o755);
      const bundle = join(system, 'bundle.pem');
      writeFileSync(bundle, 'roots\n');
      const [command = '', ...args] = [
        ...other,
        'flock',
        // One process, which `kill` ends: a child would live on, and the test runner waits for it.
        '--no-fork',
        '--exclusive',
        system,
        'sh',
        '-c',
        'echo; exec sleep 300',
      ];
      const holder = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        await once(holder.stdout, 'data');
        await using placements = await Placements.open(join(folder, 'state', 'placed'));
        assert.equal(await placements.appendText(bundle, 'ours\n'), true);
        await placements[Symbol.asyncDispose]();
      } finally {
        await kill(holder);
      }
      assert.equal(readFileSync(bundle, 'utf8'), 'roots\n');
      assert.deepEqual(readdirSync(system), ['bundle.pem']);
    });
  },
);
