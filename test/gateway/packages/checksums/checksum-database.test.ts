// What a checksum database promises of modules: found by few questions, and not to be changed by whoever passes it on.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import {
  AlteredSums,
  ChecksumDatabase,
  type LookedUp,
  publicDatabaseKey,
  type ReadDatabase,
} from '../../../../src/gateway/packages/checksums/checksum-database.ts';
import type { TreeHeadStore } from '../../../../src/store/tree-head-store.ts';
import { tilePath } from '../../../../src/gateway/packages/checksums/hash-tiles.ts';
import { noteKey } from '../../../../src/gateway/packages/checksums/signed-note.ts';
import { memoryTreeHeads } from '../../../support/memory-tree-heads.ts';
import { ChecksumTree, databaseKey, h1Of, signedNote } from '../../../support/checksum-tree.ts';
import { seededBelow } from '../../../support/seeded.ts';

const key = databaseKey();
const module = { name: 'example.test/Mod', version: 'v1.2.3' };
const what = `${module.name}@${module.version}`;
const zip = h1Of({ a: 'a' });
const mod = h1Of({ 'go.mod': 'module example.test/Mod\n' });
const dashed = (hash: string): string => hash.replace('h1:', 'h1-');
const expected = new Map([
  ['example.test/Mod v1.2.3', dashed(zip)],
  ['example.test/Mod v1.2.3/go.mod', dashed(mod)],
]);

const open = (
  verifier = key.verifier,
  clock = () => 0,
  heads: TreeHeadStore = memoryTreeHeads(),
): ChecksumDatabase =>
  new ChecksumDatabase({ key: noteKey(verifier)!, heads, limits: { publishTimesAgainMs: 1000 }, clock });

/** So many records with the module among them. */
const treeOf = (before: number, size: number, by = key): ChecksumTree =>
  new ChecksumTree(by).fill(before).add(module.name, module.version, zip, mod).fill(size);

type Change = (path: string, said: Buffer | undefined) => Buffer | undefined | 'away';

/** What the tree serves, but for what is changed. */
function reading(
  tree: Pick<ChecksumTree, 'at'>,
  change: Change = (_, said) => said,
): { readonly read: ReadDatabase; readonly asked: string[] } {
  const asked: string[] = [];
  const read: ReadDatabase = (path) => {
    asked.push(path);
    const own = tree.at(path);
    const said = change(path, own === undefined ? undefined : Buffer.from(own));
    if (said === 'away') return Promise.resolve(undefined);
    return Promise.resolve({ status: said === undefined ? 404 : 200, octets: said ?? Buffer.alloc(0) });
  };
  return { read, asked };
}

const lookUp = (database: ChecksumDatabase, read: ReadDatabase): Promise<LookedUp> =>
  database.lookUp(module, 'a proxy', read);

test('the key of the public database is one, and a key that was changed is none', () => {
  assert.equal(noteKey(publicDatabaseKey)?.name, 'sum.golang.org');
  assert.equal(noteKey(key.verifier)?.name, 'sum.test');
  for (const wrong of ['', 'sum.test', key.verifier.replace('sum.test', 'sum.best'), `${key.verifier}=`])
    assert.equal(noteKey(wrong), undefined, wrong);
});

test('a tile is asked for by the path that databases have it at', () => {
  assert.equal(tilePath({ level: 0, index: 1234067, width: 256 }), '/tile/8/0/x001/x234/067');
  assert.equal(tilePath({ level: 1, index: 0, width: 5 }), '/tile/8/1/000.p/5');
});

/** As if it had no more than so many records yet. */
function reduced(tree: ChecksumTree, size: number): ReturnType<typeof reading> {
  return reading(tree, (path, said) => {
    const lookup = /^\/lookup\/(.+)$/.exec(path)?.[1];
    return lookup === undefined ? said : Buffer.from(tree.lookup(lookup, size) ?? '');
  });
}

