// Clients and servers of GraphQL that people use, with the gateway between them: what a rule names works, and what it does not name reaches no
// server and is told by each client.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { Agent, fetch, FormData } from 'undici';
import { seeded } from '../support/seeded.ts';
import { openRequestPath, type RequestPath } from '../gateway/support/request-path.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const tools = process.env['TEST_UNDERSTANDING'];
const skip = tools === undefined ? 'of npm run test:understanding' : false;
const skipGh = skip || (existsSync('/usr/bin/gh') ? false : 'gh is not installed');

// The packages are not there where the types are checked.
// oxlint-disable-next-line typescript/no-explicit-any -- of packages without types here
type Package = any;

async function use(name: string): Promise<Package> {
  const require = createRequire(join(tools ?? '', 'package.json'));
  return await import(pathToFileURL(require.resolve(name)).href);
}

const schemaText = `
  scalar File
  type Query { viewer: User  repository(owner: String!, name: String!): Repository  secret: String }
  type User { login: String }
  type Repository { id: ID  nameWithOwner: String }
  type Mutation { addComment(body: String!): String  mergePullRequest(id: ID): String  upload(file: File!): String }
  type Subscription { ticks: Int  secrets: Int }
`;

type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly at: string;
  /** Fields of roots that a server resolved. */
  readonly called: string[];
  readonly fetch: typeof fetch;
  /** The server without a gateway before it. */
  readonly direct: string;
}

const rules = `
  - { name: read, OPEN, graphql: { queries: [viewer, repository], arguments: { repository: { owner: acme } }, subscriptions: ticks, introspection: true, depthMax: 12 } }
  - { name: write, OPEN, graphql: { mutations: [addComment, upload], uploads: true, batch: true } }
  - { name: never, hosts: api.test, deny: People merge., graphql: { mutations: "merge*" } }`;

/** A resolver for each field, which notes that it ran. */
function resolversOf(called: string[]): object {
  const noting =
    (name: string, value: (input: Record<string, unknown>) => unknown) =>
    (_root: unknown, input: Record<string, unknown>): unknown => {
      called.push(name);
      return value(input);
    };
  const streaming = (name: string) => ({
    subscribe: async function* () {
      called.push(name);
      for (let tick = 1; tick <= 3; tick += 1) yield { [name]: tick };
    },
  });
  return {
    Query: {
      viewer: noting('viewer', () => ({ login: 'octocat' })),
      repository: noting('repository', ({ owner, name }) => ({
        id: 'R_1',
        nameWithOwner: `${owner}/${name}`,
      })),
      secret: noting('secret', () => 'x'),
    },
    Mutation: {
      addComment: noting('addComment', ({ body }) => body),
      mergePullRequest: noting('mergePullRequest', () => 'merged'),
      upload: noting('upload', ({ file }) => (file as { text(): Promise<string> }).text()),
    },
    Subscription: { ticks: streaming('ticks'), secrets: streaming('secrets') },
  };
}

type Serve = (called: string[]) => Promise<Listener>;

const servers: Readonly<Record<string, Serve>> = {
  'graphql-yoga': async (called) => {
    const [{ createYoga, createSchema }, { useAPQ }] = [
      await use('graphql-yoga'),
      await use('@graphql-yoga/plugin-apq'),
    ];
    const schema = createSchema({ typeDefs: schemaText, resolvers: resolversOf(called) });
    return createYoga({
      schema,
      logging: false,
      batching: true,
      plugins: [useAPQ()],
      graphqlEndpoint: '/graphql',
    });
  },
  'Apollo Server': async (called) => {
    const [{ ApolloServer, HeaderMap }] = [await use('@apollo/server')];
    const server = new ApolloServer({
      typeDefs: schemaText,
      resolvers: resolversOf(called),
      allowBatchedHttpRequests: true,
    });
    await server.start();
    return (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => void chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const headers = new HeaderMap(
          Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
        );
        const { search } = new URL(request.url ?? '', 'https://api.test');
        const asked = {
          method: request.method,
          headers,
          search,
          body: text === '' ? undefined : JSON.parse(text),
        };
        void (async () => {
          const result = await server.executeHTTPGraphQLRequest({
            httpGraphQLRequest: asked,
            context: async () => ({}),
          });
          response.writeHead(result.status ?? 200, Object.fromEntries(result.headers));
          response.end(result.body.string);
        })();
      });
    };
  },
  'graphql-http': async (called) => {
    const [{ createHandler }, { createSchema }] = [
      await use('graphql-http/lib/use/http'),
      await use('graphql-yoga'),
    ];
    return createHandler({ schema: createSchema({ typeDefs: schemaText, resolvers: resolversOf(called) }) });
  },
  'graphql-sse': async (called) => {
    const [{ createHandler }, { createSchema }] = [
      await use('graphql-sse/lib/use/http'),
      await use('graphql-yoga'),
    ];
    return createHandler({ schema: createSchema({ typeDefs: schemaText, resolvers: resolversOf(called) }) });
  },
};

