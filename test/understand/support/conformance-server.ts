// A server with the tools, resources and prompts that the conformance suite of MCP asks for by name, on the low-level server of the SDK, and the
// transport of 2024-11-05 beside the one of today.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sdk } from './mcp-sdk.ts';

type Handler = (request: { readonly params: Record<string, unknown> }, extra: Extra) => unknown;
interface Extra {
  readonly sessionId?: string;
  readonly requestId: string | number;
  readonly _meta?: { readonly progressToken?: string | number };
  sendNotification(notification: object): Promise<void>;
  sendRequest(request: object, schema: unknown, options: object): Promise<Record<string, unknown>>;
}
interface Protocol {
  setRequestHandler(schema: unknown, handler: Handler): void;
  connect(transport: object): Promise<void>;
}
interface Transport {
  readonly sessionId?: string;
  handleRequest(request: IncomingMessage, response: ServerResponse): Promise<void>;
  handlePostMessage(request: IncomingMessage, response: ServerResponse): Promise<void>;
  closeSSEStream(id: string | number): void;
}

const image =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const sound = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';
const text = (said: string): object => ({ type: 'text', text: said });
const picture = { type: 'image', data: image, mimeType: 'image/png' };
const embedded = (uri: string, mimeType = 'text/plain', said = 'embedded'): object => ({
  type: 'resource',
  resource: { uri, mimeType, text: said },
});
const user = (content: object): object => ({ role: 'user', content });

const argumentsOf = { type: 'object', properties: {} };
const described = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } },
  },
  properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
  additionalProperties: false,
};
const form = (properties: object): object => ({ type: 'object', properties, required: [] });
const defaults = form({
  name: { type: 'string', default: 'John Doe' },
  age: { type: 'integer', default: 30 },
  score: { type: 'number', default: 95.5 },
  status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
  verified: { type: 'boolean', default: true },
});
const choices = ['value1', 'value2', 'value3'].map((one) => ({ const: one, title: `The ${one}` }));
const options = ['option1', 'option2', 'option3'];
const enums = form({
  untitledSingle: { type: 'string', enum: options },
  titledSingle: { type: 'string', oneOf: choices },
  legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['One', 'Two', 'Three'] },
  untitledMulti: { type: 'array', minItems: 1, maxItems: 3, items: { type: 'string', enum: options } },
  titledMulti: { type: 'array', minItems: 1, maxItems: 3, items: { anyOf: choices } },
});

type Tool = (input: Record<string, unknown>, extra: Extra, scene: Scene) => Promise<object> | object;
interface Scene {
  readonly result: unknown;
  readonly elicited: unknown;
  readonly transports: Map<string, Transport>;
}

/** A client that is kept from responding is not waited for as long as the SDK would. */
const patience = { timeout: 5_000 };

const said = (...content: readonly object[]): object => ({ content });
const elicit =
  (message: (input: Record<string, unknown>) => unknown, requestedSchema: object, begin: string): Tool =>
  async (input, { sendRequest }, { elicited }) => {
    const params = { message: message(input), requestedSchema };
    const { action, content } = await sendRequest(
      { method: 'elicitation/create', params },
      elicited,
      patience,
    );
    return said(text(`${begin}: action=${String(action)}, content=${JSON.stringify(content ?? {})}`));
  };
const notify =
  (method: string, each: readonly ((extra: Extra) => object)[], end: (extra: Extra) => string): Tool =>
  async (_input, extra) => {
    for (const params of each) await extra.sendNotification({ method, params: params(extra) });
    return said(text(end(extra)));
  };

const tools: Readonly<Record<string, Tool>> = {
  test_simple_text: () => said(text('This is a simple text response for testing.')),
  test_image_content: () => said(picture),
  test_audio_content: () => said({ type: 'audio', data: sound, mimeType: 'audio/wav' }),
  test_embedded_resource: () => said(embedded('test://embedded-resource')),
  test_multiple_content_types: () =>
    said(
      text('several'),
      picture,
      embedded('test://mixed', 'application/json', '{"test":"data","value":123}'),
    ),
  test_tool_with_logging: notify(
    'notifications/message',
    ['Tool execution started', 'Tool processing data', 'Tool execution completed'].map((data) => () => ({
      level: 'info',
      data,
    })),
    () => 'done',
  ),
  test_tool_with_progress: notify(
    'notifications/progress',
    [0, 50, 100].map((progress) => ({ _meta }) => ({
      progressToken: _meta?.progressToken ?? 0,
      progress,
      total: 100,
    })),
    ({ _meta }) => String(_meta?.progressToken ?? 0),
  ),
  test_error_handling: () => ({
    isError: true,
    content: [text('This tool intentionally returns an error for testing')],
  }),
  test_reconnection: (_input, { sessionId = '', requestId }, { transports }) => {
    transports.get(sessionId)?.closeSSEStream(requestId);
    return said(text('Reconnection test completed successfully.'));
  },
  test_sampling: async ({ prompt }, { sendRequest }, { result }) => {
    const messages = [user(text(String(prompt)))];
    const found = await sendRequest(
      { method: 'sampling/createMessage', params: { messages, maxTokens: 100 } },
      result,
      patience,
    );
    return said(text(`LLM response: ${JSON.stringify(found['content'])}`));
  },
  test_elicitation: elicit(
    ({ message }) => message,
    { type: 'object', properties: { response: { type: 'string' } }, required: ['response'] },
    'User response',
  ),
  test_elicitation_sep1034_defaults: elicit(() => 'defaults', defaults, 'Elicitation completed'),
  test_elicitation_sep1330_enums: elicit(() => 'enums', enums, 'Elicitation completed'),
  json_schema_2020_12_tool: (input) => said(text(JSON.stringify(input))),
};

