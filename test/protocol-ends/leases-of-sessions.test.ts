// Leases of Vault that are one of each session, with a real gateway process and a real PostgreSQL, in which a stand-in of Vault makes and drops
// roles.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { Client } from 'pg';
import { approle, openVaultServer, type VaultServer } from '../gateway/credentials/support/vault-server.ts';
import { authority } from '../gateway/credentials/support/credential-scene.ts';
import { findCanary } from '../support/canary.ts';
import { mustRun } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { GatewaySession } from '../support/gateway-session.ts';
import { patienceMs } from '../support/patience.ts';
import { postgresBinaries, type PostgresServer } from '../support/postgres-server.ts';
import { type GatewayProcess, launcher, startGatewayProcess, waitUntil } from '../support/program.ts';
import { openClientPort } from './support/client-port.ts';
import { host, startServer } from './support/postgres-scene.ts';

const binaries = postgresBinaries();
const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : 'missing' in binaries
      ? binaries.missing
      : false;
const timeout = 20 * patienceMs;
const environment = { VAULT_SECRET: approle.secretId };

interface Scene extends AsyncDisposable {
  readonly server: PostgresServer;
  readonly vault: VaultServer;
  readonly deployment: Deployment;
  /** Names of the roles that Vault has made and that are there. */
  roles(): Promise<readonly string[]>;
  session(gateway?: Pick<GatewayProcess, 'url'>): Promise<Visitor>;
}

/** A session with a tunnel, and a port of loopback that leads to the database. */
interface Visitor extends AsyncDisposable {
  readonly id: string;
  readonly received: readonly Buffer[];
  connect(): Promise<Client>;
  end(): Promise<void>;
}

