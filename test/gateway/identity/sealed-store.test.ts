// The identity in the store, with both engines: who makes it, who reads it, and what an attacker who writes to the database can do to it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ownPlaces } from '../../../src/gateway/identity/identity-places.ts';
import { embeddedConfig } from '../../../src/gateway/config/config.ts';
import { IdentityMark } from '../../../src/gateway/identity/identity-mark.ts';
import { identityOfFiles } from '../../../src/gateway/identity/identity-of-files.ts';
import {
  type IdentityDocument,
  newIdentity,
  signingKeyOfDocument,
} from '../../../src/gateway/identity/identity-document.ts';
import { nextAuthority, nextSigningKey } from '../../../src/gateway/identity/identity-rotation.ts';
import {
  keyEncryptionKeyOf,
  type KeyEncryptionKey,
} from '../../../src/gateway/identity/key-encryption-key.ts';
import { claimIdentity, recordIdentity } from '../../../src/gateway/identity/recorded-identity.ts';
import { publicIdentityOfDocument } from '../../../src/gateway/identity/identity-document.ts';
import { SealedStore } from '../../../src/gateway/identity/sealed-store.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
const secrets: string[] = [];

function newKey(): KeyEncryptionKey {
  const text = randomBytes(32).toString('base64');
  secrets.push(text);
  const key = keyEncryptionKeyOf(text);
  assert.ok(key !== undefined);
  return key;
}

/** The error is one line of that code, and has nothing of a key. */
async function refused(work: Promise<unknown>, message: RegExp, code = 'identity_unusable'): Promise<void> {
  await assert.rejects(work, (error: Error & { readonly code?: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n|PRIVATE/);
    for (const secret of secrets) assert.ok(!error.message.includes(secret));
    return true;
  });
}

interface Scene {
  readonly store: Store;
  readonly folder: string;
  /** One gateway, with a state folder of that name. */
  gateway(name: string, ...keys: readonly KeyEncryptionKey[]): SealedStore;
  mark(name: string): IdentityMark;
  /** As somebody who writes to the database. */
  set(row: { readonly version: number; readonly sealed: string }): Promise<void>;
  read(): Promise<{ readonly version: number; readonly sealed: string }>;
}

const kid = (document: IdentityDocument): string => signingKeyOfDocument(document.signingKey).kid;