test('what is promised of a module is found in trees of any size, and then known', async () => {
  const random = seededBelow(3);
  const large = new ChecksumTree(key).fill(66_000);
  const ends = [1, 2, 3, 255, 256, 257, 511, 512, 513, 65_536, 66_000].map((size) => [size - 1, size]);
  const others = Array.from({ length: 20 }, () => {
    const size = 1 + random(66_000);
    return [random(size), size];
  });
  for (const [index = 0, size = 0] of [...ends, ...others]) {
    const database = open();
    const { read, asked } = reduced(large, size);
    const one = { name: `filler.test/m${String(index)}`, version: 'v1.0.0' };
    const sums = await database.lookUp(one, 'a proxy', read);
    assert.ok(sums instanceof Map && sums.size === 2, `${String(index)} of ${String(size)}`);
    assert.ok(large.record(index).includes(sums.get(`${one.name} v1.0.0`).slice(3)));
    assert.ok(asked.length <= 7, asked.join(' '));
    const count = asked.length;
    assert.equal(await database.lookUp(one, 'a proxy', read), sums);
    assert.equal(database.known(one), sums);
    assert.equal(asked.length, count);
  }
  const { read, asked } = reading(treeOf(3, 9));
  assert.deepEqual(await lookUp(open(), read), expected);
  assert.equal(asked[0], '/lookup/example.test/!mod@v1.2.3');
});

test('tiles that are known are not asked for again, and one that was filled meanwhile is taken whole', async () => {
  const tree = treeOf(300, 600);
  const database = open();
  const first = reading(tree);
  await lookUp(database, first.read);
  assert.ok(first.asked.length > 2);
  const next = reading(tree);
  const other = { name: 'filler.test/m299', version: 'v1.0.0' };
  assert.notEqual(await database.lookUp(other, 'a proxy', next.read), 'unsaid');
  assert.deepEqual(next.asked, ['/lookup/filler.test/m299@v1.0.0']);
  // The head is an old one: of that tree the last tile was a part.
  const lookup = tree.lookup(what)!;
  tree.fill(1000);
  const old = reading(tree, (path, said) => {
    if (path.startsWith('/lookup/')) return Buffer.from(lookup);
    return path.startsWith('/tile/8/0/') && path.includes('.p/') ? undefined : said;
  });
  assert.deepEqual(await lookUp(open(), old.read), expected);
});

test('those who ask for one module at once are told by one question, and one that fails keeps no other from asking', async () => {
  const tree = treeOf(3, 9);
  const { read, asked } = reading(tree);
  const database = open();
  const all = await Promise.all(Array.from({ length: 10 }, () => lookUp(database, read)));
  assert.ok(all.every((one) => one instanceof Map));
  assert.equal(asked.filter((path) => path.startsWith('/lookup/')).length, 1);
  const fresh = open();
  const [failed, told] = await Promise.allSettled([
    lookUp(fresh, () => Promise.reject(new Error('away'))),
    lookUp(fresh, read),
  ]);
  assert.deepEqual([failed.status, told.status], ['rejected', 'fulfilled']);
});

test('a module that the database does not have is asked for again after a while', async () => {
  let now = 0;
  const database = open(key.verifier, () => now);
  const { read, asked } = reading(new ChecksumTree(key).fill(10));
  assert.equal(await lookUp(database, read), 'absent');
  now = 999;
  assert.equal(await lookUp(database, read), 'absent');
  assert.equal(asked.length, 1);
  // By another registry it is asked for at once.
  assert.equal(await database.lookUp(module, 'another proxy', read), 'absent');
  assert.equal(asked.length, 2);
  now = 1000;
  assert.deepEqual(await lookUp(database, reading(treeOf(5, 10)).read), expected);
});

const ofLookup =
  (to: (said: string) => string): Change =>
  (path, said) =>
    path.startsWith('/lookup/') ? Buffer.from(to(said!.toString())) : said;
const ofTiles =
  (to: (said: Buffer) => Buffer | undefined | 'away'): Change =>
  (path, said) =>
    path.startsWith('/tile/') && said !== undefined ? to(said) : said;