async function openScene(serve: Serve, path = '/graphql', written = rules): Promise<Scene> {
  const authority = createTestAuthority();
  const called: string[] = [];
  const listener = await serve(called);
  const server = createServer(
    authority.issue('api.test'),
    (request, response) => void listener(request, response),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const plain = createPlainServer((request, response) => void listener(request, response));
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const gateway = openRequestPath({
    policy: `rules:${written.replaceAll('OPEN', `hosts: api.test, ports: ${port}, addresses: 127.0.0.0/8, paths: ${path}`)}`,
    hosts: ['api.test'],
    trust: [authority.caPem],
  });
  const at = `api.test:${port}`;
  const dispatcher = new Agent({
    connect: (_options, done) => {
      gateway.tls(at).then(
        (socket) => done(null, socket),
        (error: unknown) => done(error as Error, null),
      );
    },
  });
  const through = ((url: string, init: object) => fetch(url, { ...init, dispatcher })) as typeof fetch;
  return {
    path: gateway,
    at,
    called,
    fetch: through,
    direct: `http://127.0.0.1:${(plain.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      plain.close();
      plain.closeAllConnections();
      await close(gateway, dispatcher, server);
    },
  };
}

async function close(gateway: RequestPath, dispatcher: Agent, server: Server): Promise<void> {
  await dispatcher.destroy();
  await gateway[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
}

/** Asks for a document. @throws what the client tells of errors */
type Ask = (text: string, variables?: Record<string, unknown>) => Promise<Record<string, unknown>>;

const clients: Readonly<Record<string, (scene: Scene) => Promise<Ask>>> = {
  fetch:
    async ({ at, fetch: through }) =>
    async (query, variables) => {
      const headers = { 'content-type': 'application/json', accept: 'application/json' };
      const response = await through(`https://${at}/graphql`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ query, variables }),
      });
      return dataOf(await response.json());
    },
  'graphql-request': async ({ at, fetch: through }) => {
    const { GraphQLClient } = await use('graphql-request');
    const client = new GraphQLClient(`https://${at}/graphql`, { fetch: through });
    return (query, variables) => client.request(query, variables);
  },
  'urql, queries by GET': async ({ at, fetch: through }) => {
    const { Client, fetchExchange } = await use('@urql/core');
    // Without it Apollo Server takes a GET for one that another site made.
    const fetchOptions = { headers: { 'apollo-require-preflight': '1' } };
    const client = new Client({
      url: `https://${at}/graphql`,
      exchanges: [fetchExchange],
      fetch: through,
      preferGetMethod: true,
      fetchOptions,
    });
    return async (query, variables) => {
      const act = /^\s*mutation/.test(query)
        ? client.mutation(query, variables)
        : client.query(query, variables);
      const { data, error } = await act.toPromise();
      if (error !== undefined) throw error as Error;
      return data;
    };
  },
  'Apollo Client': async ({ at, fetch: through }) => await apollo(through, at, false),
  'Apollo Client, hashes first': async ({ at, fetch: through }) => await apollo(through, at, true),
};

async function apollo(through: typeof fetch, at: string, isHashed: boolean): Promise<Ask> {
  const { ApolloClient, InMemoryCache, HttpLink, gql } = await use('@apollo/client/core');
  const { createPersistedQueryLink } = await use('@apollo/client/link/persisted-queries');
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const http = new HttpLink({ uri: `https://${at}/graphql`, fetch: through });
  const link = isHashed ? createPersistedQueryLink({ sha256 }).concat(http) : http;
  const client = new ApolloClient({ link, cache: new InMemoryCache(), devtools: { enabled: false } });
  return async (text, variables) => {
    const document = gql(text);
    const isMutation = /^\s*mutation/.test(text);
    const { data } = isMutation
      ? await client.mutate({ mutation: document, variables })
      : await client.query({ query: document, variables, fetchPolicy: 'no-cache' });
    return data;
  };
}