function suite(open: (stack: AsyncDisposableStack, folder: string) => Promise<Store>): void {
  const scene = async (stack: AsyncDisposableStack): Promise<Scene> => {
    const folder = stack.use(await temporaryDirectory()).path;
    const store = await open(stack, folder);
    const mark = (name: string): IdentityMark => new IdentityMark(join(folder, name));
    const read = async () => {
      const row = await store.identity.read();
      assert.ok(row !== undefined);
      return row;
    };
    return {
      store,
      folder,
      mark,
      read,
      gateway: (name, ...keys) =>
        new SealedStore({ store: store.identity, keys: async () => keys, mark: mark(name), clock: Date.now }),
      set: async (row) => {
        // The contract goes forward only, by one.
        const raw = store as unknown as {
          readonly forge: (row: { version: number; sealed: string }) => Promise<void>;
        };
        await raw.forge(row);
      },
    };
  };

  test('many that start at once on an empty store have the identity of one of them', async () => {
    await using stack = new AsyncDisposableStack();
    const { gateway, read } = await scene(stack);
    const key = newKey();
    const made = await Promise.all(Array.from({ length: 8 }, (_, n) => gateway(`g${n}`, key).make()));
    assert.deepEqual(made.filter(({ isNew }) => isNew).length, 1);
    assert.equal(new Set(made.map(({ document }) => kid(document))).size, 1);
    assert.equal((await read()).version, 1);
    const later = await gateway('later', key).make();
    assert.deepEqual([later.isNew, kid(later.document)], [false, kid(made[0]!.document)]);
  });

  test('nothing of a key or of the key-encryption key is in the row, and its length says nothing of a rotation', async () => {
    await using stack = new AsyncDisposableStack();
    const { gateway, read } = await scene(stack);
    const key = newKey();
    const { document } = await gateway('a', key).make();
    const { sealed } = await read();
    const { d } = document.signingKey.key.export({ format: 'jwk' });
    for (const secret of [
      d ?? '',
      Buffer.from(d ?? '', 'base64url').toString('base64'),
      ...secrets,
      'PRIVATE',
    ])
      assert.ok(secret !== '' && !sealed.includes(secret));
    const lengthOf = (text: string): number => (JSON.parse(text) as { readonly data: string }).data.length;
    await gateway('a', key).change(nextSigningKey(Date.now()));
    assert.equal(lengthOf((await read()).sealed), lengthOf(sealed));
  });

  test('who has no key, another key, or a store that is damaged gets one line, and no identity is made', async () => {
    await using stack = new AsyncDisposableStack();
    const { gateway, read, set } = await scene(stack);
    const key = newKey();
    await gateway('a', key).make();
    const good = await read();
    await refused(
      gateway('b', newKey()).make(),
      /sealed for key [0-9a-f]{16}, and .*is key [0-9a-f]{16}: give/,
    );
    const row = JSON.parse(good.sealed) as Record<string, unknown>;
    const flip = (text: string): string => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`;
    const wrapped = (row['keys'] as Record<string, string>[])[0]!;
    const damages: Record<string, unknown> = {
      truncated: good.sealed.slice(0, -200),
      'cut data': JSON.stringify({ ...row, data: String(row['data']).slice(0, -400) }),
      'no data': JSON.stringify({ ...row, data: '' }),
      'flipped data': JSON.stringify({ ...row, data: flip(String(row['data'])) }),
      'flipped nonce': JSON.stringify({ ...row, nonce: flip(String(row['nonce'])) }),
      'short nonce': JSON.stringify({ ...row, nonce: 'AAAA' }),
      'flipped key': JSON.stringify({ ...row, keys: [{ ...wrapped, data: flip(wrapped['data']!) }] }),
      'a name of a key that is more than one': JSON.stringify({ ...row, keys: [{ ...wrapped, id: 'a\nb' }] }),
      'other identity': JSON.stringify({ ...row, id: '0'.repeat(32) }),
      'other public keys': JSON.stringify({
        ...row,
        public: { signingKeys: ['x'], interception: [], server: [] },
      }),
      'further member': JSON.stringify({ ...row, more: true }),
      'no JSON': 'x',
      null: 'null',
      'too long': `${good.sealed}${' '.repeat(defaultLimits.sealedIdentityBytesMax)}`,
    };
    for (const [what, sealed] of Object.entries(damages)) {
      await set({ ...good, sealed: String(sealed) });
      await refused(gateway('c', key).make(), /^the identity in the store \(version 1\) is damaged/);
      const stored = String(sealed).slice(0, defaultLimits.sealedIdentityBytesMax + 1);
      assert.equal((await read()).sealed, stored, what);
    }
    await set({ ...good, sealed: JSON.stringify({ ...row, form: 2, kind: 'split' }) });
    await refused(
      gateway('c', key).make(),
      /is of form 2, which this program does not know: start the newer/,
    );
    await set(good);
    assert.equal((await gateway('c', key).make()).isNew, false);
  });

  test('parts of one version or identity do not open as another, and a version under another number is damaged', async () => {
    await using stack = new AsyncDisposableStack();
    const { gateway, read, set } = await scene(stack);
    const key = newKey();
    await gateway('a', key).make();
    const first = await read();
    await gateway('a', key).change(nextAuthority('interception', Date.now()));
    const second = await read();
    const [one, two] = [first, second].map(({ sealed }) => JSON.parse(sealed) as Record<string, unknown>) as [
      Record<string, unknown>,
      Record<string, unknown>,
    ];
    const swaps = [
      { ...two, keys: one['keys'] },
      { ...two, nonce: one['nonce'], data: one['data'] },
      { ...one, keys: two['keys'] },
      { ...one, public: two['public'] },
      one,
    ];
    for (const swap of swaps) {
      await set({ version: 2, sealed: JSON.stringify(swap) });
      await refused(gateway('b', key).make(), /\(version 2\) is damaged/);
    }
    for (const version of [1, 3, 1e9]) {
      await set({ version, sealed: second.sealed });
      await refused(gateway('b', key).make(), /is damaged/);
    }
  });

  test('a store that went back, was emptied or exchanged is refused by whoever has had more of it', async () => {
    await using stack = new AsyncDisposableStack();
    const { gateway, read, set, mark, store } = await scene(stack);
    const key = newKey();
    const { document } = await gateway('a', key).make();
    const first = await read();
    await gateway('a', key).change(nextSigningKey(Date.now()));
    await mark('a').write({ id: document.id, version: 2 });
    await set(first);
    await refused(gateway('a', key).make(), /is version 1, and this gateway has had version 2: restore/);
    await refused(gateway('a', key).change(nextSigningKey(Date.now())), /version 2/);
    // Who was never there cannot know.
    assert.equal(kid((await gateway('new', key).make()).document), kid(document));
    const other = newIdentity(Date.now());
    await (store as unknown as { readonly empty: () => Promise<void> }).empty();
    await refused(gateway('a', key).make(), /the store has no identity, and this gateway has had version 2/);
    assert.equal(await store.identity.read(), undefined);
    await gateway('b', key).make(other);
    await refused(gateway('a', key).make(), /another identity than the one/);
  });

  test('the key is changed while gateways of the old one and of the new one read on', async () => {
    await using stack = new AsyncDisposableStack();
    const { gateway, read, set } = await scene(stack);
    const [old, next] = [newKey(), newKey()];
    const { document } = await gateway('a', old).make();
    const before = await read();
    const both = [old.id, next.id].toSorted();
    const sealedFor = (one: { readonly keyIds: readonly string[] }): readonly string[] =>
      one.keyIds.toSorted();
    assert.deepEqual(sealedFor(await gateway('x', old, next).rewrap()), both);
    for (const keys of [[old], [next], [next, old]])
      assert.equal(kid((await gateway('b', ...keys).readOne()).document), kid(document));
    // A step of a rotation with one of them would lock out the gateways of the other.
    await refused(gateway('c', old).change(nextSigningKey(Date.now())), new RegExp(`for key ${next.id} too`));
    await gateway('c', next, old).change(nextSigningKey(Date.now()));
    assert.deepEqual(sealedFor(await gateway('d', old).readOne()), both);
    assert.deepEqual((await gateway('x', next).rewrap()).keyIds, [next.id]);
    await refused(gateway('e', old).make(), new RegExp(`sealed for key ${next.id}, and .*is key ${old.id}`));
    assert.equal(kid((await gateway('e', next).make()).document), kid(document));
    // What the old key opened stays a version of before.
    await set(before);
    await refused(gateway('f', next).make(), /sealed for key/);
  });

  test('two steps at once are both done', async () => {
    await using stack = new AsyncDisposableStack();
    const { gateway } = await scene(stack);
    const key = newKey();
    await gateway('a', key).make();
    const nowMs = Date.now();
    await Promise.all([
      gateway('a', key).change(nextSigningKey(nowMs)),
      gateway('b', key).change(nextAuthority('interception', nowMs)),
      gateway('c', key).change(nextAuthority('peers', nowMs)),
    ]);
    const { document, version } = await gateway('d', key).readOne();
    assert.equal(version, 4);
    assert.ok(document.signingKey.next !== undefined);
    assert.ok(
      document.authorities.interception.next !== undefined && document.authorities.peers.next !== undefined,
    );
    await refused(
      gateway('a', key).change(nextSigningKey(nowMs)),
      /there is a next key/,
      'signing_key_unusable',
    );
  });

  test('gateways whose keys are in files have the same ones, or all but the first are refused', async () => {
    await using stack = new AsyncDisposableStack();
    const { gateway, store } = await scene(stack);
    const [one, other] = [newIdentity(Date.now()), newIdentity(Date.now())];
    const publicOf = publicIdentityOfDocument;
    const outcomes = await Promise.allSettled(
      [one, other].map((each) => recordIdentity(store.identity, publicOf(each))),
    );
    assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
    const [first, second] = outcomes[0]?.status === 'fulfilled' ? [one, other] : [other, one];
    await refused(
      recordIdentity(store.identity, publicOf(second)),
      /this gateway has another signing key than the others on its store.*"identity".*"upstreamproxy identity claim"$/,
    );
    // A rotation has something in common with what was there, step by step.
    const next = nextSigningKey(Date.now())(first);
    await recordIdentity(store.identity, publicOf(next));
    await recordIdentity(store.identity, publicOf(first));
    // And one that was there a moment ago may have another one.
    await recordIdentity(store.identity, publicOf(second), publicOf(first));
    await refused(recordIdentity(store.identity, publicOf(first)), /another signing key/);
    await claimIdentity(store.identity, publicOf(first));
    await refused(recordIdentity(store.identity, publicOf(second)), /another signing key/);
    // With half of it the same it is another one all the same.
    const half = { ...second, signingKey: first.signingKey };
    await refused(recordIdentity(store.identity, publicOf(half)), /another authority/);
    // Nobody makes one in the store beside them.
    await refused(gateway('a', newKey()).make(), /have their identity in files.*identity import/);
    await refused(gateway('a', newKey()).take(second), /another signing key/);
    const key = newKey();
    await gateway('a', key).take(first);
    assert.equal(kid((await gateway('b', key).make()).document), kid(first));
    await refused(
      recordIdentity(store.identity, publicOf(first)),
      /have their keys in it: write identity: \{ store: true/,
    );
    await refused(gateway('a', key).take(first), /have their keys in it/);
  });

  test('the keys of a folder are given to the store as they are, unless something rotates there', async () => {
    await using stack = new AsyncDisposableStack();
    const { gateway, folder } = await scene(stack);
    const directory = join(folder, 'files');
    const places = ownPlaces(embeddedConfig(directory));
    const { kid: before } = await places.signingKey.open();
    const { certificatesPem } = await places.interception.open(Date.now());
    const document = await identityOfFiles(directory, Date.now());
    const key = newKey();
    await gateway('a', key).take(document);
    const found = (await gateway('b', key).readOne()).document;
    assert.equal(kid(found), before);
    assert.equal(found.authorities.interception.certificates.join(''), certificatesPem);
    await writeFile(
      join(directory, 'next-signing-key.pem'),
      await readFile(join(directory, 'signing-key.pem')),
    );
    await refused(identityOfFiles(directory, Date.now()), /next-signing-key.pem is there: end the rotation/);
  });
}

test('a key is 32 octets, and each form of one is the same key', () => {
  const octets = randomBytes(32);
  const forms = (['base64', 'base64url', 'hex'] as const).map((form) => octets.toString(form));
  const ids = forms.map((text) => keyEncryptionKeyOf(text)?.id);
  assert.equal(new Set(ids).size, 1);
  assert.match(ids[0] ?? '', /^[0-9a-f]{16}$/);
  const short = [randomBytes(16), randomBytes(31), randomBytes(33)].map((one) => one.toString('base64'));
  for (const text of [
    ...short,
    'password',
    '',
    Buffer.alloc(32).toString('base64'),
    'a'.repeat(64),
    `${forms[2]}00`,
  ])
    assert.equal(keyEncryptionKeyOf(text), undefined, text);
});

describe('in SQLite', () => {
  suite(async (stack, folder) => {
    const path = join(folder, 'state.db');
    const store = stack.use(await openStore(`sqlite:${path}`));
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(path);
    stack.defer(() => database.close());
    return Object.assign(store, {
      forge: async ({ version, sealed }: { version: number; sealed: string }) =>
        void database.prepare('UPDATE identity SET version = ?, sealed = ?').run(version, sealed),
      empty: async () => void database.exec('DELETE FROM identity'),
    });
  });
});

describe('in PostgreSQL', { skip }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
    await server.run('CREATE DATABASE identities');
  });
  after(() => server[Symbol.asyncDispose]());
  suite(async (stack) => {
    const store = stack.use(await openStore(server.url('identities')));
    const empty = async () => void (await server.run('DELETE FROM identity', 'identities'));
    await empty();
    return Object.assign(store, {
      forge: async ({ version, sealed }: { version: number; sealed: string }) =>
        void (await server.run(
          `UPDATE identity SET version = ${version}, sealed = convert_from(decode('${Buffer.from(sealed).toString('base64')}', 'base64'), 'UTF8')`,
          'identities',
        )),
      empty,
    });
  });
});
