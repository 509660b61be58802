// A service of models that speaks all five APIs as their services do, and keeps its own account of each call.
//
// Where it is not as the real ones: a token is four octets of the request's body, of which a tenth may be in a cache if the request says
// `cached`; what it writes is as long as the last message asks for (`say 40`), a token a word; it knows no media, and runs no tools of its
// own; errors have the fields that SDKs read, and no more. `fail 529` is an error, `cut 7` breaks the connection behind seven tokens.

import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { LlmApi } from '../../src/understand/llm-endpoint.ts';
import {
  amazonFrame,
  capOf,
  documentOf as invokeDocument,
  type Family,
  familyOf,
  fieldsOf,
  invokeForm,
} from './bedrock-invoke-server.ts';
import type { TestAuthority } from './test-authority.ts';

/** What the service bills a call. */
export interface Billed {
  readonly api: LlmApi;
  readonly input: number;
  readonly cached: number;
  output: number;
  /** Whether it was told all that it asked for. */
  isWhole: boolean;
}

export interface ModelServer extends AsyncDisposable {
  readonly port: number;
  readonly billed: readonly Billed[];
  /** Bodies that came, in order. */
  readonly bodies: readonly string[];
  /** What each request showed for a key, in either field. */
  readonly keys: readonly string[];
}

interface Plan {
  readonly api: LlmApi;
  /** Of a model that is asked in its own form. */
  readonly family?: Family;
  readonly streams: boolean;
  readonly words: number;
  readonly cap: number;
  readonly cutAt: number | undefined;
  readonly failure: number | undefined;
  readonly model: string;
  readonly asksUsage: boolean;
  readonly isArray: boolean;
}

/** `pauseMs`: between two tokens of a stream. */
export async function openModelServer(
  authority: TestAuthority,
  host: string,
  { pauseMs = 0 }: { readonly pauseMs?: number } = {},
): Promise<ModelServer> {
  const billed: Billed[] = [];
  const bodies: string[] = [];
  const keys: string[] = [];
  const server: Server = createServer(authority.issue(host), (request, response) => {
    void serve(request, response, { billed, bodies, keys, pauseMs }).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    billed,
    bodies,
    keys,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Ledger {
  readonly billed: Billed[];
  readonly bodies: string[];
  readonly keys: string[];
  readonly pauseMs: number;
}

async function serve(request: IncomingMessage, response: ServerResponse, ledger: Ledger): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  ledger.bodies.push(text);
  const { authorization, 'x-api-key': key } = request.headers;
  ledger.keys.push(`${authorization ?? ''}${String(key ?? '')}`);
  const path = new URL(request.url ?? '', 'https://model.test');
  if (request.method === 'GET') {
    response.setHeader('content-type', 'application/json').end('{"data":[]}');
    return;
  }
  const plan = planOf(path, JSON.parse(text) as Json);
  if (plan === undefined) {
    response.writeHead(404).end();
    return;
  }
  if (plan.failure !== undefined) {
    response.writeHead(plan.failure, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ type: 'error', error: { type: 'failed', message: 'it failed', code: plan.failure } }),
    );
    return;
  }
  const all = Math.ceil(Buffer.byteLength(text) / 4);
  const cached = text.includes('cached') ? Math.floor(all / 10) : 0;
  const bill: Billed = { api: plan.api, input: all - cached, cached, output: 0, isWhole: false };
  ledger.billed.push(bill);
  await (plan.streams ? stream(response, plan, bill, ledger.pauseMs) : whole(response, plan, bill));
}

type Json = Readonly<Record<string, unknown>>;