async function openScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const access = ['hostssl all all 127.0.0.1/32 scram-sha-256'];
  const { server, caPem } = stack.use(await startServer({ postgres: { access } }));
  const vault = stack.use(
    await openVaultServer({
      clock: Date.now,
      tokenTtlMs: 864e5,
      users: {
        make: async ({ username, password }) =>
          void (await server.run(`CREATE ROLE "${username}" LOGIN PASSWORD '${password}'`)),
        end: async (username) => void (await server.run(`DROP ROLE IF EXISTS "${username}"`)),
      },
    }),
  );
  const folder = stack.use(await temporaryCa(caPem));
  const at = {
    address: vault.url,
    path: 'database/creds/app',
    ca: folder.vault,
    auth: { approle: { roleId: approle.roleId, secretIdSource: { env: 'VAULT_SECRET' } } },
  };
  const deployment = stack.use(
    await deploy({
      rules: [
        {
          name: 'orders-db',
          hosts: host,
          ports: server.port,
          addresses: '127.0.0.1/32',
          protocol: 'postgres',
          postgres: { databases: 'postgres' },
          inject: 'orders',
          trust: 'own',
        },
      ],
      hosts: { [host]: '127.0.0.1', localhost: '127.0.0.1' },
      credentials: {
        orders: {
          kind: 'login',
          perSession: true,
          username: { field: 'username' },
          source: { vault: { ...at, field: 'password' } },
        },
      },
      environment,
      config: { trust: { own: { file: folder.database } } },
    }),
  );
  const owned = stack.move();
  return {
    server,
    vault,
    deployment,
    roles: async () => {
      const { rows } = await server.run(`SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%' ORDER BY 1`);
      return rows.map(({ rolname }) => String(rolname));
    },
    session: async (gateway = deployment.gateway) =>
      await openVisitor({ ...deployment, gateway }, server.port),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function temporaryCa(
  databasePem: string,
): Promise<{ readonly vault: string; readonly database: string } & AsyncDisposable> {
  const { temporaryDirectory } = await import('../support/temporary-directory.ts');
  const directory = await temporaryDirectory();
  const [vault, database] = ['vault.pem', 'database.pem'].map((name) => join(directory.path, name));
  assert.ok(vault !== undefined && database !== undefined);
  await writeFile(vault, authority.caPem);
  await writeFile(database, databasePem);
  return { vault, database, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

async function openVisitor(
  deployment: Parameters<typeof GatewaySession.enrol>[0],
  databasePort: number,
): Promise<Visitor> {
  const one = await GatewaySession.enrol(deployment);
  const link = await one.openTunnel();
  const clients = await openClientPort(() =>
    link.openStream({ authority: `${host}:${databasePort}`, mode: 'raw' }),
  );
  return {
    id: one.id,
    received: clients.received,
    connect: async () => {
      const client = new Client({ host: '127.0.0.1', port: clients.port, user: 'me', database: 'postgres' });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
    end: () => one.session.end(),
    [Symbol.asyncDispose]: async () => {
      link.destroy();
      await clients[Symbol.asyncDispose]();
    },
  };
}

async function roleOf(client: Client): Promise<string> {
  const { rows } = await client.query<{ readonly current_user: string }>('SELECT current_user');
  return rows[0]?.current_user ?? '';
}

/** Nothing of the passwords is where a container, or somebody with the state folder, could read it. */
async function assertKept({ vault, deployment }: Scene, visitors: readonly Visitor[]): Promise<void> {
  const files = globSync(join(deployment.directory, '**'), { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
  const received = visitors.flatMap((one) => one.received);
  const events = JSON.stringify(await deployment.audit());
  assert.match(events, /lease_taken/);
  assert.ok(vault.secrets.length > 0);
  for (const secret of vault.secrets) {
    for (const octets of [...files, ...received]) assert.deepEqual(findCanary(octets, secret), []);
    assert.deepEqual(findCanary(events, secret), []);
    assert.deepEqual(findCanary(deployment.gateway.log(), secret), []);
  }
}

test(
  'ten sessions at once have a role each, which is gone when its session ends',
  { skip, timeout },
  async () => {
    await using scene = await openScene();
    const visitors = await Promise.all(Array.from({ length: 10 }, () => scene.session()));
    // Two connections of each at once: one lease.
    const names = await Promise.all(
      visitors.map(async (visitor) => {
        const clients = await Promise.all([visitor.connect(), visitor.connect()]);
        const [one, other] = await Promise.all(clients.map(roleOf));
        assert.equal(one, other);
        return one ?? '';
      }),
    );
    assert.deepEqual(await scene.roles(), names.toSorted());
    assert.equal(new Set(names).size, 10);
    await Promise.all(visitors.slice(0, 9).map((visitor) => visitor.end()));
    await waitUntil('nine roles are gone', async () => (await scene.roles()).length === 1);
    assert.deepEqual(await scene.roles(), names.slice(9));
    const [last] = visitors.slice(9);
    assert.equal(await roleOf((await last?.connect()) ?? assert.fail()), names[9]);
    assert.equal(scene.vault.givenBack.length, 9, 'each once');
    await assertKept(scene, visitors);
    for (const visitor of visitors) await visitor[Symbol.asyncDispose]();
    await scene.deployment.gateway.close();
    assert.deepEqual(await scene.roles(), [], 'a gateway that ends gives back what it has');
  },
);

test('roles of a gateway that was killed are gone after its next start', { skip, timeout }, async () => {
  await using scene = await openScene();
  const { gateway, configFile } = scene.deployment;
  const visitors = await Promise.all([scene.session(), scene.session()]);
  for (const visitor of visitors) await roleOf(await visitor.connect());
  assert.equal((await scene.roles()).length, 2);
  process.kill(gateway.pid, 'SIGKILL');
  await gateway.ended;
  for (const visitor of visitors) await visitor[Symbol.asyncDispose]();
  assert.equal((await scene.roles()).length, 2, 'nobody was there to give them back');
  await mustRun(launcher, ['session', 'revoke', visitors[0]?.id ?? '', '--config', configFile, '--quiet']);
  {
    await using next = await startGatewayProcess(configFile, environment);
    await waitUntil(
      'the role of the session that is over is gone, if not both: a slow machine looks once, when both are due',
      async () => (await scene.roles()).length <= 1,
      4 * patienceMs,
    );
    // The other session lives: its agent could come back. That the process that had its lease is gone shows after a minute.
    await waitUntil('the other role is gone', async () => (await scene.roles()).length === 0, 4 * patienceMs);
    await using again = await scene.session(next);
    assert.match(await roleOf(await again.connect()), /^v-/);
    // Before the gateway ends: that waits two seconds for Vault, which is little for a busy machine.
    await again.end();
    await waitUntil(
      'the role of the last one is gone',
      async () => (await scene.roles()).length === 0,
      4 * patienceMs,
    );
  }
  const actions = (await scene.deployment.audit()).map(({ action }) => action);
  assert.equal(actions.filter((action) => action === 'lease_given_back').length, 3);
  await assertKept(scene, visitors);
});

test('a role that cannot be dropped is tried again until it is', { skip, timeout }, async () => {
  await using scene = await openScene();
  await using visitor = await scene.session();
  const role = await roleOf(await visitor.connect());
  // It owns something: PostgreSQL refuses to drop it.
  await scene.server.run(`CREATE TABLE owned (); ALTER TABLE owned OWNER TO "${role}"`);
  await visitor.end();
  await waitUntil('it was tried', () => scene.vault.givenBack.length > 0);
  assert.deepEqual(await scene.roles(), [role]);
  await scene.server.run('DROP TABLE owned');
  await waitUntil('the role is gone', async () => (await scene.roles()).length === 0);
  assert.ok(scene.vault.givenBack.length >= 2);
});
