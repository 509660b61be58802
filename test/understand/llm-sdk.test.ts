// The SDKs of the services with the gateway between: what a rule allows works, streamed and whole; what it refuses is shown, and not sent again.

import assert from 'node:assert/strict';
import { Agent as HttpsAgent } from 'node:https';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Agent, fetch, getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { openRequestPath, type RequestPath } from '../gateway/support/request-path.ts';
import { openModelServer } from '../support/model-server.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const tools = process.env['TEST_UNDERSTANDING'];
const skip = tools === undefined ? 'of npm run test:understanding' : false;
const host = 'model.test';

/** As much of an SDK as is used; it is not there where the types are checked. */
type Sdk = Readonly<Record<string, new (options: unknown) => unknown>>;

async function sdk(name: string): Promise<Sdk> {
  const require = createRequire(join(tools ?? '', 'package.json'));
  return (await import(pathToFileURL(require.resolve(name)).href)) as Sdk;
}

interface Reach {
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly agent: HttpsAgent;
}

/** Calls the model and gives its words, and what the SDK says was used: read, written. */
type Call = (
  text: string,
  streams: boolean,
) => Promise<readonly [words: number, read: number, written: number]>;

const wordsIn = (text: string): number => text.match(/word /g)?.length ?? 0;
const said = (content: string): object[] => [{ role: 'user', content }];

interface ChatUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

interface OpenAi {
  readonly chat: { readonly completions: { create(body: object): Promise<never> } };
  readonly responses: { create(body: object): Promise<never> };
}