function dataOf(response: unknown): Record<string, unknown> {
  const { data, errors = [] } = response as {
    data?: Record<string, unknown>;
    errors?: { message: string }[];
  };
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join('\n'));
  return data ?? {};
}

describe('clients and servers', { skip }, () => {
  for (const [server, serve] of Object.entries(servers))
    for (const [client, open] of Object.entries(clients)) {
      if (server === 'graphql-sse') continue;
      test(`${client} with ${server}`, async () => {
        await using scene = await openScene(serve);
        const ask = await open(scene);
        assert.equal(
          ((await ask('query Me { viewer { login } }'))['viewer'] as { login: string }).login,
          'octocat',
        );
        const named = 'query R($o: String!) { app: repository(owner: $o, name: "app") { nameWithOwner } }';
        assert.equal(
          ((await ask(named, { o: 'acme' }))['app'] as { nameWithOwner: string }).nameWithOwner,
          'acme/app',
        );
        await assert.rejects(ask(named, { o: 'other' }), /No rule allows the query repository/);
        assert.equal((await ask('mutation C { addComment(body: "é") }'))['addComment'], 'é');
        await assert.rejects(ask('mutation M { viewer: mergePullRequest(id: "1") }'), /People merge\./);
        await assert.rejects(
          ask('query S { ...F } fragment F on Query { secret }'),
          /No rule allows the query secret/,
        );
        const schema = (await ask('query I { __schema { queryType { name } } }'))['__schema'];
        assert.equal((schema as { queryType: { name: string } }).queryType.name, 'Query');
        assert.deepEqual(scene.called, ['viewer', 'repository', 'addComment']);
      });
    }

  test('arrays of Apollo Client, with graphql-yoga', async () => {
    await using scene = await openScene(servers['graphql-yoga']!);
    const { ApolloClient, InMemoryCache, gql } = await use('@apollo/client/core');
    const { BatchHttpLink } = await use('@apollo/client/link/batch-http');
    const link = new BatchHttpLink({
      uri: `https://${scene.at}/graphql`,
      fetch: scene.fetch,
      batchInterval: 20,
    });
    const client = new ApolloClient({ link, cache: new InMemoryCache(), devtools: { enabled: false } });
    const comment = (body: string): Promise<unknown> =>
      client.mutate({
        mutation: gql('mutation C($b: String!) { addComment(body: $b) }'),
        variables: { b: body },
      });
    await Promise.all([comment('1'), comment('2')]);
    assert.deepEqual(scene.called, ['addComment', 'addComment']);
    const merge = client.mutate({ mutation: gql('mutation M { mergePullRequest }') }) as Promise<unknown>;
    const results = await Promise.allSettled([comment('3'), merge]);
    for (const result of results)
      assert.match(String(result.status === 'rejected' && result.reason), /People merge\./);
    assert.equal(scene.called.length, 2);
  });

  test('a file in a form of the platform, with graphql-yoga', async () => {
    await using scene = await openScene(servers['graphql-yoga']!);
    const send = async (field: string): Promise<Record<string, unknown>> => {
      const form = new FormData();
      const query = `mutation U($file: File!) { ${field} }`;
      form.set('operations', JSON.stringify({ query, variables: { file: null } }));
      form.set('map', '{"0":["variables.file"]}');
      form.set('0', new Blob(['hello']), 'hello.txt');
      const response = await scene.fetch(`https://${scene.at}/graphql`, { method: 'POST', body: form });
      return dataOf(await response.json());
    };
    assert.equal((await send('upload(file: $file)'))['upload'], 'hello');
    await assert.rejects(send('upload(file: $file) mergePullRequest'), /People merge\./);
    assert.deepEqual(scene.called, ['upload']);
  });

  test('subscriptions as streams of events, of graphql-sse and graphql-yoga', async () => {
    const { createClient } = await use('graphql-sse');
    for (const name of ['graphql-sse', 'graphql-yoga']) {
      await using scene = await openScene(servers[name]!);
      const client = createClient({
        url: `https://${scene.at}/graphql`,
        fetchFn: scene.fetch,
        retryAttempts: 0,
      });
      const seen: unknown[] = [];
      for await (const { data } of client.iterate({ query: 'subscription T { ticks }' }))
        seen.push(data.ticks);
      assert.deepEqual(seen, [1, 2, 3], name);
      await assert.rejects(
        (async () => {
          for await (const event of client.iterate({ query: 'subscription S { secrets }' })) seen.push(event);
        })(),
      );
      assert.deepEqual(scene.called, ['ticks'], name);
      client.dispose();
    }
  });
});

