import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSeenPeers, type SeenPeers, SeenPeersFile } from '../../../src/gateway/peers/seen-peers.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('a gateway finds what it kept, and those that it does not see now behind those that it does', async () => {
  await using folder = await temporaryDirectory();
  const stateDirectory = join(folder.path, 'state');
  assert.equal(await readSeenPeers(stateDirectory), undefined);
  let now: SeenPeers = { place: { history: 'h', number: 3 }, peers: ['10.0.0.2:1', '10.0.0.3:1'] };
  const keep = async (before: readonly string[]): Promise<void> => {
    const file = new SeenPeersFile({
      stateDirectory,
      before,
      now: () => now,
      onFault: ({ message }) => assert.fail(message),
    });
    await file[Symbol.asyncDispose]();
  };
  await keep([]);
  assert.deepEqual(await readSeenPeers(stateDirectory), { form: 1, ...now });
  assert.equal((await stat(join(stateDirectory, 'peers-seen.json'))).mode & 0o777, 0o600);
  now = { peers: ['10.0.0.4:1'], identity: { version: 2, sealed: 'sealed' } };
  await keep(['10.0.0.2:1', '10.0.0.3:1']);
  assert.deepEqual(await readSeenPeers(stateDirectory), {
    form: 1,
    peers: ['10.0.0.4:1', '10.0.0.2:1', '10.0.0.3:1'],
    identity: { version: 2, sealed: 'sealed' },
  });
  now = { peers: Array.from({ length: 1000 }, (_, i) => `10.1.0.1:${i + 1}`) };
  await keep(['10.0.0.2:1']);
  assert.equal((await readSeenPeers(stateDirectory))?.peers.length, defaultLimits.peersAskedMax);
});

test('one that cannot be read is no file that is not there: what the gateway knew is not known then', async () => {
  await using folder = await temporaryDirectory();
  const path = join(folder.path, 'peers-seen.json');
  await mkdir(folder.path, { recursive: true });
  for (const text of ['', '{', '{"form":2,"peers":[]}', `{"form":1,"peers":["${'x'.repeat(400)}"]}`]) {
    await writeFile(path, text);
    await assert.rejects(readSeenPeers(folder.path), { code: 'peer_unreachable' });
    assert.equal(await readFile(path, 'utf8'), text);
  }
});

test('a disk that cannot be written is told once', async () => {
  await using folder = await temporaryDirectory();
  const inTheWay = join(folder.path, 'file');
  await writeFile(inTheWay, '');
  const faults: string[] = [];
  const file = new SeenPeersFile({
    stateDirectory: join(inTheWay, 'state'),
    before: [],
    now: () => ({ peers: [] }),
    onFault: ({ message }) => faults.push(message),
  });
  await file[Symbol.asyncDispose]();
  await file[Symbol.asyncDispose]();
  assert.equal(faults.length, 1);
});