function planOf(path: URL, body: Json): Plan | undefined {
  const text = JSON.stringify(body);
  const number = (name: string): number | undefined => {
    const found = [...text.matchAll(new RegExp(`${name} (\\d+)`, 'g'))].at(-1)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const plan = (api: LlmApi, streams: boolean, cap: unknown, model: unknown): Plan => ({
    api,
    streams,
    cap: typeof cap === 'number' ? cap : Number.POSITIVE_INFINITY,
    words: number('say') ?? 10,
    cutAt: number('cut'),
    failure: number('fail'),
    model: String(model),
    asksUsage: (body['stream_options'] as Json | undefined)?.['include_usage'] === true,
    isArray: path.searchParams.get('alt') !== 'sse',
  });
  const name = path.pathname;
  const model = body['model'];
  if (name === '/v1/chat/completions')
    return plan(
      'openai-chat',
      body['stream'] === true,
      body['max_completion_tokens'] ?? body['max_tokens'],
      model,
    );
  if (name === '/v1/responses')
    return plan('openai-responses', body['stream'] === true, body['max_output_tokens'], model);
  if (name === '/v1/messages') return plan('anthropic', body['stream'] === true, body['max_tokens'], model);
  const gemini = /^\/v1(?:beta)?\/models\/([^/:]+):(generateContent|streamGenerateContent)$/.exec(name);
  const config = body['generationConfig'] as Json | undefined;
  if (gemini !== null)
    return plan('gemini', gemini[2] === 'streamGenerateContent', config?.['maxOutputTokens'], gemini[1]);
  const bedrock = /^\/model\/([^/]+)\/(converse|converse-stream)$/.exec(name);
  const inference = body['inferenceConfig'] as Json | undefined;
  if (bedrock !== null)
    return plan('bedrock', bedrock[2] === 'converse-stream', inference?.['maxTokens'], bedrock[1]);
  const invoked = /^\/model\/([^/]+)\/(invoke|invoke-with-response-stream)$/.exec(name);
  const family = familyOf(invoked?.[1] ?? '');
  if (invoked !== null && family !== undefined)
    return { ...plan('bedrock', invoked[2] !== 'invoke', capOf(family, body), invoked[1]), family };
  return undefined;
}

const lengthOf = ({ words, cap }: Plan): number => Math.min(words, cap);
const textOf = (count: number): string => 'word '.repeat(count);

async function whole(response: ServerResponse, plan: Plan, bill: Billed): Promise<void> {
  bill.output = lengthOf(plan);
  bill.isWhole = true;
  const body = JSON.stringify(documentOf(plan, bill));
  response.setHeader('content-type', 'application/json');
  if (plan.family !== undefined)
    for (const [field, value] of Object.entries(fieldsOf(plan.family, bill)))
      response.setHeader(field, value);
  if (plan.cutAt !== undefined) {
    response.write(body.slice(0, plan.cutAt));
    await new Promise((resolve) => void setImmediate(resolve));
    response.destroy();
    return;
  }
  response.end(body);
}

function openaiUsage({ input, cached, output }: Billed): Json {
  const all = input + cached;
  return {
    prompt_tokens: all,
    completion_tokens: output,
    total_tokens: all + output,
    prompt_tokens_details: { cached_tokens: cached },
  };
}

function responsesUsage({ input, cached, output }: Billed): Json {
  const all = input + cached;
  return {
    input_tokens: all,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: all + output,
  };
}

const anthropicUsage = ({ input, cached }: Billed, output: number): Json => ({
  input_tokens: input,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: cached,
  output_tokens: output,
});

function geminiUsage({ input, cached }: Billed, output: number): Json {
  const thoughts = Math.floor(output / 2);
  return {
    promptTokenCount: input + cached,
    ...(cached === 0 ? {} : { cachedContentTokenCount: cached }),
    candidatesTokenCount: output - thoughts,
    thoughtsTokenCount: thoughts,
    totalTokenCount: input + cached + output,
  };
}

const bedrockUsage = ({ input, cached, output }: Billed): Json => ({
  inputTokens: input,
  outputTokens: output,
  totalTokens: input + cached + output,
  ...(cached === 0 ? {} : { cacheReadInputTokens: cached }),
});

function response(plan: Plan, bill: Billed, status: string): Json {
  return {
    id: 'resp_1',
    object: 'response',
    created_at: 1,
    status,
    model: plan.model,
    output: [
      {
        type: 'message',
        id: 'msg_1',
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text: textOf(bill.output), annotations: [] }],
      },
    ],
    usage: status === 'in_progress' ? null : responsesUsage(bill),
  };
}

function documentOf(plan: Plan, bill: Billed): unknown {
  if (plan.family !== undefined) return invokeDocument(plan.family, bill);
  const text = textOf(bill.output);
  const { model } = plan;
  switch (plan.api) {
    case 'openai-chat':
      return {
        id: 'chatcmpl-1',
        object: 'chat.completion',
        created: 1,
        model,
        choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
        usage: openaiUsage(bill),
      };
    case 'openai-responses':
      return response(plan, bill, 'completed');
    case 'anthropic':
      return {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model,
        content: [{ type: 'text', text }],
        stop_reason: 'end_turn',
        stop_sequence: null,
        usage: anthropicUsage(bill, bill.output),
      };
    case 'gemini':
      return geminiChunk(text, bill, 'STOP');
    case 'bedrock':
      return {
        output: { message: { role: 'assistant', content: [{ text }] } },
        stopReason: 'end_turn',
        usage: bedrockUsage(bill),
        metrics: { latencyMs: 1 },
      };
  }
}

function geminiChunk(text: string, bill: Billed, finishReason?: string): Json {
  const candidate = { content: { role: 'model', parts: [{ text }] }, index: 0 };
  return {
    candidates: [finishReason === undefined ? candidate : { ...candidate, finishReason }],
    usageMetadata: geminiUsage(bill, bill.output),
    modelVersion: 'gemini',
  };
}

/** Writes what a stream has before its tokens, for each token, and behind them. */
interface StreamForm {
  readonly contentType: string;
  begin(): readonly (string | Buffer)[];
  token(): readonly (string | Buffer)[];
  end(): readonly (string | Buffer)[];
}

