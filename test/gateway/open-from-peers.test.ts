// What a gateway says that starts while its store is away, and cannot ask another one. test/e2e/start-from-peer.test.ts has those that can.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseGatewayConfig } from '../../src/gateway/config/config.ts';
import { beginStart } from '../../src/gateway/gateway-start.ts';
import { openFromPeers } from '../../src/gateway/open-from-peers.ts';
import { storeIsAway } from '../../src/store/store-outage.ts';
import type { Store } from '../../src/store/store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('with its keys in the store and an empty state folder a gateway waits for the store, and says why once', async () => {
  await using directory = await temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const key = join(directory.path, 'key');
  await writeFile(key, 'none that opens anything');
  const text = JSON.stringify({
    stateDirectory: directory.path,
    store: 'postgres://gateway@127.0.0.1:1/none',
    identity: { store: true, keyEncryptionKey: { file: key } },
    peers: { listen: { address: '127.0.0.1', port: 1 }, known: ['127.0.0.1:2'] },
  });
  const parsed = parseGatewayConfig({ file: 'gateway.yaml', text }, directory.path);
  assert.ok('config' in parsed, JSON.stringify(parsed));
  const said: string[] = [];
  const log = (_level: string, message: string): void => void said.push(message);
  const start = beginStart(parsed.config, { log }, stack);
  const store = { what: 'the store' } as unknown as Store;
  let attempts = 0;
  const openStore = async (): Promise<Store> => {
    attempts += 1;
    if (attempts < 2) throw storeIsAway();
    return store;
  };
  const found = await openFromPeers({ start, openStore, why: storeIsAway() });
  assert.deepEqual(found, { kind: 'store', store });
  assert.equal(said.length, 1, said.join('\n'));
  assert.match(
    said[0] ?? '',
    /serves nothing until the store is back, and no other gateway can hand it anything \(the keys are in the store, and the state folder has no copy/,
  );
});
