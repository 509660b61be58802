import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { agentResolvConf } from '../../../src/agent/placements/resolv-conf.ts';
import { type Leftovers, removeLeftovers as remove } from '../../../src/agent/placements/leftovers.ts';
import { Placements } from '../../../src/agent/placements/placements.ts';
import { javaKeyStore, javaTrustEntry } from '../../../src/pki/java-key-store.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

async function withHome(use: (home: string, state: string) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (folder) => {
    const home = join(folder, 'home');
    mkdirSync(home);
    await use(home, join(folder, 'state'));
  });
}

/** Every path below a folder with the content of files. */
function contents(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    names.map((name) => {
      const path = join(folder, name);
      return [name, lstatSync(path).isFile() ? readFileSync(path, 'latin1') : '(no file)'];
    }),
  );
}

const abandoned: Placements[] = [];
after(async () => {
  for (const placements of abandoned) await placements[Symbol.asyncDispose]();
});

/** Placements of a process that will be killed. */
async function openAbandoned(state: string): Promise<Placements> {
  const placements = await Placements.open(state);
  // Its lock is held until it is collected.
  abandoned.push(placements);
  return placements;
}

/** As if the process that wrote the manifests had been killed: nobody has their locks. */
function orphan(state: string): void {
  for (const name of readdirSync(state)) {
    copyFileSync(join(state, name), join(state, 'copy'));
    renameSync(join(state, 'copy'), join(state, name));
  }
}

/** What a manifest may name is tested with known-places.ts. */
const removeLeftovers = (state: string): Promise<Leftovers> =>
  remove(state, { isKnown: async () => true, bearsOurMark: async () => true });

test('what was placed is taken away with the folders that were made for it, and nothing else', async () => {
  await withHome(async (home, state) => {
    writeFileSync(join(home, 'own'), 'own');
    const before = contents(home);
    {
      await using placements = await Placements.open(state);
      assert.equal(await placements.placeFile(join(home, '.a/b/config'), 'text', 0o644), true);
      assert.equal(await placements.placeFile(join(home, '.ssh/config'), 'text', 0o600), true);
      assert.equal(statSync(join(home, '.ssh/config')).mode & 0o777, 0o600);
      assert.equal(statSync(join(home, '.ssh')).mode & 0o777, 0o700);
      assert.equal(readFileSync(join(home, '.a/b/config'), 'utf8'), 'text');
      assert.deepEqual(Object.keys(contents(home)), [
        '.a',
        '.a/b',
        '.a/b/config',
        '.ssh',
        '.ssh/config',
        'own',
      ]);
    }
    assert.deepEqual(contents(home), before);
    assert.equal(existsSync(state), false);
  });
});

test('the last session takes the folder of the manifests away, whichever made it', async () => {
  await withHome(async (home, folder) => {
    const state = join(folder, 'deep', 'placed');
    const first = await Placements.open(state);
    await first.placeFile(join(home, 'first'), '1', 0o600);
    const second = await Placements.open(state);
    // It has no manifest yet, and what the first one takes away with it comes again.
    await first[Symbol.asyncDispose]();
    await second.placeFile(join(home, 'second'), '2', 0o600);
    const third = await Placements.open(state);
    await third.placeFile(join(home, 'third'), '3', 0o600);
    await second[Symbol.asyncDispose]();
    assert.equal(readdirSync(state).length, 1);
    await third[Symbol.asyncDispose]();
    assert.equal(existsSync(folder), false);
  });
});

test('what a killed session made for its manifest goes with it; a folder that was there, or is used, stays', async () => {
  await withHome(async (home, folder) => {
    mkdirSync(folder);
    const state = join(folder, 'deep', 'placed');
    const killed = await openAbandoned(state);
    await killed.placeFile(join(home, 'file'), 'text', 0o600);
    orphan(state);
    await removeLeftovers(state);
    assert.deepEqual(readdirSync(folder), []);
    const other = await openAbandoned(state);
    await other.placeFile(join(home, 'file'), 'text', 0o600);
    orphan(state);
    writeFileSync(join(folder, 'deep', 'own'), '');
    await removeLeftovers(state);
    assert.deepEqual(readdirSync(join(folder, 'deep')), ['own']);
  });
});

