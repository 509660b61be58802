// "Only this repository" where mutations take opaque ids: such as responses of the same session had where a rule says, and no others.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type KnownIdPlace, LearnedIds } from '../../../src/gateway/exchange/learned-ids.ts';
import type { RequestAccess } from '../../../src/policy/decision.ts';
import { idSourceOf } from '../../../src/policy/graphql-ids.ts';
import type { KnownIdStore } from '../../../src/store/known-id-store.ts';
import { HeldOctets } from '../../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { type RawResponse, sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();

interface Scene extends AsyncDisposable {
  /** Asks for a document; the server responds with `data`. */
  ask(query: string, data?: object, variables?: object, principal?: string): Promise<RawResponse>;
  readonly asked: string[];
  readonly server: Pick<RequestAccess, 'destination' | 'path'>;
  setPolicy(rules: string): void;
  readonly acceptEncoding: () => string | undefined;
}

const rules = `
  - name: only-app
    OPEN
    paths: /graphql
    graphql:
      queries: [repository, node]
      mutations: [addComment, createIssue]
      ids: { from: { repository: { owner: acme, name: app } }, at: [id, issue.id], text: [body, title] }`;

async function openScene(written = rules, knownIds?: KnownIdPlace): Promise<Scene> {
  const asked: string[] = [];
  let [data, encoding]: [object, string | undefined] = [{}, undefined];
  const server = createServer(authority.issue('api.test'), (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      asked.push(JSON.parse(Buffer.concat(chunks).toString()).query as string);
      encoding = request.headers['accept-encoding'] as string | undefined;
      response.setHeader('content-type', 'application/json');
      const text = JSON.stringify({ data });
      response.write(text.slice(0, 5));
      response.end(text.slice(5));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const policyOf = (text: string): string =>
    `rules:${text.replaceAll('OPEN', `hosts: api.test\n    ports: ${port}\n    addresses: 127.0.0.0/8`)}`;
  const path = openRequestPath({
    policy: policyOf(written),
    hosts: ['api.test'],
    trust: [authority.caPem],
    ...(knownIds === undefined ? {} : { knownIds }),
  });
  const at = `api.test:${port}`;
  return {
    asked,
    server: { destination: { scheme: 'https', host: 'api.test', port }, path: '/graphql' },
    acceptEncoding: () => encoding,
    setPolicy: (text) => path.setPolicy(policyOf(text)),
    ask: async (query, given = {}, variables = {}, principal = 'alice') => {
      data = given;
      const body = JSON.stringify({ query, variables });
      const lines = [
        'POST /graphql HTTP/1.1',
        `Host: ${at}`,
        'Content-Type: application/json',
        'Accept-Encoding: gzip',
        `Content-Length: ${Buffer.byteLength(body)}`,
        'Connection: close',
      ];
      return await sendRaw(await path.tls(at, { principal }), `${lines.join('\r\n')}\r\n\r\n${body}`);
    },
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      server.closeAllConnections();
      server.close();
    },
  };
}

const isDenied = ({ body }: RawResponse): boolean => body.includes('"errors"');
const read = '{ repository(owner: "acme", name: "app") { id issue(number: 1) { x: id author { id } } } }';
const response = { repository: { id: 'R_app', issue: { x: 'I_1', author: { id: 'U_1' } } } };
const comment =
  'mutation ($id: ID!, $body: String!) { addComment(input: { subjectId: $id, body: $body }) { x } }';

test('an id is unknown until a response of the session had it where the rule says, and the client gets that response as it came', async () => {
  await using scene = await openScene();
  const before = await scene.ask(comment, {}, { id: 'I_1', body: 'hello' });
  assert.ok(isDenied(before));
  assert.match(
    before.body,
    /No response of this session had \\"I_1\\" where that rule takes ids from; ask for it first\./,
  );
  const { body } = await scene.ask(read, response);
  assert.ok(body.includes(JSON.stringify({ data: response })), body);
  assert.equal(scene.acceptEncoding(), 'identity');
  assert.ok(!isDenied(await scene.ask(comment, {}, { id: 'I_1', body: 'hello' })));
  assert.ok(
    !isDenied(
      await scene.ask('mutation { createIssue(input: { repositoryId: "R_app", title: "T" }) { x } }'),
    ),
  );
  assert.equal(scene.asked.length, 3);
});

test('what was not learned stays unknown: of another place, another session, another name, taken apart, or in another argument', async () => {
  await using scene = await openScene();
  await scene.ask(read, response);
  await scene.ask('{ repository(owner: "other", name: "app") { id } }', { repository: { id: 'R_other' } });
  await scene.ask('{ node(id: "I_2") { id } }', { node: { id: 'I_2' } });
  await scene.ask('{ repository(owner: "acme", name: "app") { id: description } }', {
    repository: { id: 'R_evil' },
  });
  const sent = scene.asked.length;
  for (const id of ['U_1', 'R_other', 'I_2', 'R_evil', 'I_', 'i_1', 'I_1 ', 7, { a: 'R_x' }, ['I_1', 'R_x']])
    assert.ok(isDenied(await scene.ask(comment, {}, { id, body: 'x' })), JSON.stringify(id));
  // A text that the rule does not name is an id.
  assert.ok(
    isDenied(
      await scene.ask('mutation { addComment(input: { subjectId: "I_1", labelIds: ["L_1"] }) { x } }'),
    ),
  );
  assert.ok(
    isDenied(
      await scene.ask(
        `${comment.slice(0, -1)} b: addComment(input: { subjectId: "R_x" }) { x } }`,
        {},
        { id: 'I_1', body: 'x' },
      ),
    ),
  );
  assert.ok(isDenied(await scene.ask(comment, {}, { id: 'I_1', body: 'x' }, 'bob')));
  assert.ok(isDenied(await scene.ask(comment, {}, { id: 'I_1', body: 'x' }, 'alice/other')));
  assert.equal(scene.asked.length, sent);
  assert.ok(!isDenied(await scene.ask(comment, {}, { id: ['I_1', 'R_app'], body: 'x' })));
});

test('ids of fields below the one of a mutation are looked at too, in fragments as well', async () => {
  await using scene = await openScene();
  await scene.ask(read, response);
  const asking = (fields: string): string =>
    `mutation { addComment(input: { subjectId: "I_1" }) { ${fields} } } fragment F on X { x }`;
  const inFragment = asking('...F').replace('{ x }', '{ issue { delete(id: "OTHER") { x } } }');
  for (const query of [asking('issue { delete(id: "OTHER") { x } } ...F'), inFragment])
    assert.ok(isDenied(await scene.ask(query)), query);
  assert.ok(!isDenied(await scene.ask(asking('issue { show(id: "I_1") { x } } ...F'))));
});

test('a list of lists that variables make costs no more than a decision may', async () => {
  await using scene = await openScene();
  const list = `[${'$v '.repeat(3000)}]`;
  const query = `mutation ($v: [ID!]) { addComment(input: { ids: ${list} }) { x } }`;
  const response = await scene.ask(query, {}, { v: Array.from({ length: 9000 }, () => true) });
  assert.match(response.body, /decisionStepsMax/);
  assert.equal(scene.asked.length, 0);
});

test('a rule that takes ids from elsewhere has learned nothing', async () => {
  await using scene = await openScene();
  await scene.ask(read, response);
  scene.setPolicy(rules.replace('name: app }', 'name: other }'));
  assert.ok(isDenied(await scene.ask(comment, {}, { id: 'I_1', body: 'x' })));
  scene.setPolicy(rules);
  assert.ok(!isDenied(await scene.ask(comment, {}, { id: 'I_1', body: 'x' })));
});

test('what is known of a session is bounded, charged to it, and gone with it', () => {
  const held = new HeldOctets();
  const ids = new LearnedIds(held);
  const server = { destination: { scheme: 'https', host: 'a.test', port: 443 }, path: '/' } as const;
  const many = Array.from({ length: defaultLimits.learnedIdsPerSessionMax + 1 }, (_, i) => `id-${i}`);
  ids.learn('s', server, 'source', many);
  const known = ids.of('s', server);
  assert.deepEqual([known.has('source', 'id-0'), known.has('source', 'id-1')], [false, true]);
  assert.equal(known.has('other', 'id-1'), false);
  assert.equal(ids.of('s', { ...server, path: '/other' }).has('source', 'id-1'), false);
  assert.equal(ids.of('t', server).has('source', 'id-1'), false);
  ids.learn('s', server, 'source', ['x'.repeat(257), 'id-1']);
  assert.equal(known.has('source', 'x'.repeat(257)), false);
  const octets = held.ofSession('s');
  assert.ok(octets > 200_000 && octets < 1_000_000, String(octets));
  ids.forget('s');
  assert.deepEqual([held.ofSession('s'), ids.size, known.has('source', 'id-1')], [0, 0, false]);
});

test('a session without room learns nothing, and its responses go on', () => {
  const held = new HeldOctets({ ...defaultLimits, heldOctetsPerSessionMax: 100 });
  const ids = new LearnedIds(held);
  const server = { destination: { scheme: 'https', host: 'a.test', port: 443 }, path: '/' } as const;
  ids.learn('s', server, 'source', ['id']);
  assert.equal(ids.of('s', server).has('source', 'id'), false);
});

/** A store in memory. `asked`: how often it was asked for what a session was told; `stored`: how often it was told. */
function memoryPlace(): KnownIdPlace & {
  readonly asked: () => number;
  readonly stored: () => number;
  nowMs: number;
  isAway: boolean;
} {
  const told = new Map<string, Set<string>>();
  let asked = 0;
  let stored = 0;
  const respond = async <T>(run: () => T): Promise<T> => {
    if (place.isAway) throw new Error('it is away');
    return run();
  };
  const store: KnownIdStore = {
    learn: (sessionId, digests) =>
      respond(() => {
        stored += 1;
        const known = told.get(sessionId) ?? new Set();
        for (const one of digests) known.add(one);
        told.set(sessionId, known);
      }),
    toldTo: (sessionId) => {
      asked += 1;
      return respond(() => [...(told.get(sessionId) ?? [])]);
    },
    forget: (sessionId) => respond(() => void told.delete(sessionId)),
  };
  const place = {
    store,
    clock: () => place.nowMs,
    onFault: () => undefined,
    asked: () => asked,
    stored: () => stored,
    nowMs: 0,
    isAway: false,
  };
  return place;
}

test('a session that was told an id at another gateway may use it here, and another session may not', async () => {
  const place = memoryPlace();
  await using scene = await openScene(rules, place);
  const elsewhere = new LearnedIds(new HeldOctets(), place);
  const source = { from: { repository: { owner: 'acme', name: 'app' } }, at: ['id', 'issue.id'], text: [] };
  elsewhere.learn('session-alice', scene.server, idSourceOf(source), ['I_9']);
  assert.ok(isDenied(await scene.ask(comment, {}, { id: 'I_9', body: 'x' }, 'bob')));
  assert.ok(!isDenied(await scene.ask(comment, {}, { id: 'I_9', body: 'x' })));
  assert.ok(isDenied(await scene.ask(comment, {}, { id: 'I_8', body: 'x' })));
  assert.equal(place.asked(), 2);
  assert.ok(!isDenied(await scene.ask(comment, {}, { id: 'I_9', body: 'x' })));
  assert.equal(place.asked(), 2);
});

test('the store is asked now and then, only about what is missed, and one that is away opens nothing', async () => {
  const place = memoryPlace();
  const ids = new LearnedIds(new HeldOctets(), place);
  const elsewhere = new LearnedIds(new HeldOctets(), place);
  const server = { destination: { scheme: 'https', host: 'a.test', port: 443 }, path: '/' } as const;
  const allows = async (id: string): Promise<boolean> =>
    (await ids.known('s', server, (known) => known.has('source', id))).has('source', id);
  ids.learn('s', server, 'source', ['own']);
  ids.learn('s', server, 'source', ['own']);
  assert.equal(place.stored(), 1);
  assert.deepEqual([await allows('own'), place.asked()], [true, 0]);
  await ids.known('s', server, () => false);
  assert.equal(place.asked(), 0);
  place.isAway = true;
  assert.deepEqual([await allows('other'), place.asked()], [false, 1]);
  place.isAway = false;
  elsewhere.learn('s', server, 'source', ['other']);
  assert.deepEqual([await allows('other'), place.asked()], [false, 1]);
  place.nowMs = defaultLimits.knownIdsAskMs;
  assert.deepEqual(await Promise.all([allows('other'), allows('other')]), [true, true]);
  assert.equal(place.asked(), 2);
  ids.forget('s');
  place.nowMs *= 2;
  assert.equal(await allows('other'), false);
});

test('of a session that is over nothing is learned or asked for, and nothing is left', async () => {
  const place = memoryPlace();
  const held = new HeldOctets();
  const over = new Set<string>();
  const ids = new LearnedIds(held, place, (sessionId) => over.has(sessionId));
  const server = { destination: { scheme: 'https', host: 'a.test', port: 443 }, path: '/' } as const;
  ids.learn('s', server, 'source', ['before']);
  over.add('s');
  ids.forget('s');
  ids.learn('s', server, 'source', ['behind']);
  const known = await ids.known('s', server, (now) => now.has('source', 'behind'));
  assert.equal(known.has('source', 'behind'), false);
  assert.deepEqual([ids.size, held.ofSession('s'), place.stored(), place.asked()], [0, 0, 1, 0]);
  ids.learn('t', server, 'source', ['one']);
  assert.equal(ids.size, 1);
});