/** By the API, and what of it is meant. */
const callers: Readonly<Record<string, (reach: Reach) => Promise<Call>>> = {
  'openai-chat': async (reach) => {
    const { OpenAI } = await sdk('openai');
    const client = new OpenAI!({ apiKey: 'k', baseURL: `${reach.url}/v1`, fetch: reach.fetch }) as OpenAi;
    return async (text, streams) => {
      const body = { model: 'gpt-5-mini', messages: said(text), max_completion_tokens: 50 };
      if (!streams) {
        const whole: { choices: { message: { content: string } }[]; usage: ChatUsage } =
          await client.chat.completions.create(body);
        return [
          wordsIn(whole.choices[0]!.message.content),
          whole.usage.prompt_tokens,
          whole.usage.completion_tokens,
        ];
      }
      // As most programs read it: each event has a choice.
      const stream: AsyncIterable<{ choices: { delta: { content?: string } }[] }> =
        await client.chat.completions.create({ ...body, stream: true });
      let all = '';
      for await (const { choices } of stream) all += choices[0]!.delta.content ?? '';
      return [wordsIn(all), -1, wordsIn(all)];
    };
  },
  'openai-responses': async (reach) => {
    const { OpenAI } = await sdk('openai');
    const client = new OpenAI!({ apiKey: 'k', baseURL: `${reach.url}/v1`, fetch: reach.fetch }) as OpenAi;
    type Whole = { output_text: string; usage: { input_tokens: number; output_tokens: number } };
    return async (text, streams) => {
      const body = { model: 'gpt-5-mini', input: text, max_output_tokens: 50 };
      if (!streams) {
        const { output_text: words, usage }: Whole = await client.responses.create(body);
        return [wordsIn(words), usage.input_tokens, usage.output_tokens];
      }
      const stream: AsyncIterable<{ type: string; delta?: string; response?: Whole }> =
        await client.responses.create({ ...body, stream: true });
      let all = '';
      let last: Whole | undefined;
      for await (const event of stream) {
        if (event.type === 'response.output_text.delta') all += event.delta ?? '';
        if (event.type === 'response.completed') last = event.response;
      }
      return [wordsIn(all), last!.usage.input_tokens, last!.usage.output_tokens];
    };
  },
  anthropic: async (reach) => {
    const { Anthropic } = await sdk('@anthropic-ai/sdk');
    interface Message {
      readonly content: { readonly text: string }[];
      readonly usage: { input_tokens: number; cache_read_input_tokens: number; output_tokens: number };
    }
    const client = new Anthropic!({ apiKey: 'k', baseURL: reach.url, fetch: reach.fetch }) as {
      readonly messages: {
        create(body: object): Promise<Message>;
        stream(body: object): { finalMessage(): Promise<Message> };
      };
    };
    return async (text, streams) => {
      const body = { model: 'claude-sonnet-5', messages: said(text), max_tokens: 50 };
      const { content, usage } = streams
        ? await client.messages.stream(body).finalMessage()
        : await client.messages.create(body);
      const read = usage.input_tokens + (usage.cache_read_input_tokens ?? 0);
      return [wordsIn(content[0]!.text), read, usage.output_tokens];
    };
  },
  gemini: async (reach) => {
    const { GoogleGenAI } = await sdk('@google/genai');
    interface Response {
      readonly text: string;
      readonly usageMetadata: {
        promptTokenCount: number;
        candidatesTokenCount: number;
        thoughtsTokenCount?: number;
      };
    }
    const client = new GoogleGenAI!({ apiKey: 'k', httpOptions: { baseUrl: reach.url } }) as {
      readonly models: {
        generateContent(asked: object): Promise<Response>;
        generateContentStream(asked: object): Promise<AsyncIterable<Response>>;
      };
    };
    return async (text, streams) => {
      const asked = { model: 'gemini-2.5-flash', contents: text, config: { maxOutputTokens: 50 } };
      let words = '';
      let usage: Response['usageMetadata'] | undefined;
      const take = (response: Response): void => {
        words += response.text ?? '';
        usage = response.usageMetadata;
      };
      if (streams) for await (const chunk of await client.models.generateContentStream(asked)) take(chunk);
      else take(await client.models.generateContent(asked));
      return [
        wordsIn(words),
        usage!.promptTokenCount,
        usage!.candidatesTokenCount + (usage!.thoughtsTokenCount ?? 0),
      ];
    };
  },
  bedrock: async (reach) => {
    const { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } = await sdk(
      '@aws-sdk/client-bedrock-runtime',
    );
    const { NodeHttpHandler } = await sdk('@smithy/node-http-handler');
    interface Usage {
      readonly inputTokens: number;
      readonly outputTokens: number;
      readonly cacheReadInputTokens?: number;
    }
    interface Response {
      readonly output: { message: { content: { text: string }[] } };
      readonly usage: Usage;
      readonly stream: AsyncIterable<{
        contentBlockDelta?: { delta: { text: string } };
        metadata?: { usage: Usage };
      }>;
    }
    const client = new BedrockRuntimeClient!({
      region: 'us-east-1',
      endpoint: reach.url,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      requestHandler: new NodeHttpHandler!({ httpsAgent: reach.agent }),
    }) as { send(command: unknown): Promise<Response> };
    return async (text, streams) => {
      const asked = {
        modelId: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
        messages: [{ role: 'user', content: [{ text }] }],
        inferenceConfig: { maxTokens: 50 },
      };
      const counted = (words: string, { inputTokens, cacheReadInputTokens = 0, outputTokens }: Usage) =>
        [wordsIn(words), inputTokens + cacheReadInputTokens, outputTokens] as const;
      if (!streams) {
        const { output, usage } = await client.send(new ConverseCommand!(asked));
        return counted(output.message.content[0]!.text, usage);
      }
      let words = '';
      let usage: Usage | undefined;
      for await (const event of (await client.send(new ConverseStreamCommand!(asked))).stream) {
        words += event.contentBlockDelta?.delta.text ?? '';
        usage = event.metadata?.usage ?? usage;
      }
      return counted(words, usage!);
    };
  },
  'bedrock invoke': async (reach) => {
    const { BedrockRuntimeClient, InvokeModelCommand, InvokeModelWithResponseStreamCommand } = await sdk(
      '@aws-sdk/client-bedrock-runtime',
    );
    const { NodeHttpHandler } = await sdk('@smithy/node-http-handler');
    interface Usage {
      readonly input_tokens: number;
      readonly cache_read_input_tokens?: number;
    }
    interface Message {
      readonly content?: readonly { readonly text: string }[];
      readonly delta?: { readonly text?: string };
      readonly message?: { readonly usage: Usage };
      readonly usage?: Usage & { readonly output_tokens: number };
    }
    interface Response {
      readonly body: Uint8Array & AsyncIterable<{ readonly chunk: { readonly bytes: Uint8Array } }>;
    }
    const client = new BedrockRuntimeClient!({
      region: 'us-east-1',
      endpoint: reach.url,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      requestHandler: new NodeHttpHandler!({ httpsAgent: reach.agent }),
    }) as { send(command: unknown): Promise<Response> };
    const messageIn = (octets: Uint8Array): Message => JSON.parse(Buffer.from(octets).toString()) as Message;
    const readBy = ({ input_tokens: input, cache_read_input_tokens: cached = 0 }: Usage): number =>
      input + cached;
    return async (text, streams) => {
      const asked = {
        modelId: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
        contentType: 'application/json',
        accept: 'application/json',
        body: JSON.stringify({
          anthropic_version: 'bedrock-2023-05-31',
          max_tokens: 50,
          messages: said(text),
        }),
      };
      if (!streams) {
        const { content, usage } = messageIn((await client.send(new InvokeModelCommand!(asked))).body);
        return [wordsIn(content![0]!.text), readBy(usage!), usage!.output_tokens];
      }
      let [words, read, written] = ['', -1, -1];
      const { body } = await client.send(new InvokeModelWithResponseStreamCommand!(asked));
      for await (const { chunk } of body) {
        const { delta, message, usage } = messageIn(chunk.bytes);
        words += delta?.text ?? '';
        if (message !== undefined) read = readBy(message.usage);
        written = usage?.output_tokens ?? written;
      }
      return [wordsIn(words), read, written];
    };
  },
};