interface Evasion {
  readonly target?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Ways to a mutation that is denied: each is one that some server takes, or a variation of one. */
function evasions(seed: number, count: number): readonly Evasion[] {
  const random = seeded(seed);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const json = { 'content-type': 'application/json' };
  const merge = (): string =>
    pick([
      'mergePullRequest',
      'viewer: mergePullRequest',
      'a:mergePullRequest(id:"1")',
      'a,:,mergePullRequest',
    ]);
  const gap = (): string => pick([' ', '\n', ',', '\t', '#}\n', '\r', '# """ \n']);
  const document = (): string =>
    pick([
      () => `mutation${gap()}{${gap()}${merge()}${gap()}}`,
      () => `mutation M{...F}${gap()}fragment F on Mutation{${merge()}}`,
      () =>
        `mutation query{...{...on Mutation{${gap()}...F}}}fragment F on Mutation{...G}fragment G on Mutation{${merge()}}`,
      () => `query Q{viewer{login}}${gap()}mutation M{${merge()}}`,
      () => `mutation M{addComment(body:"""\n} query {"""),${merge()}}query Q{viewer{login}}`,
      () => `mutation M($a:Boolean=false){${merge()} @skip(if:$a)}`,
      () => `fragment F on Mutation{${merge()}}${gap()}mutation M{addComment(body:"x")...F}`,
    ])();
  const named = (text: string): string | undefined => (text.includes('query Q') ? 'M' : undefined);
  const escaped = (text: string): string =>
    text.replaceAll(/[b-mo-z{]/g, (one) => (random() < 0.3 ? `\\u00${one.charCodeAt(0).toString(16)}` : one));
  const hash = (text: string): object => ({
    persistedQuery: { version: 1, sha256Hash: createHash('sha256').update(text).digest('hex') },
  });
  const form = (text: string): string => {
    const part = (name: string, content: string): string =>
      `--X\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;
    const operations = part('operations', JSON.stringify({ query: text, operationName: named(text) }));
    return pick([
      operations + part('map', '{}'),
      part('operations', '{"query":"{viewer{login}}"}') + operations + part('map', '{}'),
      part('map', '{}') + operations,
    ]);
  };
  const ways: readonly ((text: string) => Evasion)[] = [
    (query) => ({ headers: json, body: JSON.stringify({ query, operationName: named(query) }) }),
    (query) => ({
      headers: json,
      body: `{"query":"${escaped(query.replaceAll(/["\n\r\t]/g, ' '))}","operationName":${JSON.stringify(named(query) ?? null)}}`,
    }),
    (query) => ({
      headers: json,
      body: JSON.stringify([{ query: '{viewer{login}}' }, { query, operationName: named(query) }]),
    }),
    (query) => ({ headers: json, body: `{"query":"{viewer{login}}","query":${JSON.stringify(query)}}` }),
    (query) => ({
      headers: json,
      body: `{"query":"{viewer{login}}","\\u0071uery":${JSON.stringify(query)}}`,
    }),
    (query) => ({
      headers: { ...json, 'content-encoding': 'gzip' },
      body: gzipSync(JSON.stringify({ query, operationName: named(query) })),
    }),
    (query) => ({
      headers: { 'content-type': 'application/json; charset=utf-16' },
      body: JSON.stringify({ query, operationName: named(query) }),
    }),
    (query) => ({ headers: json, body: `\ufeff${JSON.stringify({ query })}` }),
    (query) => ({ headers: { 'content-type': 'application/graphql' }, body: query }),
    (query) => ({
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ query, operationName: named(query) ?? '' }).toString(),
    }),
    (query) => ({ method: 'GET', target: `?query=${encodeURIComponent(query)}` }),
    (query) => ({
      method: 'GET',
      target: `?query=%7Bviewer%7Blogin%7D%7D&query=${encodeURIComponent(query)}`,
    }),
    (query) => ({
      headers: json,
      target: `?query=${encodeURIComponent(query)}`,
      body: '{"query":"{viewer{login}}"}',
    }),
    (query) => ({ headers: json, body: JSON.stringify({ query, extensions: hash(query) }) }),
    (query) => ({
      headers: json,
      body: JSON.stringify({ extensions: hash(query), operationName: named(query) }),
    }),
    (query) => ({
      headers: json,
      body: JSON.stringify({ query: '{viewer{login}}', extensions: hash(query) }),
    }),
    (query) => ({
      headers: { 'content-type': `multipart/form-data; boundary=${pick(['X', '"X"'])}` },
      body: `${form(query)}--X--\r\n`,
    }),
  ];
  return Array.from({ length: count }, () => document()).flatMap((text) => ways.map((way) => way(text)));
}

