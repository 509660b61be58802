// Rules about operations of GraphQL, on the request path: what is judged is what goes on, and what cannot be read goes nowhere.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { type RawResponse, sendRaw } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly origin: Awaited<ReturnType<typeof httpsOrigin>>;
  post(body: unknown, fields?: readonly string[], target?: string): Promise<RawResponse>;
  send(head: readonly string[], body?: string | Buffer): Promise<RawResponse>;
  upgrade(head: readonly string[]): Promise<RawResponse>;
}

async function openScene(rules: string): Promise<Scene> {
  const origin = await httpsOrigin({ authority });
  const place = `hosts: api.test, ports: ${origin.port}`;
  const path = openRequestPath({
    policy: `rules:\n${rules.replaceAll('HOST', place).replaceAll('OPEN', `${place}, addresses: 127.0.0.0/8`)}`,
    hosts: ['api.test'],
    trust: [authority.caPem],
  });
  const at = `api.test:${origin.port}`;
  const send = async (head: readonly string[], body: string | Buffer = ''): Promise<RawResponse> => {
    const lines = [...head, `Host: ${at}`, 'Connection: close', '', ''];
    return await sendRaw(
      await path.tls(at),
      Buffer.concat([Buffer.from(lines.join('\r\n')), Buffer.from(body)]),
    );
  };
  return {
    path,
    origin,
    send,
    upgrade: async (head) => await sendRaw(await path.tls(at), [...head, `Host: ${at}`, '', ''].join('\r\n')),
    post: (body, fields = ['Content-Type: application/json'], target = '/echo') => {
      const octets = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      const head = [`POST ${target} HTTP/1.1`, `Content-Length: ${octets.length}`, ...fields];
      return send([...head, 'Accept: application/graphql-response+json, application/json'], octets);
    },
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

interface GraphqlError {
  readonly message: string;
  readonly extensions: { readonly code: string; readonly reason: string; readonly rule: string };
}

/** The one error of a refusal in GraphQL's form. */
function errorOf({ status, body }: RawResponse): GraphqlError {
  assert.equal(status, 200);
  const { errors } = JSON.parse(body) as { readonly errors: readonly GraphqlError[] };
  assert.equal(errors.length, 1);
  return errors[0]!;
}

const hashOf = (body: string | Buffer): string => createHash('sha256').update(body).digest('hex');

const guarded = `  - { name: guarded, OPEN, paths: /echo, graphql: { queries: [viewer, "repo*"], mutations: addComment, depthMax: 4, costMax: 100 } }`;

test('a field that a rule names is asked for, another one is refused in the words of GraphQL, and the origin hears nothing of it', async () => {
  await using scene = await openScene(guarded);
  const body = { query: 'query Me { a: viewer { login } }' };
  assert.equal((await scene.post(body)).status, 200);
  assert.equal(scene.origin.requests[0]?.bodySha256, hashOf(JSON.stringify(body)));
  assert.equal((await scene.post({ query: 'mutation { addComment }' })).status, 200);
  const refused = errorOf(
    await scene.post({
      query: 'query A { viewer } mutation B { viewer: deleteRef(input: {}) }',
      operationName: 'A',
    }),
  );
  assert.match(refused.message, /No rule allows the query viewer and the mutation deleteRef \(POST https/);
  assert.match(
    refused.message,
    /The rule guarded allows this server for: queries viewer, repo\*; mutations addComment; depthMax 4; costMax 100\./,
  );
  assert.deepEqual(
    [refused.extensions.code, refused.extensions.reason, refused.extensions.rule],
    ['FORBIDDEN', 'policy_denied', 'default-deny'],
  );
  assert.equal(scene.origin.requests.length, 2);
  const events = await scene.path.events(3);
  assert.deepEqual(
    events.map(({ verdict, graphql }) => ({ verdict, graphql })),
    [
      {
        verdict: 'allow',
        graphql: { operations: [{ type: 'query', name: 'Me', fields: ['viewer'] }] },
      },
      { verdict: 'allow', graphql: { operations: [{ type: 'mutation', fields: ['addComment'] }] } },
      {
        verdict: 'deny',
        graphql: {
          operations: [
            { type: 'query', name: 'A', fields: ['viewer'] },
            { type: 'mutation', name: 'B', fields: ['deleteRef'] },
          ],
        },
      },
    ],
  );
});

test('what is too large is told with its size', async () => {
  await using scene = await openScene(guarded);
  const deep = errorOf(await scene.post({ query: '{ viewer { a { b { c { d } } } } }' }));
  assert.match(deep.message, /This has a depth of 5 \(depthMax 4\)\./);
  const large = errorOf(
    await scene.post({ query: 'query ($n: Int) { viewer(first: $n) { b } }', variables: { n: 100 } }),
  );
  assert.match(large.message, /This has a cost of 200 \(costMax 100\)\./);
  const unknown = errorOf(await scene.post({ query: '{ viewer(last: "x") }' }));
  assert.match(unknown.message, /This has a cost that its variables do not bound \(costMax 100\)\./);
  assert.equal(scene.origin.requests.length, 0);
});

test('of several rules the closest one is told', async () => {
  await using scene = await openScene(`  - { name: read, OPEN, paths: /echo, graphql: { queries: "*" } }
  - { name: write, OPEN, paths: /echo, graphql: { mutations: addComment, depthMax: 1 } }
  - { name: write-deep, OPEN, paths: /echo, graphql: { mutations: "add*", depthMax: 2 } }`);
  const told = async (query: string): Promise<string> => errorOf(await scene.post({ query })).message;
  assert.match(
    await told('mutation { deleteRef }'),
    /The rule write allows this server for: mutations addComment/,
  );
  assert.match(
    await told('mutation { addComment { a { b } } }'),
    /The rule write allows .* This has a depth of 3/,
  );
  assert.equal(scene.origin.requests.length, 0);
});

test('queries by GET go, mutations by GET and fields beside a body do not', async () => {
  await using scene = await openScene(guarded);
  assert.equal((await scene.send(['GET /echo?query=%7Bviewer%7Blogin%7D%7D HTTP/1.1'])).status, 200);
  for (const target of [
    '/echo',
    '/echo?query=mutation%7BaddComment%7D',
    '/echo?query=%7Bviewer%7D&query=%7Brepository%7D',
    '/echo?query=%7Bviewer%7D&x=1',
  ])
    assert.equal((await scene.send([`GET ${target} HTTP/1.1`])).status, 403, target);
  assert.equal((await scene.post({ query: '{ viewer }' }, undefined, '/echo?query=%7Bx%7D')).status, 403);
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS'])
    assert.equal(
      (await scene.send([`${method} /echo?query=%7Bviewer%7D HTTP/1.1`, 'Content-Length: 0'])).status,
      403,
      method,
    );
  const text = JSON.stringify({ query: '{ viewer }' });
  const put = ['PUT /echo HTTP/1.1', 'Content-Type: application/json', `Content-Length: ${text.length}`];
  assert.match((await scene.send(put, text)).body, /No rule allows the query viewer/);
  assert.equal(scene.origin.requests.length, 1);
});

test('bodies in other forms are refused by name', async () => {
  await using scene = await openScene(guarded);
  for (const type of [
    'application/graphql; charset=latin1',
    'application/graphql, text/plain',
    'application/graphql+x',
    'application/x-www-form-urlencoded',
    'text/plain',
  ]) {
    const response = await scene.post(Buffer.from('{ viewer }'), [`Content-Type: ${type}`]);
    assert.equal(response.status, 403);
    assert.match(
      response.body,
      /the operations of the request, which has a Content-Type that is not one of JSON/,
    );
  }
  assert.equal(
    (
      await scene.post(gzipSync('{"query":"{viewer}"}'), [
        'Content-Type: application/json',
        'Content-Encoding: gzip',
      ])
    ).status,
    200,
  );
  assert.equal(scene.origin.requests.length, 1);
});

test('a document alone is judged as one in JSON is, and goes on as it came', async () => {
  await using scene = await openScene(guarded);
  const send = async (text: string | Buffer, target?: string): Promise<number> =>
    (await scene.post(Buffer.from(text), ['Content-Type: application/graphql; charset=utf-8'], target))
      .status;
  assert.equal(await send('{ viewer }'), 200);
  assert.equal(scene.origin.requests.length, 1);
  assert.deepEqual((await scene.path.events(1))[0]?.graphql?.operations, [
    { type: 'query', fields: ['viewer'] },
  ]);
  for (const text of [
    'mutation { mergeAll }',
    'query A { viewer } mutation B { mergeAll }',
    '{"query":"{ viewer }"}',
    '\ufeff{ viewer }',
    Buffer.from([0x7b, 0x20, 0xff, 0x7d]),
    '',
  ])
    await send(text);
  assert.equal(await send('{ viewer }', '/echo?variables=%7B%7D'), 403);
  assert.equal(scene.origin.requests.length, 1);
});

test('files come with a request where a rule says so, and the form goes on as it came', async () => {
  await using scene = await openScene(guarded.replace('depthMax: 4', 'uploads: true'));
  const form = (field: string): Buffer =>
    Buffer.from(
      [
        '--X\r\nContent-Disposition: form-data; name="operations"\r\n\r\n',
        `{"query":"mutation ($f: Upload!) { ${field}(file: $f) }","variables":{"f":null}}`,
        '\r\n--X\r\nContent-Disposition: form-data; name="map"\r\n\r\n{"0":["variables.f"]}',
        '\r\n--X\r\nContent-Disposition: form-data; name="0"; filename="a"\r\n\r\n\0\xff\r\n--X--\r\n',
      ].join(''),
      'latin1',
    );
  const type = ['Content-Type: multipart/form-data; boundary=X'];
  assert.equal((await scene.post(form('addComment'), type)).status, 200);
  assert.equal(scene.origin.requests[0]?.bodySha256, hashOf(form('addComment')));
  assert.match(errorOf(await scene.post(form('deleteRef'), type)).message, /the mutation deleteRef/);
  const odd = await scene.post(form('addComment'), ['Content-Type: multipart/form-data; boundary="X"']);
  assert.equal(odd.status, 403);
  await using plain = await openScene(guarded);
  assert.equal(errorOf(await plain.post(form('addComment'), type)).extensions.code, 'FORBIDDEN');
  assert.equal(scene.origin.requests.length + plain.origin.requests.length, 1);
});

test('an array is judged element by element where it may come at all, and each gets its error', async () => {
  await using scene = await openScene(guarded.replace('depthMax: 4', 'batch: true'));
  assert.equal(
    (await scene.post([{ query: '{ viewer }' }, { query: 'mutation { addComment }' }])).status,
    200,
  );
  const { status, body } = await scene.post([{ query: '{ viewer }' }, { query: 'mutation { deleteRef }' }]);
  assert.equal(status, 200);
  const results = JSON.parse(body) as readonly { readonly errors: readonly GraphqlError[] }[];
  assert.equal(results.length, 2);
  assert.match(results[1]?.errors[0]?.message ?? '', /the mutation deleteRef/);
  assert.equal(scene.origin.requests.length, 1);
  await using single = await openScene(guarded);
  assert.equal(JSON.parse((await single.post([{ query: '{ viewer }' }])).body).length, 1);
  assert.equal(single.origin.requests.length, 0);
});

test('a hash alone goes only if the rule names it, and its client is told to send the document', async () => {
  const known = 'query { other }';
  await using scene = await openScene(
    `  - { name: kept, OPEN, paths: /echo, graphql: { queries: viewer, persisted: ["sha256:${hashOf(known)}", doc-1] } }`,
  );
  const hashed = (text: string): object => ({
    extensions: { persistedQuery: { version: 1, sha256Hash: hashOf(text) } },
  });
  assert.equal((await scene.post(hashed(known))).status, 200);
  assert.equal((await scene.post({ documentId: 'doc-1' })).status, 200);
  assert.equal(errorOf(await scene.post(hashed('{ viewer }'))).extensions.code, 'PERSISTED_QUERY_NOT_FOUND');
  assert.equal(
    errorOf(await scene.post({ documentId: 'doc-2' })).extensions.code,
    'PERSISTED_QUERY_NOT_FOUND',
  );
  // The text decides, not its hash.
  assert.equal(errorOf(await scene.post({ query: known, ...hashed(known) })).extensions.code, 'FORBIDDEN');
  assert.equal((await scene.post({ query: '{ viewer }', ...hashed('{ viewer }') })).status, 200);
  assert.equal(scene.origin.requests.length, 3);
  assert.deepEqual((await scene.path.events(1))[0]?.graphql, {
    operations: [],
    persisted: [`sha256:${hashOf(known)}`],
  });
});

test('a rule that denies takes the field in any letter case, in any operation, and whatever cannot be read', async () => {
  await using scene = await openScene(`  - { name: server, OPEN, paths: /echo }
  - { name: no-deletion, HOST, deny: true, paths: /echo, graphql: { mutations: "delete*", introspection: true } }`);
  assert.equal((await scene.post({ query: 'mutation { addComment }' })).status, 200);
  for (const query of [
    'mutation { a: DeleteRef }',
    '{ viewer } mutation B { ...F } fragment F on Mutation { deleteRef }',
    '{ __schema { types { name } } }',
  ])
    assert.equal((await scene.post({ query })).status, query.includes('B') ? 403 : 200, query);
  for (const body of [{ documentId: 'x' }, [{ query: 'query A { a } mutation B { deleteRef }' }]])
    assert.match((await scene.post(body)).body, /The rule no-deletion refuses/);
  assert.equal((await scene.post({ id: 'x' })).status, 403);
  assert.equal(scene.origin.requests.length, 1);
});

test('a WebSocket is none of what such a rule allows', async () => {
  await using scene = await openScene(guarded);
  const fields = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];
  const response = await scene.upgrade([
    'GET /echo HTTP/1.1',
    ...fields,
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol: graphql-transport-ws',
  ]);
  assert.equal(response.status, 403);
  assert.match(response.body, /is that of a WebSocket/);
  assert.equal(scene.origin.requests.length, 0);
});

test('a rule on trial tells what it would have refused', async () => {
  await using scene = await openScene(`  - { name: server, OPEN, paths: /echo }
  - { name: trial, HOST, deny: true, mode: observe, paths: /echo, graphql: { mutations: "*" } }`);
  assert.equal((await scene.post({ query: 'mutation { a }' })).status, 200);
  assert.equal((await scene.post({ query: '{ a }' })).status, 200);
  assert.deepEqual(
    (await scene.path.events(2)).map(({ observed }) => observed),
    ['trial', undefined],
  );
});

test('beside a condition on the body both are asked', async () => {
  await using scene = await openScene(
    `  - { name: both, OPEN, paths: /echo, graphql: { queries: viewer }, when: 'json.variables.team == "a"' }`,
  );
  const query = 'query ($team: String) { viewer(team: $team) }';
  assert.equal((await scene.post({ query, variables: { team: 'a' } })).status, 200);
  assert.equal(
    (await scene.post({ query: 'query ($team: String) { other(team: $team) }', variables: { team: 'a' } }))
      .status,
    200,
  );
  assert.match((await scene.post({ query, variables: { team: 'b' } })).body, /No rule allows/);
  assert.equal(scene.origin.requests.length, 1);
});
