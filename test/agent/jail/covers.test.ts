// Files and folders laid over paths in the command's own mount namespace, by the kernel.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import type { JailPlan, LateCover } from '../../../src/agent/jail/jail-plan.ts';
import { openJail } from '../../../src/agent/jail/jail-process.ts';
import { mainFile } from '../../support/program.ts';
import { captureObstacle } from '../../support/capture-obstacle.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const isBun = process.versions['bun'] !== undefined;
const skip = isBun ? 'the helper of the jail runs under Node' : captureObstacle();
const helper = {
  file: process.execPath,
  args: ['--disable-warning=ExperimentalWarning', mainFile, '=jail-helper'],
};
const all = ['ipc', 'processes', 'no-new-privs', 'landlock', 'seccomp'] as const;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** What a script of the shell says in a jail with these covers. */
async function inJail(
  folder: string,
  plan: Pick<JailPlan, 'covers' | 'fsWrite'> & { readonly layers?: JailPlan['layers'] },
  script: string,
  late: readonly LateCover[] = [],
): Promise<{ readonly text: string; readonly covered: readonly string[] | undefined }> {
  const output = join(folder, 'said', 'output');
  mkdirSync(join(folder, 'said'), { recursive: true });
  writeFileSync(output, '');
  await using jail = await openJail({ layers: all, ...plan }, helper);
  assert.equal(jail.report.coverFault, undefined);
  const child = jail.start({
    file: 'sh',
    args: ['-c', `{ ${script}\n} > ${output} 2>&1`],
    environment: { PATH: '/usr/bin:/bin', F: folder },
    covers: late,
  });
  await once(child, 'exit');
  await jail.leftovers?.[Symbol.asyncDispose]();
  return { text: readFileSync(output, 'utf8'), covered: jail.report.covered };
}

test('a file shows what was laid over it to the command alone', { skip }, async () => {
  await using folder = await temporaryDirectory();
  const path = join(folder.path, 'store.pem');
  writeFileSync(path, 'outside\n', { mode: 0o640 });
  const covers = [{ path, content: base64('inside\n') }, { path: join(folder.path, 'absent') }];
  const { text, covered } = await inJail(
    folder.path,
    { covers },
    'cat $F/store.pem; stat -c %a $F/store.pem; echo more >> $F/store.pem || echo read-only; ls $F',
  );
  assert.match(text, /^inside\n640\n/);
  assert.match(text, /read-only\nsaid\nstore\.pem\n$/);
  assert.deepEqual(covered, [path]);
  assert.equal(readFileSync(path, 'utf8'), 'outside\n');
  assert.deepEqual(readdirSync(folder.path).sort(), ['said', 'store.pem']);
});

test(
  'content that is known only when the command starts comes then, also where it may write little',
  { skip },
  async () => {
    await using folder = await temporaryDirectory();
    const [bundle, certs] = [join(folder.path, 'bundle'), join(folder.path, 'certs')];
    writeFileSync(bundle, 'outside\n');
    mkdirSync(certs);
    writeFileSync(join(certs, 'real'), 'kept\n');
    symlinkSync('real', join(certs, 'link'));
    mkdirSync(join(certs, 'sub'));
    writeFileSync(join(certs, 'sub', 'deep'), 'deep\n');
    const covers = [{ path: bundle }, { path: certs, keepsOthers: true }];
    const late = [
      { path: bundle, content: base64('late\n') },
      { path: certs, entries: [{ name: '0a1b2c3d.0', content: base64('hashed\n') }] },
    ];
    const { text } = await inJail(
      folder.path,
      { covers, fsWrite: [join(folder.path, 'said')] },
      'cat $F/bundle $F/certs/0a1b2c3d.0 $F/certs/link $F/certs/sub/deep; touch $F/certs/new || echo read-only',
      late,
    );
    assert.match(text, /^late\nhashed\nkept\ndeep\n.*read-only\n$/s);
    assert.deepEqual(readdirSync(certs).sort(), ['link', 'real', 'sub']);
  },
);