test('a manifest that claims folders elsewhere takes none of them', async () => {
  await withHome(async (home, state) => {
    const forged = await openAbandoned(state);
    await forged.placeFile(join(home, 'file'), 'text', 0o600);
    orphan(state);
    const [name = ''] = readdirSync(state);
    const manifest = JSON.parse(readFileSync(join(state, name), 'utf8')) as { placements: unknown[] };
    mkdirSync(join(home, 'empty'));
    manifest.placements.unshift({ kind: 'folder', path: join(home, 'empty') });
    writeFileSync(join(state, name), JSON.stringify(manifest));
    const { kept } = await remove(state, { isKnown: async () => false, bearsOurMark: async () => true });
    assert.ok(
      kept.some((line) => line.startsWith(join(home, 'empty'))),
      kept.join(),
    );
    assert.ok(existsSync(join(home, 'empty')));
  });
});

test('what is there already stays, links too', async () => {
  await withHome(async (home, state) => {
    writeFileSync(join(home, 'file'), 'own');
    symlinkSync('/nonexistent', join(home, 'link'));
    {
      await using placements = await Placements.open(state);
      assert.equal(await placements.placeFile(join(home, 'file'), 'ours', 0o644), false);
      assert.equal(await placements.placeFile(join(home, 'link'), 'ours', 0o644), false);
    }
    assert.equal(readFileSync(join(home, 'file'), 'utf8'), 'own');
    assert.ok(lstatSync(join(home, 'link')).isSymbolicLink());
  });
});

test('what somebody has changed since stays, and so does a folder that somebody uses', async () => {
  await withHome(async (home, state) => {
    {
      await using placements = await Placements.open(state);
      await placements.placeFile(join(home, '.x/config'), 'ours', 0o644);
      await placements.placeFile(join(home, '.y/config'), 'ours', 0o644);
      writeFileSync(join(home, '.x/config'), 'ours, and more of the user');
      writeFileSync(join(home, '.y/other'), 'of the user');
    }
    assert.deepEqual(contents(home), {
      '.x': '(no file)',
      '.x/config': 'ours, and more of the user',
      '.y': '(no file)',
      '.y/other': 'of the user',
    });
  });
});

test('a link of the user in the place of a file stays, though it leads to the same text', async () => {
  await withHome(async (home, state) => {
    const path = join(home, 'config');
    {
      await using placements = await Placements.open(state);
      await placements.placeFile(path, 'ours', 0o644);
      renameSync(path, join(home, 'moved'));
      symlinkSync('moved', path);
    }
    assert.ok(lstatSync(path).isSymbolicLink());
    assert.equal(readFileSync(path, 'utf8'), 'ours');
  });
});

test('of two sessions that place the same file at once one does, and it goes with that one', async () => {
  await withHome(async (home, state) => {
    const path = join(home, 'config');
    const both = [await Placements.open(state), await Placements.open(state)] as const;
    const placed = await Promise.all(both.map((one) => one.placeFile(path, 'ours', 0o644)));
    assert.deepEqual(placed.toSorted(), [false, true]);
    const [winner, loser] = placed[0] === true ? both : both.toReversed();
    await loser?.[Symbol.asyncDispose]();
    assert.equal(readFileSync(path, 'utf8'), 'ours');
    await winner?.[Symbol.asyncDispose]();
    assert.deepEqual(readdirSync(home), []);
  });
});

for (const text of [
  'null',
  '{"version":1}',
  '{"version":1,"owner":{},"placements":[null]}',
  '[',
  '{"version":2}',
]) {
  test(`a manifest that is ${text} tells nothing and stops nobody`, async () => {
    await withHome(async (home, state) => {
      await (await openAbandoned(state)).placeFile(join(home, 'left'), 'text', 0o644);
      orphan(state);
      writeFileSync(join(state, 'placed-0000000000000000.json'), text);
      assert.deepEqual(await removeLeftovers(state), { sessions: 1, kept: [] });
      assert.equal(existsSync(join(home, 'left')), false);
    });
  });
}

test('a manifest that is a link tells nothing', async () => {
  await withHome(async (home, state) => {
    const placements = await openAbandoned(state);
    await placements.placeFile(join(home, 'config'), 'ours', 0o644);
    orphan(state);
    const [name = ''] = readdirSync(state);
    renameSync(join(state, name), join(home, 'manifest'));
    symlinkSync(join(home, 'manifest'), join(state, name));
    assert.deepEqual(await removeLeftovers(state), { sessions: 0, kept: [] });
    assert.equal(existsSync(join(home, 'config')), true);
  });
});