async function sendTo(
  through: typeof fetch,
  at: string,
  { target = '', method = 'POST', headers, body }: Evasion,
): Promise<void> {
  const init = {
    method,
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
  };
  await (await through(`${at}/graphql${target}`, init)).text();
}

test(
  'no generated way leads to a mutation that is denied, and many of them do without a gateway',
  { skip },
  async () => {
    const all = evasions(20_261_127, 20);
    const open = '\n  - { name: all, OPEN }';
    const never = '\n  - { name: never, hosts: api.test, deny: true, graphql: { mutations: "merge*" } }';
    for (const [name, written] of [
      ['rules that allow others', rules.replace(/\n.*name: never.*/, '')],
      ['a rule that denies it', open + never],
    ] as const) {
      await using scene = await openScene(servers['graphql-yoga']!, '/graphql', written);
      const reached = (): number => scene.called.filter((field) => field === 'mergePullRequest').length;
      for (const one of all) await sendTo(fetch, scene.direct, one);
      // The positive control.
      assert.ok(reached() > all.length / 4, `${reached()} of ${all.length}`);
      scene.called.length = 0;
      for (const one of all) await sendTo(scene.fetch, `https://${scene.at}`, one);
      assert.equal(reached(), 0, name);
    }
  },
);

/** A proxy of CONNECT before the request path, for programs that know no other way. */
async function openProxy(path: RequestPath): Promise<{ readonly port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createPlainServer();
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    sockets.add(socket);
    const { socket: far } = path.open({ authority: request.url ?? '', mode: 'raw' });
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.on('error', () => far.destroy());
    far.on('error', () => socket.destroy());
    socket.pipe(far).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

test('gh shows the reason, and what a rule names works', { skip: skipGh }, async () => {
  const server: Serve = async (called) => {
    const { createYoga, createSchema } = await use('graphql-yoga');
    const schema = createSchema({ typeDefs: schemaText, resolvers: resolversOf(called) });
    const yoga = createYoga({ schema, logging: false, graphqlEndpoint: '/api/graphql' });
    return (request, response) => {
      // The types of GitHub, which this server does not know.
      request.headers.accept = 'application/json';
      return yoga(request, response);
    };
  };
  await using scene = await openScene(server, '/api/graphql');
  await using proxy = await openProxy(scene.path);
  await using directory = await temporaryDirectory();
  const ca = join(directory.path, 'ca.pem');
  await writeFile(ca, scene.path.caPem);
  const env = {
    PATH: process.env['PATH'],
    HOME: directory.path,
    HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
    SSL_CERT_FILE: ca,
    GH_HOST: scene.at,
    GH_ENTERPRISE_TOKEN: 'placeholder',
    GH_NO_UPDATE_NOTIFIER: '1',
  };
  const gh = async (...args: readonly string[]): Promise<{ stdout: string; stderr: string }> =>
    await promisify(execFile)('gh', args, { env, cwd: directory.path, timeout: 60_000 });
  const { stdout } = await gh(
    'api',
    'graphql',
    '-f',
    'query={ viewer { login } }',
    '--jq',
    '.data.viewer.login',
  );
  assert.equal(stdout.trim(), 'octocat');
  await assert.rejects(
    gh('api', 'graphql', '-f', 'query=mutation { mergePullRequest(id: "x") }'),
    /gh: upstreamproxy: People merge\./,
  );
  await assert.rejects(gh('api', 'graphql', '-f', 'query={ secret }'), /No rule allows the query secret/);
  const view = (name: string): Promise<{ stdout: string }> =>
    gh('repo', 'view', name, '--json', 'nameWithOwner');
  assert.deepEqual(JSON.parse((await view('acme/app')).stdout), { nameWithOwner: 'acme/app' });
  await assert.rejects(view('other/app'), /GraphQL: upstreamproxy: No rule allows the query repository/);
  assert.deepEqual(scene.called, ['viewer', 'repository']);
});