test(
  'an entry of a folder gets its content late, also in the place of one of outside and in a folder that is made for it',
  { skip },
  async () => {
    await using folder = await temporaryDirectory();
    const store = join(folder.path, 'store');
    mkdirSync(store);
    writeFileSync(join(store, 'bundle'), 'outside\n');
    const entries = ['bundle', 'made/for/it'].map((name) => ({ name, content: '' }));
    const covers = [{ path: store, keepsOthers: true, entries }];
    const late = (...names: readonly string[]): readonly LateCover[] => [
      { path: store, entries: names.map((name) => ({ name, content: base64(`${name}\n`) })) },
    ];
    const umask = process.umask(0o077);
    try {
      const names = ['bundle', 'made/for/it', 'made/for/more'];
      const script = 'cd $F/store; cat bundle made/for/*; stat -c "%a %n" made/for made/for/it';
      const { text } = await inJail(folder.path, { covers }, script, late(...names));
      assert.equal(text, 'bundle\nmade/for/it\nmade/for/more\n755 made/for\n644 made/for/it\n');
    } finally {
      process.umask(umask);
    }
    // Of no folder but its own.
    for (const name of ['made/it', '../said/it', 'made/for/../../it']) {
      const { text } = await inJail(folder.path, { covers }, 'echo started', late(name));
      assert.equal(text, '', name);
    }
    assert.deepEqual(readdirSync(folder.path).sort(), ['said', 'store']);
    assert.deepEqual(readdirSync(store), ['bundle']);
    assert.equal(readFileSync(join(store, 'bundle'), 'utf8'), 'outside\n');
  },
);

test('a folder is empty, takes what the command writes, and loses it', { skip }, async () => {
  await using folder = await temporaryDirectory();
  const path = join(folder.path, 'keys');
  mkdirSync(path, { mode: 0o700 });
  writeFileSync(join(path, 'secret'), 'secret\n');
  const covers = [{ path, isWritable: true }];
  const { text } = await inJail(
    folder.path,
    { covers },
    'ls -A $F/keys; echo own > $F/keys/own; cat $F/keys/*; stat -c %a $F/keys',
  );
  assert.equal(text, 'own\n700\n');
  assert.deepEqual(readdirSync(path), ['secret']);
});

test(
  'links are followed, and neither unmounting nor names of other places lead to what is covered',
  { skip },
  async () => {
    await using folder = await temporaryDirectory();
    const kept = join(folder.path, 'kept');
    writeFileSync(kept, 'secret\n');
    const path = join(folder.path, 'link');
    symlinkSync('kept', path);
    const covers = [{ path, content: base64('nothing\n') }];
    const { text } = await inJail(
      folder.path,
      { covers },
      `cat $F/link $F/kept; umount $F/kept; umount -l $F/link; mv $F/kept $F/moved; rm -f $F/kept; ln $F/kept $F/said/hard
     for root in /proc/[0-9]*/root; do cat $root$F/kept; done; unshare -Urm umount $F/kept; cat $F/kept`,
    );
    assert.doesNotMatch(text, /^secret$/m);
    assert.match(text, /^nothing\nnothing\n/);
    assert.match(text, /nothing\n$/);
    assert.ok(!existsSync(join(folder.path, 'said/hard')));
  },
);

test(
  'what another mount shows is covered there too',
  { skip: skip !== false ? skip : process.geteuid?.() === 0 ? false : 'a mount outside needs root' },
  async () => {
    await using folder = await temporaryDirectory();
    const [home, again] = [join(folder.path, 'home'), join(folder.path, 'again')];
    for (const path of [join(home, 'keys/deep'), again, join(folder.path, 'part')])
      mkdirSync(path, { recursive: true });
    writeFileSync(join(home, 'keys/deep/secret'), 'secret\n');
    writeFileSync(join(home, 'token'), 'secret\n');
    execFileSync('mount', ['--bind', home, again]);
    try {
      execFileSync('mount', ['--bind', join(home, 'keys/deep'), join(folder.path, 'part')]);
      const covers = [
        { path: join(home, 'keys') },
        { path: join(home, 'token'), content: base64('nothing\n') },
      ];
      const script = 'cat $F/*/token; find $F -name secret';
      const { text, covered } = await inJail(folder.path, { covers }, script);
      assert.equal(text, 'nothing\nnothing\n');
      // What is known late is there by both ways as well.
      const late = [{ path: join(home, 'token'), content: base64('late, and longer\n') }];
      const { text: later } = await inJail(folder.path, { covers }, script, late);
      assert.equal(later, 'late, and longer\nlate, and longer\n');
      assert.deepEqual(covered, [join(home, 'keys'), join(home, 'token')]);
    } finally {
      execFileSync('umount', [again]);
      execFileSync('umount', [join(folder.path, 'part')]);
    }
  },
);