test(
  'a manifest of another user tells nothing',
  { skip: process.geteuid?.() === 0 ? false : 'needs root, to have a file of another user' },
  async () => {
    await withHome(async (home, state) => {
      const placements = await openAbandoned(state);
      await placements.placeFile(join(home, 'config'), 'ours', 0o644);
      orphan(state);
      for (const name of readdirSync(state)) chownSync(join(state, name), 65_534, 65_534);
      assert.deepEqual(await removeLeftovers(state), { sessions: 0, kept: [] });
      assert.equal(existsSync(join(home, 'config')), true);
    });
  },
);

test('of a process that was killed, another takes it away; of one that runs, nobody', async () => {
  await withHome(async (home, state) => {
    const placements = await openAbandoned(state);
    await placements.placeFile(join(home, '.a/config'), 'ours', 0o644);
    await placements.placeFile(join(home, '.b/config'), 'ours', 0o644);
    assert.deepEqual(await removeLeftovers(state), { sessions: 0, kept: [] });
    assert.equal(existsSync(join(home, '.a/config')), true);
    writeFileSync(join(home, '.b/config'), 'changed');
    orphan(state);
    assert.deepEqual(await removeLeftovers(state), {
      sessions: 1,
      kept: [`${join(home, '.b/config')} (changed since)`],
    });
    assert.deepEqual(Object.keys(contents(home)), ['.b', '.b/config']);
    assert.equal(existsSync(state), false);
    assert.deepEqual(await removeLeftovers(join(home, 'missing')), { sessions: 0, kept: [] });
  });
});

test('a crash between the manifest and the file leaves a file of the user alone', async () => {
  await withHome(async (home, state) => {
    const placements = await openAbandoned(state);
    await placements.placeFile(join(home, 'config'), 'ours', 0o644);
    // As if it had been the user who placed something there, after the manifest was written.
    writeFileSync(join(home, 'config'), 'of the user');
    orphan(state);
    await removeLeftovers(state);
    assert.equal(readFileSync(join(home, 'config'), 'utf8'), 'of the user');
  });
});

test('text behind a file of the system is cut off again byte for byte, beside that of another session', async () => {
  await withHome(async (home, state) => {
    const bundle = join(home, 'bundle.pem');
    for (const original of ['roots', 'roots\n', '']) {
      writeFileSync(bundle, original);
      chmodSync(bundle, 0o640);
      {
        await using first = await Placements.open(state);
        await first.appendText(bundle, 'first\n');
        await using second = await Placements.open(state);
        await second.appendText(bundle, 'second\n');
        await first[Symbol.asyncDispose]();
        assert.match(readFileSync(bundle, 'utf8'), /^(roots)?\n{1,2}second\n$/);
      }
      assert.equal(readFileSync(bundle, 'utf8'), original);
      assert.equal(statSync(bundle).mode & 0o777, 0o640);
    }
  });
});

test('text that was in a file of the system before is not the one that is cut off', async () => {
  await withHome(async (home, state) => {
    const bundle = join(home, 'bundle.pem');
    writeFileSync(bundle, 'roots\nours\nmore\n');
    {
      await using placements = await Placements.open(state);
      await placements.appendText(bundle, 'ours\n');
    }
    assert.equal(readFileSync(bundle, 'utf8'), 'roots\nours\nmore\n');
  });
});

test('a bundle that the system made anew meanwhile stays as it is', async () => {
  await withHome(async (home, state) => {
    const bundle = join(home, 'bundle.pem');
    writeFileSync(bundle, 'roots\n');
    {
      await using placements = await Placements.open(state);
      await placements.appendText(bundle, 'ours\n');
      writeFileSync(bundle, 'new roots\n');
    }
    assert.equal(readFileSync(bundle, 'utf8'), 'new roots\n');
  });
});

