// The chain of the audit in PostgreSQL.

import { after, before, describe } from 'node:test';
import { openStore } from '../../../src/store/open-store.ts';
import { type AttackedStore, chainConformance } from '../../conformance/chain.ts';
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
});
