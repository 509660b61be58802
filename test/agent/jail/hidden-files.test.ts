// The layer `files`, by the kernel: what lies over secrets, and that it is measured from the command's place.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { jailFacts } from '../../../src/agent/jail/jail-facts.ts';
import type { JailLayer, JailReport } from '../../../src/agent/jail/jail-plan.ts';
import { openJail } from '../../../src/agent/jail/jail-process.ts';
import { mainFile } from '../../support/program.ts';
import { captureObstacle } from '../../support/capture-obstacle.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const isBun = process.versions['bun'] !== undefined;
const skip = isBun ? 'the helper of the jail runs under Node' : captureObstacle();
const isRoot = process.geteuid?.() === 0;
const helper = {
  file: process.execPath,
  args: ['--disable-warning=ExperimentalWarning', mainFile, '=jail-helper'],
};
const all = ['files', 'ipc', 'processes', 'no-new-privs', 'landlock', 'seccomp', 'capabilities'] as const;
const layers: readonly JailLayer[] = isRoot ? all : all.filter((layer) => layer !== 'capabilities');

interface Home extends AsyncDisposable {
  readonly home: string;
  /** What a script says with the secrets of the home hidden. */
  say(
    script: string,
    entered?: readonly JailLayer[],
  ): Promise<{ readonly text: string; readonly report: JailReport }>;
}

async function secretHome(): Promise<Home> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const home = join(path, 'home');
  mkdirSync(join(path, 'home/.ssh/deep'), { recursive: true });
  chmodSync(path, 0o755);
  writeFileSync(join(home, '.ssh/deep/key'), 'secret\n');
  writeFileSync(join(home, '.ssh/open'), 'opened\n');
  writeFileSync(join(home, 'real'), 'secret\n');
  symlinkSync('real', join(home, '.npmrc'));
  const hides = [
    { path: join(home, '.ssh'), keeps: ['open'], isWritable: true },
    { path: join(home, '.npmrc'), content: Buffer.from('copy\n').toString('base64'), isWritable: true },
  ];
  const owned = stack.move();
  return {
    home,
    say: async (script, entered = layers) => {
      const output = join(path, 'output');
      writeFileSync(output, '');
      await using jail = await openJail({ layers: entered, hides }, helper);
      const child = jail.start({
        file: 'sh',
        args: ['-c', `{ ${script}\n} > ${output} 2>&1`],
        environment: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', HOME: home },
      });
      await once(child, 'exit');
      await jail.leftovers?.[Symbol.asyncDispose]();
      return { text: readFileSync(output, 'utf8'), report: jail.report };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test('the command sees copies and nothing, and the posture says so', { skip }, async () => {
  await using one = await secretHome();
  const { text, report } = await one.say(
    'cat ~/.npmrc ~/real; find ~/.ssh -type f; cat ~/.ssh/open; echo own > ~/.ssh/new; cat ~/.ssh/new',
  );
  assert.equal(text, `copy\ncopy\n${one.home}/.ssh/open\nopened\nown\n`);
  assert.equal(jailFacts(report).filesHidden, true);
  assert.ok(jailFacts(report).layers.includes('files'));
});

test('no mount, process, name or race leads to what is hidden', { skip }, async () => {
  await using one = await secretHome();
  const { text } = await one.say(`
    umount ~/.ssh; umount -l ~/.npmrc; umount -f ~/real; mount --bind / /mnt; mount -t tmpfs none ~/.ssh
    unshare -Urm sh -c 'umount ~/.ssh; umount ~/real; mount --bind ~ /mnt; cat /mnt/real'
    nsenter -t 1 -m cat ~/real
    for p in /proc/[0-9]*; do cat $p/root$HOME/real $p/cwd$HOME/real $p/root$HOME/.ssh/deep/key; done
    ln ~/real ~/hard; ln ~/.npmrc ~/harder; mv ~/real ~/moved; mv ~/.ssh ~/gone; rm -rf ~/.ssh/deep
    for b in $(find /dev -type b); do [ -b $b ] && head -c 1 $b > ~/octet && echo device $b; done; mknod ~/disk b 8 0; ls ~/disk && echo device disk
    for i in 1 2 3 4 5 6 7 8; do (ln -sfn real ~/.npmrc; cat ~/.npmrc) & done; wait
    cat ~/real ~/.npmrc; find ~/ -name key -exec cat {} +; mv ~ ~/../away; cat ~/../away/real ~/../away/.ssh/deep/key; find ~/../away; echo end`);
  assert.doesNotMatch(text, /secret$|^device/m);
  assert.ok(text.endsWith('end\n'), text);
  assert.match(text, /^copy$/m);
});

test(
  'who could unmount what lies there is not told that files are hidden',
  { skip: skip !== false ? skip : isRoot ? false : 'it takes a command of root' },
  async () => {
    await using one = await secretHome();
    for (const entered of [['files'], ['files', 'no-new-privs', 'landlock']] as const) {
      const { text, report } = await one.say('cat ~/real', entered);
      const files = report.layers.find(({ layer }) => layer === 'files');
      assert.equal(files?.held, false, entered.join());
      assert.match(files?.reason ?? '', /unmount|another process/);
      assert.equal(jailFacts(report).filesHidden, false);
      assert.ok(text !== '', text);
    }
  },
);

test('a process of outside whose root can be entered is a way to what is hidden', { skip }, async () => {
  await using one = await secretHome();
  // Without Landlock and a namespace of processes, that of the agent can, by who may trace it.
  const { report } = await one.say(':', isRoot ? ['files', 'seccomp', 'capabilities'] : ['files', 'seccomp']);
  const files = report.layers.find(({ layer }) => layer === 'files');
  if (isRoot) assert.match(files?.reason ?? '', /another process/);
});

test(
  'a file that is replaced outside while the command runs is the one way that is left',
  { skip },
  async () => {
    await using one = await secretHome();
    await using jail = await openJail(
      { layers, hides: [{ path: join(one.home, 'real'), content: '' }] },
      helper,
    );
    // The kernel takes what is mounted on a name away with the name (rename(2) in another mount namespace): jail.md says so.
    writeFileSync(join(one.home, 'fresh'), 'secret\n');
    renameSync(join(one.home, 'fresh'), join(one.home, 'real'));
    const output = join(one.home, 'output');
    writeFileSync(output, '');
    const child = jail.start({
      file: 'sh',
      args: ['-c', `cat ${join(one.home, 'real')} > ${output}`],
      environment: { PATH: '/usr/bin:/bin' },
    });
    await once(child, 'exit');
    assert.equal(readFileSync(output, 'utf8'), 'secret\n');
  },
);

const jailProcess = new URL('../../../src/agent/jail/jail-process.ts', import.meta.url).href;

/** What a command says whose standard input is that folder. */
function saidOf(folder: number, home: string): { readonly text: string; readonly report: JailReport } {
  const plan = { layers, hides: [{ path: join(home, '.ssh') }] };
  const script = 'readlink /proc/self/fd/0; cat /proc/self/fd/0/key 2>/dev/null';
  const program = `
    const { openJail } = await import(${JSON.stringify(jailProcess)});
    await using jail = await openJail(${JSON.stringify(plan)}, ${JSON.stringify(helper)});
    const child = jail.start({ file: 'sh', args: ['-c', ${JSON.stringify(script)}], environment: { PATH: '/usr/bin:/bin' } });
    await new Promise((resolve) => child.once('exit', resolve));
    await jail.leftovers?.[Symbol.asyncDispose]();
    process.stderr.write(JSON.stringify(jail.report));`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: [folder, 'pipe', 'pipe'],
  });
  assert.equal(status, 0, stderr);
  return { text: stdout, report: JSON.parse(stderr) as JailReport };
}