const tree = treeOf(400, 700);
const forged = treeOf(400, 700, databaseKey());
const evil = h1Of({ a: 'evil' });

test('what is not what was signed is told as altered, and what nobody said as that', async () => {
  const head = tree.head();
  const rows: Readonly<Record<string, readonly [change: Change, outcome: RegExp | 'unsaid']>> = {
    'another hash': [ofLookup((said) => said.replace(zip, evil)), /is not in the tree that was signed/],
    'another number': [ofLookup((said) => said.replace(/^400/, '401')), /is not in the tree that was signed/],
    'a number behind the tree': [ofLookup((said) => said.replace(/^400/, '700')), /is in no tree/],
    'the record of another module': [
      ofLookup(() => tree.lookup('filler.test/m3@v1.0.0')!),
      /is about another module/,
    ],
    'signed by another key of the name': [ofLookup(() => forged.lookup(what)!), /is not signed by sum\.test/],
    'not signed': [ofLookup((said) => said.replace(/\n\u2014 .*\n$/, '\n')), /is not signed by sum\.test/],
    'another head under the signature': [
      ofLookup((said) => said.replace('\n700\n', '\n699\n')),
      /is not signed by/,
    ],
    'a text that is no head, and is signed': [
      ofLookup((said) => said.replace(head, signedNote('something else\n', key))),
      /is not signed by/,
    ],
    'a signature that does not hold beside one that does': [
      ofLookup(
        (said) =>
          `${said}${forged
            .head()
            .split('\n')
            .at(-2)!
            .replace(/ \S+$/, ` ${key.hash.toString('base64')}`)}\n`,
      ),
      /^/,
    ],
    'another tile': [ofTiles((said) => Buffer.from(said.map((octet) => octet ^ 1))), /is not in the tree/],
    'a tile that is cut': [ofTiles((said) => said.subarray(1)), 'unsaid'],
    'a tile that is longer': [ofTiles((said) => Buffer.concat([said, said])), 'unsaid'],
    'no tiles': [ofTiles(() => undefined), 'unsaid'],
    'tiles that do not come': [ofTiles(() => 'away'), 'unsaid'],
    nothing: [() => 'away', 'unsaid'],
    'a page': [() => Buffer.from('<html>Sign in</html>'), 'unsaid'],
  };
  for (const [name, [change, outcome]] of Object.entries(rows)) {
    const database = open();
    const { read } = reading(tree, change);
    if (outcome === 'unsaid') assert.equal(await lookUp(database, read), 'unsaid', name);
    else
      await assert.rejects(
        lookUp(database, read),
        (error: Error) => {
          // A second line of this key is either a signature or not one.
          assert.ok(error instanceof AlteredSums, name);
          return outcome.test(error.message);
        },
        name,
      );
    // What did not hold is not remembered: the true ones come.
    assert.equal(database.known(module), undefined, name);
    assert.deepEqual(await lookUp(database, reading(tree).read), expected, name);
  }
});

test('signatures of others beside the own say nothing', async () => {
  const other = signedNote('x\n', databaseKey('other.test')).split('\n').at(-2)!;
  const { read } = reading(
    tree,
    ofLookup((said) => `${said}${other}\n`),
  );
  assert.deepEqual(await lookUp(open(), read), expected);
});

test('a database that signs two trees is found out, whichever of them is older, and by whichever registry each came', async () => {
  const sizes = [
    [600, 700],
    [700, 600],
    [700, 700],
    [512, 600],
    [401, 700],
  ] as const;
  for (const [one, other] of sizes) {
    const database = open();
    const first = treeOf(400, one);
    await database.lookUp({ name: 'filler.test/m5', version: 'v1.0.0' }, 'a proxy', reading(first).read);
    const fork = new ChecksumTree(key).fill(399).add('x.test/x', 'v1.0.0', zip, mod);
    fork.add(module.name, module.version, evil, mod).fill(other);
    await assert.rejects(
      database.lookUp(module, 'another proxy', reading(fork).read),
      /is in another tree than was signed before/,
      `${String(one)} then ${String(other)}`,
    );
    assert.equal(database.known(module), undefined);
    assert.deepEqual(await lookUp(database, reading(first).read), expected);
  }
});

