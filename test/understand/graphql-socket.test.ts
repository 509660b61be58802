// Clients and servers of both protocols of GraphQL on WebSockets, with the gateway between them: operations that a rule names work, a denied one reaches no
// server and is told by the client, and the socket stays.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { WebSocket, WebSocketServer } from 'ws';
import { openRequestPath } from '../gateway/support/request-path.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const tools = process.env['TEST_UNDERSTANDING'];
const skip = tools === undefined ? 'of npm run test:understanding' : false;
const authority = createTestAuthority();
const host = 'api.test';
const schemaText = `
  type Query { viewer: String }
  type Mutation { merge: String }
  type Subscription { ticks: Int  secrets: Int }
`;

// The packages are not there where the types are checked.
// oxlint-disable-next-line typescript/no-explicit-any -- of packages without types here
type Package = any;

async function use(name: string): Promise<Package> {
  const require = createRequire(join(tools ?? '', 'package.json'));
  return await import(pathToFileURL(require.resolve(name)).href);
}

/** Fields that the server resolved. */
function rootOf(called: string[]): object {
  const one = (name: string, value: unknown) => () => {
    called.push(name);
    return value;
  };
  const stream = (name: string) =>
    async function* () {
      called.push(name);
      for (let tick = 1; tick <= 3; tick += 1) yield { [name]: tick };
    };
  return {
    viewer: one('viewer', 'octocat'),
    merge: one('merge', 'merged'),
    ticks: stream('ticks'),
    secrets: stream('secrets'),
  };
}

/** What each of a list of operations gave, one behind the other on one socket: its results, or the message of its error. */
type Outcomes = readonly (readonly unknown[] | string)[];

interface Peers {
  serve(server: import('node:https').Server, root: object): Promise<() => void>;
  ask(url: string, queries: readonly string[], through: typeof WebSocket): Promise<Outcomes>;
}

const protocols: Readonly<Record<string, Peers>> = {
  'graphql-transport-ws': {
    serve: async (server, roots) => {
      const [{ useServer }, { buildSchema }] = [await use('graphql-ws/use/ws'), await use('graphql')];
      const sockets = new WebSocketServer({ server, path: '/graphql' });
      const served = useServer({ schema: buildSchema(schemaText), roots: rootsOf(roots) }, sockets);
      return () => {
        void served.dispose();
        sockets.close();
      };
    },
    ask: async (url, queries, through) => {
      const { createClient } = await use('graphql-ws');
      const client = createClient({ url, webSocketImpl: through, retryAttempts: 0, lazy: false });
      const outcomes: (readonly unknown[] | string)[] = [];
      for (const query of queries) {
        const got: unknown[] = [];
        try {
          for await (const result of client.iterate({ query })) got.push(result.data);
          outcomes.push(got);
        } catch (error) {
          const [first] = error as readonly { readonly message: string }[];
          outcomes.push(first?.message ?? String(error));
        }
      }
      await client.dispose();
      return outcomes;
    },
  },
  'graphql-ws': {
    serve: async (server, rootValue) => {
      const [{ SubscriptionServer }, { buildSchema, execute, subscribe }] = [
        (await use('subscriptions-transport-ws')).default,
        await use('graphql'),
      ];
      const schema = buildSchema(schemaText);
      const served = SubscriptionServer.create(
        { schema, execute, subscribe, rootValue },
        { server, path: '/graphql' },
      );
      return () => served.close();
    },
    ask: async (url, queries, through) => {
      const { SubscriptionClient } = (await use('subscriptions-transport-ws')).default;
      const client = new SubscriptionClient(url, { reconnect: false }, through);
      const outcomes: (readonly unknown[] | string)[] = [];
      for (const query of queries) {
        const got: unknown[] = [];
        const { promise, resolve } = Promise.withResolvers<readonly unknown[] | string>();
        client.request({ query }).subscribe({
          next: ({ data }: { readonly data: unknown }) => got.push(data),
          error: (error: Error) => resolve(error.message),
          complete: () => resolve(got),
        });
        outcomes.push(await promise);
      }
      client.close();
      return outcomes;
    },
  },
};

const rootsOf = (root: object) => ({ query: root, mutation: root, subscription: root });

for (const [protocol, { serve, ask }] of Object.entries(protocols))
  test(`${protocol}: its client and its server`, { skip, timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const called: string[] = [];
    const server = createServer(authority.issue(host));
    const end = await serve(server, rootOf(called));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    stack.defer(() => {
      end();
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    const path = stack.use(
      openRequestPath({
        policy: `rules:
  - { name: live, hosts: ${host}, ports: ${port}, addresses: 127.0.0.0/8, paths: /graphql, graphql: { queries: viewer, subscriptions: ticks, webSocket: true } }`,
        hosts: [host],
        trust: [authority.caPem],
      }),
    );
    const socket: TLSSocket = await path.tls(`${host}:${port}`);
    class Through extends WebSocket {
      constructor(url: string, names: string | string[]) {
        super(url, names, { createConnection: () => socket });
      }
    }
    const outcomes = await ask(
      `wss://${host}:${port}/graphql`,
      [
        '{ viewer }',
        'mutation { merge }',
        'subscription { ticks }',
        'subscription { secrets }',
        'query A { viewer } mutation B { merge }',
        '{ viewer }',
      ],
      Through as typeof WebSocket,
    );
    const [viewer, merge, ticks, secrets, both, again] = outcomes;
    assert.deepEqual(JSON.parse(JSON.stringify([viewer, again])), [
      [{ viewer: 'octocat' }],
      [{ viewer: 'octocat' }],
    ]);
    assert.deepEqual(JSON.parse(JSON.stringify(ticks)), [{ ticks: 1 }, { ticks: 2 }, { ticks: 3 }]);
    assert.match(String(merge), /No rule allows the mutation merge/);
    assert.match(String(secrets), /No rule allows the subscription secrets/);
    assert.match(String(both), /No rule allows the query viewer and the mutation merge/);
    assert.deepEqual(called, ['viewer', 'ticks', 'viewer']);
  });