const event = (data: unknown, name?: string): string =>
  `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;

function formOf(plan: Plan, bill: Billed): StreamForm {
  const sse = 'text/event-stream; charset=utf-8';
  if (plan.family !== undefined)
    return { contentType: 'application/vnd.amazon.eventstream', ...invokeForm(plan.family, bill) };
  switch (plan.api) {
    case 'openai-chat': {
      const chunk = (choices: readonly unknown[], usage?: unknown): string =>
        event({
          id: 'chatcmpl-1',
          object: 'chat.completion.chunk',
          created: 1,
          model: plan.model,
          choices,
          ...(plan.asksUsage ? { usage: usage ?? null } : {}),
        });
      const delta = (content: Json, reason: string | null): string =>
        chunk([{ index: 0, delta: content, finish_reason: reason }]);
      return {
        contentType: sse,
        begin: () => [delta({ role: 'assistant', content: '' }, null)],
        token: () => [delta({ content: 'word ' }, null)],
        end: () => [
          delta({}, 'stop'),
          ...(plan.asksUsage ? [chunk([], openaiUsage(bill))] : []),
          'data: [DONE]\n\n',
        ],
      };
    }
    case 'openai-responses': {
      let sequence = 0;
      const say = (type: string, more: Json): string =>
        event({ type, sequence_number: sequence++, ...more }, type);
      return {
        contentType: sse,
        begin: () => [say('response.created', { response: response(plan, bill, 'in_progress') })],
        token: () => [
          say('response.output_text.delta', {
            item_id: 'msg_1',
            output_index: 0,
            content_index: 0,
            delta: 'word ',
          }),
        ],
        end: () => [say('response.completed', { response: response(plan, bill, 'completed') })],
      };
    }
    case 'anthropic':
      return {
        contentType: sse,
        begin: () => [
          event(
            {
              type: 'message_start',
              message: {
                id: 'msg_1',
                type: 'message',
                role: 'assistant',
                model: plan.model,
                content: [],
                stop_reason: null,
                stop_sequence: null,
                usage: anthropicUsage(bill, 1),
              },
            },
            'message_start',
          ),
          event(
            { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
            'content_block_start',
          ),
        ],
        token: () => [
          event(
            { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'word ' } },
            'content_block_delta',
          ),
        ],
        end: () => [
          event({ type: 'content_block_stop', index: 0 }, 'content_block_stop'),
          event(
            {
              type: 'message_delta',
              delta: { stop_reason: 'end_turn', stop_sequence: null },
              usage: { output_tokens: bill.output },
            },
            'message_delta',
          ),
          event({ type: 'message_stop' }, 'message_stop'),
        ],
      };
    case 'gemini':
      return geminiForm(plan, bill, sse);
    case 'bedrock':
      return {
        contentType: 'application/vnd.amazon.eventstream',
        begin: () => [amazonFrame('messageStart', { role: 'assistant' })],
        token: () => [amazonFrame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'word ' } })],
        end: () => [
          amazonFrame('contentBlockStop', { contentBlockIndex: 0 }),
          amazonFrame('messageStop', { stopReason: 'end_turn' }),
          amazonFrame('metadata', { usage: bedrockUsage(bill), metrics: { latencyMs: 1 } }),
        ],
      };
  }
}

function geminiForm(plan: Plan, bill: Billed, sse: string): StreamForm {
  if (!plan.isArray)
    return {
      contentType: sse,
      begin: () => [],
      token: () => [event(geminiChunk('word ', bill))],
      end: () => [event(geminiChunk('', bill, 'STOP'))],
    };
  let isFirst = true;
  const item = (chunk: Json): string => {
    const before = isFirst ? '[' : ',\n';
    isFirst = false;
    return before + JSON.stringify(chunk);
  };
  return {
    contentType: 'application/json; charset=UTF-8',
    begin: () => [],
    token: () => [item(geminiChunk('word ', bill))],
    end: () => [item(geminiChunk('', bill, 'STOP')), ']'],
  };
}

async function stream(response: ServerResponse, plan: Plan, bill: Billed, pauseMs: number): Promise<void> {
  const form = formOf(plan, bill);
  response.setHeader('content-type', form.contentType);
  const say = async (parts: readonly (string | Buffer)[]): Promise<void> => {
    for (const part of parts) if (!response.write(part)) await once(response, 'drain');
  };
  // As services do: who is gone is told nothing more, and pays for what was written.
  const isGone = (): boolean => response.destroyed || response.writableEnded;
  await say(form.begin());
  for (let at = 0; at < lengthOf(plan) && !isGone(); at += 1) {
    if (at === plan.cutAt) {
      response.destroy();
      return;
    }
    bill.output += 1;
    await say(form.token());
    await new Promise((resolve) => void setTimeout(resolve, pauseMs));
  }
  if (isGone()) return;
  await say(form.end());
  bill.isWhole = true;
  response.end();
}
