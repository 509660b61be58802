// The chain of the audit in PostgreSQL.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openStore } from '../../../src/store/open-store.ts';
import { verifyChain } from '../../../src/store/chain/verify-chain.ts';
import { chainCutConformance } from '../../conformance/chain-cuts.ts';
import { type AttackedStore, chainConformance, chainSigner, storeChained } from '../../conformance/chain.ts';
import { chainKeysConformance } from '../../conformance/chain-keys.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../../support/postgres-server.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
let server: PostgresServer;
let databases = 0;

async function attackedStore(): Promise<AttackedStore> {
  databases += 1;
  const name = `d${databases}`;
  await server.run(`CREATE DATABASE ${name}`);
  const store = await openStore(server.url(name));
  return {
    store,
    reopen: () => openStore(server.url(name)),
    run: async (sql) => void (await server.run(sql, name)),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

describe('PostgreSQL', { skip }, () => {
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  chainConformance('PostgreSQL', attackedStore);
  chainCutConformance('PostgreSQL', attackedStore);
  chainKeysConformance('PostgreSQL', attackedStore);

  test('a store that went back is noticed: another chain begins, and says how far the one before had been', async () => {
    const signer = chainSigner();
    await using attacked = await attackedStore();
    const { store } = attacked;
    await store.audit.chain.begin(signer);
    await storeChained(store, 0, 10);
    await store.audit.chain.signHead();
    // As a standby has it that took over without the last batches; a spool delivers them again.
    await attacked.run(
      'DELETE FROM audit WHERE link > 6; UPDATE audit_chain SET link = 6; DELETE FROM audit_head',
    );
    await storeChained(store, 6, 10);
    await store.audit.chain.end();
    const report = await verifyChain(store.audit.chain, signer.publicKeys, {});
    assert.deepEqual([report.chains, report.events, report.uncovered], [2, 16, 0]);
    assert.deepEqual(
      report.findings.map(({ kind, chain, link, message }) => [
        kind,
        chain,
        link,
        message.startsWith('4 events'),
      ]),
      [['cut_tail', 1, 7, true]],
    );
  });
});
