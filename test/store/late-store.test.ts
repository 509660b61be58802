import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { ProxyError } from '../../src/protocol/error.ts';
import type { ChainSigner } from '../../src/store/chain/chain-statements.ts';
import { LateStore } from '../../src/store/late-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { ChangeListener, Store } from '../../src/store/store.ts';

const signer: ChainSigner = {
  signText: () => new Uint8Array(64),
  publicKeys: [generateKeyPairSync('ed25519').publicKey],
};

interface Scene extends AsyncDisposable {
  readonly late: LateStore;
  readonly store: Store;
  readonly refused: string[];
  /** What the next opening comes to. */
  fault: ProxyError | undefined;
  readonly opened: Store[];
  readonly begun: ChainSigner[];
  readonly listeners: Set<ChangeListener>;
}

function lateScene(): Scene {
  const [opened, begun, refused]: [Store[], ChainSigner[], string[]] = [[], [], []];
  const listeners = new Set<ChangeListener>();
  const late = new LateStore({
    open: async () => {
      if (scene.fault !== undefined) throw scene.fault;
      const store = await openStore('sqlite::memory:');
      const { chain } = store.audit;
      const given: Store = {
        ...store,
        // What a test needs of an audit: methods that look at `this` keep it.
        audit: new Proxy(store.audit, {
          get: (target, name) => {
            const value: unknown =
              name === 'chain'
                ? {
                    begin: async (one: ChainSigner) => {
                      begun.push(one);
                      await chain.begin(one);
                    },
                  }
                : Reflect.get(target, name, target);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        }),
        onChange: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      };
      opened.push(given);
      return given;
    },
    onRefused: ({ message }) => refused.push(message),
  });
  const store = late.store();
  const scene: Scene = {
    late,
    store,
    refused,
    fault: undefined,
    opened,
    begun,
    listeners,
    [Symbol.asyncDispose]: () => store.close(),
  };
  return scene;
}

const away = new ProxyError('store_unavailable', 'it is not there', { retryAfterSeconds: 1 });

test('until it is opened each question is told that the store is away, and with when to ask again', async () => {
  await using scene = lateScene();
  const { store } = scene;
  const isAway = { code: 'store_unavailable', retryAfterSeconds: 5 };
  for (const asked of [
    () => store.sessions.find('x'),
    () => store.policies.published(),
    () => store.audit.append([]),
    () => store.audit.chain.signHead(),
    () => store.audit.delivery?.finish('x') ?? assert.fail('it has none'),
    () => store.gateways.current(1),
  ])
    await assert.rejects(asked, ({ code, retryAfterSeconds }: ProxyError) => {
      assert.deepEqual({ code, retryAfterSeconds: retryAfterSeconds === undefined ? undefined : 5 }, isAway);
      return true;
    });
  scene.fault = away;
  await assert.rejects(async () => store.probe?.(), away);
  assert.equal(scene.late.isOpen, false);
  assert.deepEqual(scene.refused, []);
});

test('the first probe that finds it opens it, once however many ask, and from then on it is that store', async () => {
  await using scene = lateScene();
  const { store, late } = scene;
  const heard: boolean[] = [];
  store.onChange((isUncertain) => heard.push(isUncertain));
  const unlisten = store.onChange(() => assert.fail('it was taken away'));
  unlisten();
  await late.begin(signer);
  await Promise.all([store.probe?.(), store.probe?.()]);
  assert.equal(scene.opened.length, 1);
  assert.deepEqual(scene.begun, [signer]);
  // Nothing of it was read yet.
  assert.deepEqual(heard, [true]);
  for (const listener of scene.listeners) listener(false);
  assert.deepEqual(heard, [true, false]);
  assert.equal(await store.sessions.find('x'), undefined);
  await store.probe?.();
  assert.equal(scene.opened.length, 1);
});

test('one that is there and cannot be used is told, each reason once', async () => {
  await using scene = lateScene();
  for (const reason of ['a newer schema', 'a newer schema', 'read-only']) {
    scene.fault = new ProxyError('store_unavailable', reason);
    await assert.rejects(async () => scene.store.probe?.(), scene.fault);
  }
  assert.deepEqual(scene.refused, ['a newer schema', 'read-only']);
});

test('one that opens while it is closed is closed too', async () => {
  const scene = lateScene();
  const probing = scene.store.probe?.() ?? assert.fail('it has none');
  const closing = scene.store.close();
  await assert.rejects(probing, { code: 'store_unavailable' });
  await closing;
  await assert.rejects(async () => scene.opened[0]?.sessions.find('x'));
});

test('an opening that takes long is not waited for, and closes the store when it ends', async () => {
  const isClosed = Promise.withResolvers<void>();
  const migrated = Promise.withResolvers<void>();
  const late = new LateStore({
    open: async () => {
      await migrated.promise;
      const store = await openStore('sqlite::memory:');
      const close = async (): Promise<void> => {
        await store.close();
        isClosed.resolve();
      };
      return { ...store, close };
    },
    onRefused: ({ message }) => assert.fail(message),
    closeMs: 1,
  });
  const store = late.store();
  const probing = store.probe?.() ?? assert.fail('it has none');
  await store.close();
  migrated.resolve();
  await assert.rejects(probing, { code: 'store_unavailable' });
  await isClosed.promise;
  assert.equal(late.isOpen, false);
});

test('one that ends while its chain begins is closed', async () => {
  const isClosed = Promise.withResolvers<void>();
  const [isBeginning, begun] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const late = new LateStore({
    open: async () => {
      const store = await openStore('sqlite::memory:');
      const begin = async (): Promise<void> => {
        isBeginning.resolve();
        await begun.promise;
      };
      const close = async (): Promise<void> => {
        await store.close();
        isClosed.resolve();
      };
      const audit = { ...store.audit, chain: { ...store.audit.chain, begin } } as Store['audit'];
      return { ...store, audit, close };
    },
    onRefused: ({ message }) => assert.fail(message),
    closeMs: 1,
  });
  const store = late.store();
  await late.begin(signer);
  const probing = store.probe?.() ?? assert.fail('it has none');
  await isBeginning.promise;
  await store.close();
  begun.resolve();
  await assert.rejects(probing, { code: 'store_unavailable' });
  await isClosed.promise;
});

test('whoever waits for a part of it, or prints it, has no question', async () => {
  await using scene = lateScene();
  const { sessions } = scene.store;
  assert.equal(await Promise.resolve(sessions), sessions);
  assert.equal(Reflect.get(sessions, Symbol.toPrimitive), undefined);
});