/** Folders in a folder, by descriptors: the last is deeper than any path can name. Disposed, they are gone. */
function deeperThanPaths(top: string): Disposable & { readonly last: number } {
  const name = 'd'.repeat(250);
  const inside = (fd: number): string => `/proc/self/fd/${fd}/${name}`;
  const fds = [openSync(top, 'r')];
  for (let depth = 0; depth < 18; depth++) {
    const parent = fds.at(-1)!;
    mkdirSync(inside(parent));
    fds.push(openSync(inside(parent), 'r'));
  }
  const last = fds.at(-1)!;
  writeFileSync(`/proc/self/fd/${last}/key`, 'secret\n');
  return {
    last,
    [Symbol.dispose]: () => {
      rmSync(`/proc/self/fd/${last}/key`);
      closeSync(fds.pop()!);
      for (const fd of fds.toReversed()) {
        rmdirSync(inside(fd));
        closeSync(fd);
      }
    },
  };
}

test(
  'a folder as a standard stream is had as it is seen inside, or is /dev/null, which is told',
  { skip },
  async () => {
    await using one = await secretHome();
    const hidden = join(one.home, '.ssh');
    const open = openSync(join(hidden, 'deep'), 'r');
    using deep = deeperThanPaths(hidden);
    const cases = [
      [openSync(one.home, 'r'), `${one.home}\n`, []],
      // Covered with the folder that it is in.
      [open, '/dev/null\n', [0]],
      [deep.last, '/dev/null\n', [0]],
    ] as const;
    for (const [folder, text, lostStreams] of cases) {
      const said = saidOf(folder, one.home);
      assert.equal(said.text, text);
      assert.deepEqual(said.report.measures?.lostStreams, lostStreams);
      const { filesHidden, notes } = jailFacts(said.report);
      assert.equal(filesHidden, true);
      assert.equal(
        notes.filter((note) => /standard stream 0 is .*: \/dev\/null/.test(note)).length,
        lostStreams.length,
      );
    }
    for (const [folder] of cases.slice(0, 2)) closeSync(folder);
  },
);