test('what cannot be taken away stays in the manifest, and goes when it can', async () => {
  await withHome(async (home, state) => {
    const bundle = join(home, 'bundle.pem');
    writeFileSync(bundle, 'roots\n');
    {
      await using placements = await Placements.open(state);
      await placements.appendText(bundle, 'ours\n');
      await placements.placeFile(join(home, 'config'), 'ours', 0o644);
      // Neither can be read nor replaced, whoever this is.
      renameSync(bundle, join(home, 'aside'));
      mkdirSync(bundle);
    }
    assert.equal(existsSync(join(home, 'config')), false);
    writeFileSync(join(home, 'config'), 'ours');
    orphan(state);
    assert.match((await removeLeftovers(state)).kept.join(), /bundle\.pem \(/);
    rmdirSync(bundle);
    renameSync(join(home, 'aside'), bundle);
    assert.deepEqual(await removeLeftovers(state), { sessions: 1, kept: [] });
    assert.equal(readFileSync(bundle, 'utf8'), 'roots\n');
    // It was taken away before: what is there is of somebody else.
    assert.equal(existsSync(join(home, 'config')), true);
    assert.equal(existsSync(state), false);
  });
});

test('an entry of a Java key store goes again byte for byte; another form is left alone', async () => {
  await withHome(async (home, state) => {
    const path = join(home, 'cacerts');
    const certificates = [Buffer.from('one'), Buffer.from('two')];
    const original = javaKeyStore(certificates, 'changeit', 5);
    writeFileSync(path, original);
    {
      await using placements = await Placements.open(state);
      const entry = javaTrustEntry(Buffer.from('ours'), 'ours', 0);
      assert.equal(await placements.addJavaEntry(path, entry), true);
      assert.equal(readFileSync(path).readUInt32BE(8), 3);
      for (const other of [
        javaKeyStore(certificates, 'another', 5),
        Buffer.from('PKCS 12'),
        Buffer.alloc(0),
      ]) {
        writeFileSync(join(home, 'other'), other);
        assert.equal(await placements.addJavaEntry(join(home, 'other'), entry), false);
        assert.deepEqual(readFileSync(join(home, 'other')), Buffer.from(other));
      }
    }
    assert.deepEqual(readFileSync(path), Buffer.from(original));
  });
});

const leading = (text: string): string => agentResolvConf(text, '127.64.0.1', 'mark');

test('resolv.conf is put back byte for byte, in place', async () => {
  await withHome(async (home, state) => {
    const path = join(home, 'resolv.conf');
    const original = Buffer.from('# \xe9\nnameserver 192.0.2.1', 'latin1');
    writeFileSync(path, original, { mode: 0o640 });
    const { ino } = statSync(path);
    {
      await using placements = await Placements.open(state);
      assert.equal(await placements.changeResolvConf(path, leading), true);
      assert.equal(readFileSync(path, 'latin1'), leading(original.toString('latin1')));
      assert.deepEqual(await placements.takeAway(), []);
      assert.deepEqual(await placements.takeAway(), []);
    }
    assert.deepEqual(readFileSync(path), original);
    assert.equal(statSync(path).ino, ino);
    assert.equal(statSync(path).mode & 0o777, 0o640);
    assert.equal(existsSync(state), false);
  });
});

const found = [
  ['as it was, for the write was never made', 'original', true],
  ['put back in part', 'original\n\n\n', true],
  ['of somebody else', 'foreign', false],
  ['ours with more of somebody else', `${leading('original')}more`, false],
  ['of another session', agentResolvConf('original', '127.64.0.1', 'other'), false],
  ['emptied', '', false],
] as const;
for (const [name, text, isPutBack] of found) {
  test(`a resolv.conf that is ${name} is ${isPutBack ? 'put back' : 'left alone'} after a kill`, async () => {
    await withHome(async (home, state) => {
      const path = join(home, 'resolv.conf');
      writeFileSync(path, 'original');
      const placements = await openAbandoned(state);
      await placements.changeResolvConf(path, leading);
      writeFileSync(path, text);
      orphan(state);
      const kept = isPutBack ? [] : [`${path} (changed since)`];
      assert.deepEqual(await removeLeftovers(state), { sessions: 1, kept });
      assert.equal(readFileSync(path, 'utf8'), isPutBack ? 'original' : text);
      assert.equal(existsSync(state), false);
    });
  });
}

test('a link in the place of resolv.conf stays, and what it leads to', async () => {
  await withHome(async (home, state) => {
    const path = join(home, 'resolv.conf');
    writeFileSync(path, 'original');
    {
      await using placements = await Placements.open(state);
      await placements.changeResolvConf(path, leading);
      renameSync(path, join(home, 'moved'));
      symlinkSync('moved', path);
      assert.deepEqual(await placements.takeAway(), [`${path} (changed since)`]);
    }
    assert.equal(readFileSync(join(home, 'moved'), 'utf8'), leading('original'));
  });
});