test('an older head of the same tree holds, and the newest stays the one to compare with', async () => {
  const own = treeOf(400, 700);
  const database = open();
  const first = { name: 'filler.test/m5', version: 'v1.0.0' };
  await database.lookUp(first, 'a proxy', reading(own).read);
  const older = reading(own, (path, said) =>
    path.startsWith('/lookup/') ? Buffer.from(own.lookup(what, 450)!) : said,
  );
  assert.deepEqual(await lookUp(database, older.read), expected);
  const fork = new ChecksumTree(key).fill(450).add('x.test/x', 'v1.0.0', evil, mod).fill(700);
  const asked = { name: 'x.test/x', version: 'v1.0.0' };
  await assert.rejects(database.lookUp(asked, 'a proxy', reading(fork).read), AlteredSums);
});

test('trees that come at once have to be one', async () => {
  const database = open();
  const fork = new ChecksumTree(key).fill(3).add('x.test/x', 'v1.0.0', evil, mod).fill(700);
  const outcomes = await Promise.allSettled([
    lookUp(database, reading(treeOf(2, 600)).read),
    database.lookUp({ name: 'x.test/x', version: 'v1.0.0' }, 'a proxy', reading(fork).read),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
});

/** The module by a head of so many records. */
const olderThan = (tree: ChecksumTree, size: number): ReadDatabase =>
  reading(tree, (path, said) =>
    path.startsWith('/lookup/') ? Buffer.from(tree.lookup(what, size) ?? '') : said,
  ).read;

test('a database that was seen before a restart, or by another gateway, has to be one with that', async () => {
  const heads = memoryTreeHeads();
  const [tree, large] = [treeOf(5, 300), treeOf(5, 700)];
  assert.deepEqual(
    await lookUp(
      open(key.verifier, () => 0, heads),
      reading(large).read,
    ),
    expected,
  );
  const stored = [...heads.rows.values()];
  assert.equal(stored.length, 1);
  // An older head of the same tree holds, and stays behind.
  assert.deepEqual(
    await lookUp(
      open(key.verifier, () => 0, heads),
      olderThan(large, 300),
    ),
    expected,
  );
  assert.deepEqual([...heads.rows.values()], stored);
  // One that goes back: it has nothing newer to show.
  const back = reading(tree, (path, said) =>
    path.startsWith('/tile/') && said === undefined ? 'away' : said,
  );
  assert.equal(
    await lookUp(
      open(key.verifier, () => 0, heads),
      back.read,
    ),
    'unsaid',
  );
  // The same number of records, and others.
  const forked = treeOf(6, 700);
  await assert.rejects(
    lookUp(
      open(key.verifier, () => 0, heads),
      reading(forked).read,
    ),
    AlteredSums,
  );
  assert.deepEqual([...heads.rows.values()], stored);
  // Of another key.
  const other = databaseKey();
  const theirs = reading(treeOf(6, 9, other)).read;
  assert.deepEqual(
    await lookUp(
      open(other.verifier, () => 0, heads),
      theirs,
    ),
    expected,
  );
});

test('gateways that go on at once by one store find out two trees, and one tree is none of that', async () => {
  const heads = memoryTreeHeads();
  const sizes = [20, 300, 299, 700, 7, 701];
  const tree = treeOf(5, 800);
  const gateways = [open(key.verifier, () => 0, heads), open(key.verifier, () => 0, heads)];
  const told = await Promise.all(
    sizes.map((size, i) => gateways[i % 2]!.lookUp(module, `proxy ${size}`, olderThan(tree, size))),
  );
  for (const one of told) assert.deepEqual(one, expected);
  const forked = reading(treeOf(6, 900)).read;
  const again = open(key.verifier, () => 0, heads);
  // Both begin with the same, and one is faster.
  const [one, two] = await Promise.allSettled([
    again.lookUp(module, 'a', reading(treeOf(5, 900)).read),
    open(key.verifier, () => 0, heads).lookUp(module, 'b', forked),
  ]);
  assert.deepEqual([one.status, two.status], ['fulfilled', 'rejected']);
});

test('without the store nothing is looked up; once it was read, a store that is away is told later', async () => {
  const heads = memoryTreeHeads();
  const [find, advance] = [heads.find, heads.advance];
  const away = (): Promise<never> => Promise.reject(new Error('away'));
  Object.assign(heads, { find: away, advance: away });
  const database = open(key.verifier, () => 0, heads);
  await assert.rejects(lookUp(database, reading(treeOf(5, 9)).read), /away/);
  Object.assign(heads, { find });
  assert.deepEqual(await lookUp(database, reading(treeOf(5, 9)).read), expected);
  assert.equal(heads.rows.size, 0);
  Object.assign(heads, { advance });
  const tree = new ChecksumTree(key)
    .fill(5)
    .add(module.name, module.version, zip, mod)
    .fill(9)
    .add('example.test/next', 'v1.0.0', zip, mod);
  await database.lookUp({ name: 'example.test/next', version: 'v1.0.0' }, 'a proxy', reading(tree).read);
  assert.equal(heads.rows.size, 1);
  // Somebody who writes to the database: what nobody signed says nothing.
  heads.rows.set(key.verifier, 'nonsense');
  assert.deepEqual(
    await lookUp(
      open(key.verifier, () => 0, heads),
      reading(tree).read,
    ),
    expected,
  );
  assert.match(heads.rows.get(key.verifier) ?? '', /^go.sum database tree/);
});

test('no change of an octet of what a registry passes on leads to another hash', async () => {
  const random = seededBelow(5);
  const small = treeOf(5, 40);
  const length = small.lookup(what)!.length;
  for (let at = 0; at < length + 3; at++) {
    const flip = 1 + random(255);
    const change = ofLookup((said) => {
      const octets = Buffer.from(said, 'utf8');
      if (at < octets.length) octets[at] = octets[at]! ^ flip;
      return octets.toString('latin1');
    });
    const asOctets: Change = (path, said) => {
      const told = change(path, said);
      return path.startsWith('/lookup/') ? Buffer.from(told!.toString(), 'latin1') : told;
    };
    try {
      const told = await lookUp(open(), reading(small, asOctets).read);
      if (told instanceof Map) assert.deepEqual(told, expected);
      else assert.equal(told, 'unsaid');
    } catch (error) {
      assert.ok(error instanceof AlteredSums, String(error));
    }
  }
});

test('a hash that no proof went by keeps nobody from the next one, whoever passed it on', async () => {
  const tree = treeOf(3, 600);
  // The entry of the way itself is in no proof of it.
  const spoilt: Readonly<Record<string, number>> = { '/tile/8/0/000': 3, '/tile/8/1/000.p/2': 0 };
  const bad = reading(tree, (path, said) => {
    const entry = spoilt[path];
    if (entry !== undefined) said?.fill(7, entry * 32, (entry + 1) * 32);
    return said;
  });
  const database = open();
  assert.deepEqual(await database.lookUp(module, 'a bad proxy', bad.read), expected);
  for (const index of [4, 300, 599]) {
    const one = { name: `filler.test/m${String(index)}`, version: 'v1.0.0' };
    const told = await database.lookUp(one, 'another proxy', reading(tree).read);
    assert.ok(told instanceof Map, String(index));
  }
  // Nor does the newest head by it, or what is altered pass.
  tree.fill(900);
  await assert.rejects(
    database.lookUp({ name: 'filler.test/m5', version: 'v1.0.0' }, 'a bad proxy', (path) =>
      reading(
        tree,
        ofTiles((said) => Buffer.from(said.map((octet) => octet ^ 1))),
      ).read(path),
    ),
    AlteredSums,
  );
  const last = { name: 'filler.test/m899', version: 'v1.0.0' };
  assert.ok((await database.lookUp(last, 'another proxy', reading(tree).read)) instanceof Map);
});
