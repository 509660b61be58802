// What every engine of the store must do with the chain of the audit when keys change, and when the database says less than the process knows.

import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { type ChainSigner, readOpening } from '../../src/store/chain/chain-statements.ts';
import { verifyChain } from '../../src/store/chain/verify-chain.ts';
import { type AttackedStore, chainSigner, kindsOf, storeChained } from './chain.ts';

const newKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey;

/** The identity as one gateway has it: the first one signs. */
interface RotatedSigner extends ChainSigner {
  publicKeys: readonly KeyObject[];
}

function rotatedSigner(...keys: readonly KeyObject[]): RotatedSigner {
  const signer: RotatedSigner = {
    publicKeys: keys,
    signText: (text) => sign(null, text, signer.publicKeys[0]!),
  };
  return signer;
}

/** @param open each one empty */
export function chainKeysConformance(name: string, open: () => Promise<AttackedStore>): void {
  describe(`chain conformance with keys: ${name}`, () => {
    test('a key that is retired at once after it leaked leaves what was stored before believed', async () => {
      await using attacked = await open();
      const [leaked, fresh] = [newKey(), newKey()];
      const signer = rotatedSigner(leaked);
      await attacked.store.audit.chain.begin(signer);
      await using other = await attacked.reopen();
      const otherSigner = rotatedSigner(leaked);
      await other.audit.chain.begin(otherSigner);
      await storeChained(attacked.store, 0, 100);
      await storeChained(other, 100, 10);
      // All three steps between two looks of the gateways.
      otherSigner.publicKeys = signer.publicKeys = [fresh];
      await storeChained(attacked.store, 200, 10);
      await attacked.store.audit.chain.signHead();
      await storeChained(other, 300, 10);
      await other.audit.chain.signHead();
      const report = await verifyChain(other.audit.chain, [fresh], {});
      assert.deepEqual(report.findings, []);
      assert.deepEqual([report.chains, report.events, report.uncovered], [4, 130, 0]);
    });

    test('a gateway without events vouches as well, before it ends', async () => {
      await using attacked = await open();
      const [old, fresh] = [newKey(), newKey()];
      const signer = rotatedSigner(old);
      await attacked.store.audit.chain.begin(signer);
      await storeChained(attacked.store, 0, 10);
      await attacked.store.audit.chain.end();
      signer.publicKeys = [fresh, old];
      await attacked.store.audit.chain.signHead();
      await using next = await attacked.reopen();
      await next.audit.chain.begin(rotatedSigner(fresh));
      await storeChained(next, 10, 10);
      assert.deepEqual((await verifyChain(next.audit.chain, [fresh], {})).findings, []);
    });

    test('a process believes cuts of another one by the keys of now, and removes nothing while it knows no key of them', async () => {
      await using attacked = await open();
      const [old, fresh] = [newKey(), newKey()];
      const signer = rotatedSigner(old);
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 400);
      await using other = await attacked.reopen();
      await other.audit.chain.begin(rotatedSigner(fresh, old));
      await storeChained(other, 500, 200);
      assert.equal(await other.audit.prune({ beforeMs: 1_000_010, batch: 1000 }), 10);
      const bounds = { beforeMs: 1_000_020, batch: 1000 };
      await assert.rejects(store.audit.prune(bounds), { code: 'store_unavailable', message: /not known/ });
      signer.publicKeys = [old, fresh];
      assert.equal(await store.audit.prune(bounds), 10);
      const report = await verifyChain(store.audit.chain, [fresh, old], {});
      assert.deepEqual([report.findings, report.removed], [[], 20]);
    });

    test('a chain that was signed once, in the place of the one that the next names, is forged', async () => {
      await using attacked = await open();
      const signer = chainSigner();
      for (const at of [0, 10]) {
        await using one = await attacked.reopen();
        await one.audit.chain.begin(signer);
        await storeChained(one, at, 10);
      }
      await attacked.run(
        'CREATE TABLE kept AS SELECT * FROM audit_chain WHERE number = 2; DELETE FROM audit_chain WHERE number = 2; DELETE FROM audit WHERE chain = 2',
      );
      for (const at of [20, 30]) {
        await using one = await attacked.reopen();
        await one.audit.chain.begin(signer);
        await storeChained(one, at, 10);
      }
      const { store } = attacked;
      assert.deepEqual((await verifyChain(store.audit.chain, signer.publicKeys, {})).findings, []);
      await attacked.run(
        'DELETE FROM audit WHERE chain = 2; DELETE FROM audit_chain WHERE number = 2; INSERT INTO audit_chain SELECT * FROM kept',
      );
      assert.ok(kindsOf(await verifyChain(store.audit.chain, signer.publicKeys, {})).includes('forged'));
    });

    test('retention of one event leaves the heads of what is there', async () => {
      await using attacked = await open();
      const { store } = attacked;
      const signer = chainSigner();
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 50);
      await store.audit.chain.signHead();
      await storeChained(store, 50, 50);
      await store.audit.chain.signHead();
      assert.equal(await store.audit.prune({ beforeMs: 1_000_001, batch: 10 }), 1);
      assert.equal((await verifyChain(store.audit.chain, signer.publicKeys, {})).uncovered, 0);
      // What is all gone has none any more.
      assert.equal(await store.audit.prune({ beforeMs: 1_000_060, batch: 100 }), 59);
      assert.equal((await store.audit.chain.heads(1, 0, 9)).length, 1);
      await attacked.run('DELETE FROM audit WHERE link > 70');
      assert.deepEqual(kindsOf(await verifyChain(store.audit.chain, signer.publicKeys, {})), ['cut_tail']);
    });

    test('a database that says of nothing any more while the process runs is found by the next chain', async () => {
      await using attacked = await open();
      const { store } = attacked;
      const signer = chainSigner();
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 200);
      await store.audit.chain.end();
      await attacked.run(
        `DELETE FROM audit_chain; DELETE FROM audit_head; DELETE FROM audit WHERE verdict = 'deny';
         UPDATE audit SET chain = NULL, link = NULL, link_before = NULL`,
      );
      await storeChained(store, 200, 10);
      const report = await verifyChain(store.audit.chain, signer.publicKeys, {});
      assert.deepEqual(kindsOf(report), ['inserted', 'removed']);
      assert.equal(report.notChained, 0);
    });

    test('an opening says of each other chain how far it came: none loses its end with its heads', async () => {
      await using attacked = await open();
      const signer = chainSigner();
      const [first, second] = [await attacked.reopen(), await attacked.reopen()];
      await first.audit.chain.begin(signer);
      await second.audit.chain.begin(signer);
      await storeChained(first, 0, 20);
      await storeChained(second, 100, 100);
      await storeChained(first, 20, 80);
      await first.audit.chain.end();
      await storeChained(second, 200, 50);
      await second.audit.chain.end();
      await first.close();
      await second.close();
      const { store } = attacked;
      for (const at of [300, 350]) {
        await using one = await attacked.reopen();
        await one.audit.chain.begin(signer);
        await storeChained(one, at, 10);
      }
      assert.deepEqual((await verifyChain(store.audit.chain, signer.publicKeys, {})).findings, []);
      const openings = await store.audit.chain.openings();
      // What was said once of one that is over is not said again.
      assert.deepEqual(
        openings.map(({ statement }) =>
          (readOpening(statement)?.seen ?? []).map(({ number, link }) => [number, link]),
        ),
        [
          [],
          [[1, 20]],
          [
            [2, 150],
            [1, 100],
            [2, 150],
          ],
          [[3, 10]],
        ],
      );
      await attacked.run(
        'DELETE FROM audit WHERE chain = 1 AND link > 20; DELETE FROM audit_head WHERE chain = 1',
      );
      assert.deepEqual(kindsOf(await verifyChain(store.audit.chain, signer.publicKeys, {})), ['cut_tail']);
    });

    test('the end of a chain that goes while its process begins the next one is known by the process', async () => {
      await using attacked = await open();
      const { store } = attacked;
      const signer = chainSigner();
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 200);
      await store.audit.chain.end();
      await attacked.run('DELETE FROM audit WHERE link > 100; DELETE FROM audit_head');
      await storeChained(store, 200, 10);
      assert.deepEqual(kindsOf(await verifyChain(store.audit.chain, signer.publicKeys, {})), ['cut_tail']);
    });
  });
}