const prompts: Readonly<
  Record<string, readonly [names: readonly string[], make: (input: Record<string, string>) => object[]]>
> = {
  test_simple_prompt: [[], () => [user(text('This is a simple prompt for testing.'))]],
  test_prompt_with_arguments: [
    ['arg1', 'arg2'],
    ({ arg1, arg2 }) => [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
  ],
  test_prompt_with_embedded_resource: [
    ['resourceUri'],
    ({ resourceUri = '' }) => [user(embedded(resourceUri)), user(text('Please process the resource.'))],
  ],
  test_prompt_with_image: [[], () => [user(picture), user(text('Please analyze the image above.'))]],
};

const resources: Readonly<Record<string, object>> = {
  'test://static-text': { mimeType: 'text/plain', text: 'This is the content of the static text resource.' },
  'test://static-binary': { mimeType: 'image/png', blob: image },
  'test://watched-resource': { mimeType: 'text/plain', text: 'Watched resource content' },
};

function resourceOf(uri: string): object {
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  return (
    resources[uri] ?? {
      mimeType: 'application/json',
      text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
    }
  );
}

async function makeServer(transports: Map<string, Transport>): Promise<Protocol> {
  const [{ Server: Made }, types] = await Promise.all([sdk('server/index'), sdk('types')]);
  const capabilities = {
    tools: {},
    resources: { subscribe: true },
    prompts: {},
    logging: {},
    completions: {},
  };
  const server = new Made!({ name: 'conformance', version: '1' }, { capabilities }) as Protocol;
  const scene = {
    result: types['CreateMessageResultSchema'],
    elicited: types['ElicitResultSchema'],
    transports,
  };
  const on = (schema: string, handler: Handler): void => server.setRequestHandler(types[schema], handler);
  on('ListToolsRequestSchema', () => ({
    tools: Object.keys(tools).map((name) => ({
      name,
      description: `Tests ${name}`,
      inputSchema: name === 'json_schema_2020_12_tool' ? described : argumentsOf,
    })),
  }));
  on('CallToolRequestSchema', async ({ params }, extra) => {
    const tool = tools[String(params['name'])];
    if (tool === undefined) throw new Error('there is no such tool');
    return await tool((params['arguments'] ?? {}) as Record<string, unknown>, extra, scene);
  });
  on('ListPromptsRequestSchema', () => ({
    prompts: Object.entries(prompts).map(([name, [names]]) => ({
      name,
      description: name,
      arguments: names.map((one) => ({ name: one, required: true })),
    })),
  }));
  on('GetPromptRequestSchema', ({ params }) => ({
    messages:
      prompts[String(params['name'])]?.[1]((params['arguments'] ?? {}) as Record<string, string>) ?? [],
  }));
  on('ListResourcesRequestSchema', () => ({
    resources: Object.entries(resources).map(([uri, { mimeType }]: [string, { mimeType?: string }]) => ({
      uri,
      name: uri,
      mimeType,
    })),
  }));
  on('ListResourceTemplatesRequestSchema', () => ({
    resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template' }],
  }));
  on('ReadResourceRequestSchema', ({ params }) => ({
    contents: [{ uri: params['uri'], ...resourceOf(String(params['uri'])) }],
  }));
  for (const schema of ['SubscribeRequestSchema', 'UnsubscribeRequestSchema', 'SetLevelRequestSchema'])
    on(schema, () => ({}));
  on('CompleteRequestSchema', () => ({ completion: { values: ['paris'], total: 1, hasMore: false } }));
  return server;
}

/** Events of streams, so that a client can go on behind one of them. */
function eventStore(): object {
  const events: { id: string; streamId: string; message: object }[] = [];
  return {
    storeEvent: (streamId: string, message: object) => {
      const id = `${streamId}::${String(events.length).padStart(6, '0')}`;
      events.push({ id, streamId, message });
      return Promise.resolve(id);
    },
    replayEventsAfter: async (
      last: string,
      { send }: { send: (id: string, message: object) => Promise<void> },
    ) => {
      const [streamId = ''] = last.split('::');
      for (const one of events)
        if (one.streamId === streamId && one.id > last && Object.keys(one.message).length > 0)
          await send(one.id, one.message);
      return streamId;
    },
  };
}

export interface ConformanceServer extends AsyncDisposable {
  readonly port: number;
}

/** `/mcp` is streamable HTTP, `/sse` with `/messages` the transport of 2024-11-05. */
export async function serveConformance(): Promise<ConformanceServer> {
  const transports = new Map<string, Transport>();
  const [{ StreamableHTTPServerTransport: Streamable }, { SSEServerTransport: Older }] = await Promise.all([
    sdk('server/streamableHttp'),
    sdk('server/sse'),
  ]);
  const open = async (): Promise<Transport> => {
    const transport = new Streamable!({
      sessionIdGenerator: () => `session-${transports.size}`,
      eventStore: eventStore(),
      retryInterval: 100,
      onsessioninitialized: (id: string) => void transports.set(id, transport),
    }) as Transport;
    await (await makeServer(transports)).connect(transport);
    return transport;
  };
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '', 'http://a');
    if (url.pathname === '/mcp') {
      const id = String(request.headers['mcp-session-id']);
      await (transports.get(id) ?? (await open())).handleRequest(request, response);
    } else if (url.pathname === '/sse') {
      const transport = new Older!('/messages', response) as Transport;
      transports.set(String(transport.sessionId), transport);
      await (await makeServer(transports)).connect(transport);
    } else
      await transports.get(url.searchParams.get('sessionId') ?? '')?.handlePostMessage(request, response);
  };
  const server: Server = createServer((request, response) => {
    void respond(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
