// The transports of MCP through the gateway, with the client of the SDK: streams that go on where they broke, what servers ask of clients, and the
// transport of 2024-11-05. A peer of the newest revision, which the SDK does not have, is written by hand.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { openRequestPath, type RequestPath } from '../gateway/support/request-path.ts';
import { serveConformance } from './support/conformance-server.ts';
import { type Door, openDoor, sdk, skipWithoutSdk } from './support/mcp-sdk.ts';

interface Client {
  connect(transport: object): Promise<void>;
  close(): Promise<void>;
  listTools(): Promise<{ readonly tools: readonly { readonly name: string }[] }>;
  callTool(call: object): Promise<{ readonly content: readonly { readonly text?: string }[] }>;
  setRequestHandler(schema: unknown, handler: () => unknown): void;
}

interface Way extends AsyncDisposable {
  readonly path: RequestPath;
  readonly door: Door;
}

async function openWay(port: number, mcp: string): Promise<Way> {
  await using stack = new AsyncDisposableStack();
  const at = `mcp.test:${port}`;
  const path = stack.use(
    openRequestPath({
      policy: `rules:\n  - { name: guarded, hosts: mcp.test, scheme: http, ports: ${port}, addresses: 127.0.0.0/8, paths: [/mcp, /sse, /messages], mcp: { ${mcp} } }`,
      hosts: ['mcp.test'],
      trust: [],
    }),
  );
  const door = stack.use(await openDoor(at, () => path.open({ authority: at, mode: 'raw' }).socket));
  const moved = stack.move();
  return { path, door, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

async function makeClient(): Promise<{ client: Client; types: Record<string, unknown> }> {
  const [{ Client: Made }, types] = await Promise.all([sdk('client/index'), sdk('types')]);
  const capabilities = { sampling: {}, elicitation: {}, roots: {} };
  const client = new Made!({ name: 'client', version: '1' }, { capabilities }) as Client;
  client.setRequestHandler(types['ElicitRequestSchema'], () => ({
    action: 'accept',
    content: { response: 'x' },
  }));
  client.setRequestHandler(types['CreateMessageRequestSchema'], () => ({
    role: 'assistant',
    content: { type: 'text', text: 'said' },
    model: 'm',
  }));
  return { client, types };
}

describe('transports', { skip: skipWithoutSdk }, () => {
  test('the transport of 2024-11-05: lists are shown without the rest, calls go, and a refusal is told by its status', async () => {
    await using server = await serveConformance();
    await using way = await openWay(
      server.port,
      'tools: [test_simple_text, test_elicitation], input: elicitation',
    );
    const { client } = await makeClient();
    const { SSEClientTransport: Transport } = await sdk('client/sse');
    await client.connect(new Transport!(new URL(`${way.door.origin}/sse`)));
    try {
      const names = (await client.listTools()).tools.map(({ name }) => name);
      assert.deepEqual(names, ['test_simple_text', 'test_elicitation']);
      const called = await client.callTool({ name: 'test_simple_text', arguments: {} });
      assert.match(called.content[0]?.text ?? '', /simple text response/);
      const asked = await client.callTool({ name: 'test_elicitation', arguments: { message: 'who?' } });
      assert.match(asked.content[0]?.text ?? '', /action=accept/);
      await assert.rejects(
        client.callTool({ name: 'test_image_content', arguments: {} }),
        /403.*No rule allows a call of the tool/s,
      );
    } finally {
      await client.close();
    }
    const denied = way.path.audit.find(({ verdict }) => verdict === 'deny');
    assert.equal(denied?.mcp?.tool, 'test_image_content');
  });

  test('a stream that breaks is gone on with behind its last event, and the session is ended', async () => {
    await using server = await serveConformance();
    await using way = await openWay(server.port, 'tools: test_reconnection');
    const { client } = await makeClient();
    const { StreamableHTTPClientTransport: Transport } = await sdk('client/streamableHttp');
    const transport = new Transport!(new URL(`${way.door.origin}/mcp`)) as {
      terminateSession(): Promise<void>;
    };
    await client.connect(transport);
    try {
      const called = await client.callTool({ name: 'test_reconnection', arguments: {} });
      assert.match(called.content[0]?.text ?? '', /Reconnection test completed/);
      await transport.terminateSession();
    } finally {
      await client.close();
    }
    const methods = way.path.audit.map(({ method }) => method);
    assert.ok(methods.includes('DELETE'), methods.join());
    assert.ok(methods.filter((one) => one === 'GET').length >= 1, methods.join());
  });

  test('a server may ask its client by kinds, and a question that is withheld is refused at once', async () => {
    await using server = await serveConformance();
    await using way = await openWay(server.port, 'tools: "*", input: sampling');
    const { client } = await makeClient();
    const { StreamableHTTPClientTransport: Transport } = await sdk('client/streamableHttp');
    await client.connect(new Transport!(new URL(`${way.door.origin}/mcp`)));
    try {
      const sampled = await client.callTool({ name: 'test_sampling', arguments: { prompt: 'p' } });
      assert.match(sampled.content[0]?.text ?? '', /LLM response: .*said/);
      // The client never sees the question; that it knows no such method is its own error, which reaches the server.
      const called = await client
        .callTool({ name: 'test_elicitation', arguments: { message: 'who?' } })
        .catch((error: unknown) => ({ content: [{ text: String(error) }] }));
      assert.match(called.content[0]?.text ?? '', /Method not found/);
    } finally {
      await client.close();
    }
    assert.equal(
      way.path.audit.find(({ verdict }) => verdict === 'deny'),
      undefined,
    );
    const told = way.path.audit.filter(({ details }) => details?.['withheld'] !== undefined);
    assert.deepEqual(
      told.map(({ details }) => details?.['withheld']),
      [['elicitation']],
    );
  });
});

test('the revision of 2026-07-28: no session, fields that repeat the body, and what was asked for in the message that is sent again', async () => {
  const called: string[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (piece: Buffer) => (text += piece.toString()));
    request.on('end', () => {
      const { id, method, params } = JSON.parse(text) as {
        id: number;
        method: string;
        params: { name?: string; inputResponses?: object };
      };
      if (method === 'tools/call')
        called.push(`${params.name ?? ''}${params.inputResponses === undefined ? '' : ' again'}`);
      const result =
        method === 'tools/call' && params.inputResponses === undefined
          ? {
              resultType: 'input_required',
              inputRequests: { k: { method: 'elicitation/create', params: {} } },
              requestState: 's',
            }
          : {
              content: [{ type: 'text', text: 'done' }],
              tools: [{ name: 'a' }, { name: 'b' }],
              ttlMs: 1000,
              cacheScope: 'public',
            };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await using way = await openWay(port, 'tools: a, input: elicitation');
    const version = '2026-07-28';
    const send = async (
      method: string,
      params: object,
      fields: Readonly<Record<string, string>> = {},
    ): Promise<{ status: number; text: string }> => {
      const meta = { 'io.modelcontextprotocol/protocolVersion': version };
      const response = await fetch(`${way.door.origin}/mcp`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': version,
          'mcp-method': method,
          ...fields,
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }),
      });
      return { status: response.status, text: await response.text() };
    };
    const list = JSON.parse((await send('tools/list', {})).text) as {
      result: { tools: { name: string }[]; cacheScope: string };
    };
    assert.deepEqual([list.result.tools, list.result.cacheScope], [[{ name: 'a' }], 'private']);
    const call = { name: 'a', arguments: {} };
    assert.match((await send('tools/call', call, { 'mcp-name': 'a' })).text, /input_required/);
    const accepted = { k: { action: 'accept', content: {} } };
    assert.match(
      (
        await send(
          'tools/call',
          { ...call, inputResponses: accepted, requestState: 's' },
          { 'mcp-name': 'a' },
        )
      ).text,
      /done/,
    );
    const files = { k: { roots: [{ uri: 'file:///home' }] } };
    assert.match(
      (await send('tools/call', { ...call, inputResponses: files }, { 'mcp-name': 'a' })).text,
      /-32003/,
    );
    assert.match((await send('tools/call', { name: 'b' }, { 'mcp-name': 'b' })).text, /-32003/);
    // A field that names another tool than the body.
    assert.equal((await send('tools/call', { name: 'b' }, { 'mcp-name': 'a' })).status, 403);
    assert.equal(
      (await send('tools/call', call, { 'mcp-name': 'a', 'mcp-protocol-version': '2025-06-18' })).status,
      403,
    );
    assert.equal((await send('subscriptions/listen', {})).status, 200);
    assert.deepEqual(called, ['a', 'a again']);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
