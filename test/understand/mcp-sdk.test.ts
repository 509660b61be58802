// Client and server of the SDK of MCP with the gateway between them: what a rule names works, the rest is not shown and not called.

import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { createServer } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Agent, fetch } from 'undici';
import { z } from 'zod';
import { openRequestPath } from '../gateway/support/request-path.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const tools = process.env['TEST_UNDERSTANDING'];
const skip = tools === undefined ? 'of npm run test:understanding' : false;

/** As much of the SDK as is used; it is not there where the types are checked. */
interface Client {
  connect(transport: object): Promise<void>;
  close(): Promise<void>;
  listTools(): Promise<{ readonly tools: readonly { readonly name: string }[] }>;
  listResources(): Promise<{ readonly resources: readonly { readonly uri: string }[] }>;
  listPrompts(): Promise<{ readonly prompts: readonly { readonly name: string }[] }>;
  callTool(call: object): Promise<{ readonly content: readonly { readonly text?: string }[] }>;
  readResource(asked: object): Promise<object>;
  getPrompt(asked: object): Promise<object>;
  setRequestHandler(schema: unknown, handler: () => unknown): void;
}
type Made<T> = new (...values: unknown[]) => T;

async function sdk(name: string): Promise<Record<string, Made<object>>> {
  const require = createRequire(join(tools ?? '', 'package.json'));
  const file = require.resolve(`@modelcontextprotocol/sdk/${name}.js`).replace('/cjs/', '/esm/');
  return (await import(pathToFileURL(file).href)) as Record<string, Made<object>>;
}

interface McpServer {
  registerTool(name: string, options: object, handler: (input: { to?: string }) => object): void;
  registerResource(name: string, uri: string, options: object, handler: () => object): void;
  registerPrompt(name: string, options: object, handler: () => object): void;
  connect(transport: object): Promise<void>;
  readonly server: { elicitInput(asked: object): Promise<object> };
}

/** Every call that reached the server. */
async function serve(
  authority: ReturnType<typeof createTestAuthority>,
  isJson: boolean,
): Promise<{ server: Server; port: number; called: string[] }> {
  const called: string[] = [];
  const [{ McpServer: Own }, { StreamableHTTPServerTransport: Transport }] = await Promise.all([
    sdk('server/mcp'),
    sdk('server/streamableHttp'),
  ]);
  const sessions = new Map<string, { handleRequest(request: object, response: object): Promise<void> }>();
  const open = async (): Promise<{ handleRequest(request: object, response: object): Promise<void> }> => {
    const mcp = new Own!({ name: 'server', version: '1' }) as McpServer;
    for (const name of ['search', 'read_file', 'delete_repo', 'ask'])
      mcp.registerTool(
        name,
        { description: name, inputSchema: { to: z.string().optional() } },
        async ({ to }) => {
          called.push(`${name} ${to ?? ''}`.trim());
          const said =
            name === 'ask'
              ? JSON.stringify(
                  await mcp.server
                    .elicitInput({ message: 'who?', requestedSchema: { type: 'object', properties: {} } })
                    .catch(String),
                )
              : `done ${name}`;
          return { content: [{ type: 'text', text: said }] };
        },
      );
    for (const name of ['a', 'b'])
      mcp.registerResource(name, `file:///${name}/x`, {}, () => ({
        contents: [{ uri: `file:///${name}/x`, text: name }],
      }));
    for (const name of ['hello', 'other'])
      mcp.registerPrompt(name, {}, () => ({
        messages: [{ role: 'user', content: { type: 'text', text: name } }],
      }));
    const transport = new Transport!({
      sessionIdGenerator: () => `session-${sessions.size}`,
      enableJsonResponse: isJson,
      onsessioninitialized: (id: string) => void sessions.set(id, transport),
    }) as { handleRequest(request: object, response: object): Promise<void> };
    await mcp.connect(transport);
    return transport;
  };
  const server = createServer(authority.issue('mcp.test'), (request, response) => {
    const id = request.headers['mcp-session-id'];
    void (async () => (sessions.get(String(id)) ?? (await open())).handleRequest(request, response))();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port, called };
}

describe('the client and the server of the SDK', { skip }, () => {
  for (const isJson of [true, false])
    test(isJson ? 'with responses of JSON' : 'with streams of events', async () => {
      const authority = createTestAuthority();
      const { server, port, called } = await serve(authority, isJson);
      await using path = openRequestPath({
        policy: `rules:
  - { name: guarded, hosts: mcp.test, ports: ${port}, addresses: 127.0.0.0/8, paths: /mcp, mcp: { tools: [search, "read_*", ask], resources: "file:///a/*", prompts: hello } }
  - { name: never, hosts: mcp.test, deny: true, paths: /mcp, mcp: { tools: search, arguments: { to: evil } } }`,
        hosts: ['mcp.test'],
        trust: [authority.caPem],
      });
      const at = `mcp.test:${port}`;
      const dispatcher = new Agent({
        connect: (_options, done) => {
          path.tls(at).then(
            (socket) => done(null, socket),
            (error: unknown) => done(error as Error, null),
          );
        },
      });
      const [{ Client: Made }, { StreamableHTTPClientTransport: Transport }, types] = await Promise.all([
        sdk('client/index'),
        sdk('client/streamableHttp'),
        sdk('types'),
      ]);
      const client = new Made!(
        { name: 'client', version: '1' },
        { capabilities: { elicitation: {} } },
      ) as Client;
      client.setRequestHandler(types['ElicitRequestSchema'], () => ({
        action: 'accept',
        content: { secret: 1 },
      }));
      const through = (url: string, init: object): unknown => fetch(url, { ...init, dispatcher });
      try {
        await client.connect(new Transport!(new URL(`https://${at}/mcp`), { fetch: through }));
        const listed = await client.listTools();
        assert.deepEqual(
          listed.tools.map(({ name }) => name),
          ['search', 'read_file', 'ask'],
        );
        assert.deepEqual(
          (await client.listResources()).resources.map(({ uri }) => uri),
          ['file:///a/x'],
        );
        assert.deepEqual(
          (await client.listPrompts()).prompts.map(({ name }) => name),
          ['hello'],
        );
        const found = await client.callTool({ name: 'search', arguments: { to: 'me' } });
        assert.equal(found.content[0]?.text, 'done search');
        await assert.rejects(
          client.callTool({ name: 'delete_repo', arguments: {} }),
          /-32003.*No rule allows a call of the tool "delete_repo"/s,
        );
        await assert.rejects(
          client.callTool({ name: 'search', arguments: { to: 'evil' } }),
          /The rule never refuses/,
        );
        await client.readResource({ uri: 'file:///a/x' });
        await assert.rejects(client.readResource({ uri: 'file:///b/x' }), /-32003/);
        await client.getPrompt({ name: 'hello' });
        await assert.rejects(client.getPrompt({ name: 'other' }), /-32003/);
        assert.deepEqual(called, ['search me']);
      } finally {
        await client.close();
        await dispatcher.destroy();
        server.closeAllConnections();
        server.close();
      }
    });
});