function reachOf(path: RequestPath, at: string): Reach & { close(): Promise<void> } {
  const dispatcher = new Agent({
    connect: (_options, done) => {
      path.tls(at).then(
        (socket) => done(null, socket),
        (error: unknown) => done(error as Error, null),
      );
    },
  });
  const agent = new HttpsAgent();
  const create = (_options: unknown, done: (error: Error | null, socket?: Duplex) => void): undefined => {
    path.tls(at).then(
      (socket) => done(null, socket),
      (error: unknown) => done(error as Error),
    );
  };
  Object.assign(agent, { createConnection: create });
  const through = ((url: string, init: object) => fetch(url, { ...init, dispatcher })) as typeof fetch;
  const before = getGlobalDispatcher();
  // The SDK of Gemini asks with the fetch of the runtime.
  setGlobalDispatcher(dispatcher);
  return {
    url: `https://${at}`,
    fetch: through,
    agent,
    close: async () => {
      setGlobalDispatcher(before);
      agent.destroy();
      await dispatcher.destroy();
    },
  };
}

describe('an SDK of a service', { skip }, () => {
  for (const [name, open] of Object.entries(callers))
    test(`of ${name} is served, and is told what its rule refuses once`, async () => {
      const [api = ''] = name.split(' ');
      const authority = createTestAuthority();
      await using server = await openModelServer(authority, host);
      await using path = openRequestPath({
        policy: `rules: [{ name: models, hosts: ${host}, ports: ${server.port}, addresses: 127.0.0.0/8, llm: { api: ${api}, models: ["gpt-5-mini", "claude-sonnet*", "gemini-2.5-*", "us.anthropic.*"], outputTokens: 100, budget: { tokens: { session: 15000 }, money: { day: 1 } } } }]`,
        hosts: [host],
        trust: [authority.caPem],
      });
      const reach = reachOf(path, `${host}:${server.port}`);
      try {
        const call = await open(reach);
        for (const streams of [false, true]) {
          const count = server.billed.length;
          const [words, read, written] = await call('say 12 cached', streams);
          const billed = server.billed[count]!;
          assert.deepEqual([words, written, billed.output], [12, 12, 12]);
          if (read >= 0) assert.equal(read, billed.input + billed.cached);
          const { llm } = (await path.events(count + 1)).at(-1)!;
          assert.deepEqual(
            [llm?.api, llm?.streams, llm?.inputTokens, llm?.cachedTokens, llm?.outputTokens, llm?.isEstimate],
            [api, streams, billed.input, billed.cached, 12, undefined],
          );
          assert.ok((llm?.nanoUsd ?? 0) > 0);
        }
        // What is left is less than such a call can take.
        await assert.rejects(call(`say 1 ${'x'.repeat(14_000)}`, false), (error: Error) => {
          assert.match(
            error.message,
            /upstreamproxy: the budget of the rule models has \d+ tokens of 15000 tokens left/,
          );
          return true;
        });
        assert.equal(server.billed.length, 2);
        const events = await path.events(3);
        assert.deepEqual([events.length, events[2]?.verdict, events[2]?.status], [3, 'deny', 403]);
      } finally {
        await reach.close();
      }
    });
});
