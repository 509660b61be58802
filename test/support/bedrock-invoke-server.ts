// What a service says to InvokeModel of Bedrock, for each family of models as that family says it. A part of model-server.ts.
//
// Cohere's say nowhere what they took but at the end of a stream, as the real ones; those of Meta count along.

import { crc32 } from 'node:zlib';

export type Family = 'anthropic' | 'nova' | 'llama' | 'mistral' | 'cohere';
type Json = Readonly<Record<string, unknown>>;

export interface Taken {
  readonly input: number;
  readonly cached: number;
  readonly output: number;
}

const beginnings: Readonly<Record<string, Family>> = {
  anthropic: 'anthropic',
  amazon: 'nova',
  meta: 'llama',
  mistral: 'mistral',
  cohere: 'cohere',
};

/** By the name of the model, encoded as it is in a path. */
export function familyOf(model: string): Family | undefined {
  const name = decodeURIComponent(model).replace(/^(?:us|eu|global)\./, '');
  return beginnings[name.split('.', 1)[0] ?? ''];
}

/** The cap of a body; without one the service writes as much as it likes. */
export function capOf(family: Family, body: Json): unknown {
  const config = body['inferenceConfig'] as Json | undefined;
  if (family === 'nova') return config?.['maxTokens'] ?? config?.['max_new_tokens'];
  return body[family === 'llama' ? 'max_gen_len' : 'max_tokens'];
}

const anthropicUsage = ({ input, cached }: Taken, output: number): Json => ({
  input_tokens: input,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: cached,
  output_tokens: output,
});
const novaUsage = ({ input, cached, output }: Taken): Json => ({
  inputTokens: input,
  outputTokens: output,
  totalTokens: input + cached + output,
  cacheReadInputTokenCount: cached,
  cacheWriteInputTokenCount: 0,
});

export function documentOf(family: Family, taken: Taken): Json {
  const text = 'word '.repeat(taken.output);
  switch (family) {
    case 'anthropic':
      return {
        id: 'msg_bdrk_1',
        type: 'message',
        role: 'assistant',
        model: 'claude',
        content: [{ type: 'text', text }],
        stop_reason: 'end_turn',
        stop_sequence: null,
        usage: anthropicUsage(taken, taken.output),
      };
    case 'nova':
      return {
        output: { message: { role: 'assistant', content: [{ text }] } },
        stopReason: 'end_turn',
        usage: novaUsage(taken),
      };
    case 'llama':
      return {
        generation: text,
        prompt_token_count: taken.input + taken.cached,
        generation_token_count: taken.output,
        stop_reason: 'stop',
      };
    case 'mistral':
      return { outputs: [{ text, stop_reason: 'stop' }] };
    case 'cohere':
      return { response_id: 'r', generation_id: 'g', text, finish_reason: 'COMPLETE', chat_history: [] };
  }
}

/** Fields of a response that is no stream. What is in a cache is not told apart by models that have none. */
export function fieldsOf(family: Family, taken: Taken): Readonly<Record<string, string>> {
  if (family === 'cohere') return {};
  const has = hasCache(family);
  return {
    'x-amzn-bedrock-input-token-count': String(has ? taken.input : taken.input + taken.cached),
    'x-amzn-bedrock-output-token-count': String(taken.output),
    'x-amzn-bedrock-invocation-latency': '1',
    ...(has
      ? {
          'x-amzn-bedrock-cache-read-input-token-count': String(taken.cached),
          'x-amzn-bedrock-cache-write-input-token-count': '0',
        }
      : {}),
  };
}

const hasCache = (family: Family): boolean => family === 'anthropic' || family === 'nova';

/** What a stream says before its tokens, of each token, and behind them; `taken` grows meanwhile. */
export interface InvokeForm {
  begin(): readonly Buffer[];
  token(): readonly Buffer[];
  end(): readonly Buffer[];
}

export function invokeForm(family: Family, taken: Taken): InvokeForm {
  const metrics = (): Json => ({
    'amazon-bedrock-invocationMetrics': {
      inputTokenCount: hasCache(family) ? taken.input : taken.input + taken.cached,
      outputTokenCount: taken.output,
      invocationLatency: 2,
      firstByteLatency: 1,
      ...(hasCache(family) ? { cacheReadInputTokenCount: taken.cached, cacheWriteInputTokenCount: 0 } : {}),
    },
  });
  const { begin, token, end } = messagesOf(family, taken);
  return {
    begin: () => begin().map(chunk),
    token: () => token().map(chunk),
    end: () => {
      const said = end();
      return [...said.slice(0, -1), { ...said.at(-1), ...metrics() }].map(chunk);
    },
  };
}

interface Messages {
  begin(): readonly Json[];
  token(): readonly Json[];
  end(): readonly Json[];
}

function messagesOf(family: Family, taken: Taken): Messages {
  switch (family) {
    case 'anthropic':
      return {
        begin: () => [
          {
            type: 'message_start',
            message: {
              id: 'msg_bdrk_1',
              type: 'message',
              role: 'assistant',
              model: 'claude',
              content: [],
              stop_reason: null,
              usage: anthropicUsage(taken, 1),
            },
          },
          { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
        ],
        token: () => [
          { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'word ' } },
        ],
        end: () => [
          { type: 'content_block_stop', index: 0 },
          {
            type: 'message_delta',
            delta: { stop_reason: 'end_turn', stop_sequence: null },
            usage: { output_tokens: taken.output },
          },
          { type: 'message_stop' },
        ],
      };
    case 'nova':
      return {
        begin: () => [{ messageStart: { role: 'assistant' } }],
        token: () => [{ contentBlockDelta: { delta: { text: 'word ' }, contentBlockIndex: 0 } }],
        end: () => [
          { contentBlockStop: { contentBlockIndex: 0 } },
          { messageStop: { stopReason: 'end_turn' } },
          { metadata: { usage: novaUsage(taken), metrics: {}, trace: {} } },
        ],
      };
    case 'llama': {
      const piece = (generation: string, read: number | null, reason: string | null): Json => ({
        generation,
        prompt_token_count: read,
        generation_token_count: taken.output,
        stop_reason: reason,
      });
      return {
        begin: () => [piece('', taken.input + taken.cached, null)],
        token: () => [piece('word ', null, null)],
        end: () => [piece('', null, 'stop')],
      };
    }
    case 'mistral':
      return {
        begin: () => [],
        token: () => [{ outputs: [{ text: 'word ', stop_reason: null }] }],
        end: () => [{ outputs: [{ text: '', stop_reason: 'stop' }] }],
      };
    case 'cohere':
      return {
        begin: () => [{ event_type: 'stream-start', generation_id: 'g', is_finished: false }],
        token: () => [{ event_type: 'text-generation', text: 'word ', is_finished: false }],
        end: () => [{ event_type: 'stream-end', finish_reason: 'COMPLETE', is_finished: true }],
      };
  }
}

/** A part of the response of the model in a frame; the padding hides how long it is. */
const chunk = (message: Json): Buffer =>
  amazonFrame('chunk', { bytes: Buffer.from(JSON.stringify(message)).toString('base64'), p: 'abcdefg' });

export function amazonFrame(type: string, payload: unknown): Buffer {
  const fields = Buffer.concat(
    [
      [':event-type', type],
      [':content-type', 'application/json'],
      [':message-type', 'event'],
    ].map(([name = '', value = '']) => {
      const head = Buffer.from([name.length, ...Buffer.from(name), 7, 0, 0]);
      head.writeUInt16BE(value.length, head.length - 2);
      return Buffer.concat([head, Buffer.from(value)]);
    }),
  );
  const body = Buffer.from(JSON.stringify(payload));
  const message = Buffer.alloc(12 + fields.length + body.length + 4);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(fields.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  fields.copy(message, 12);
  body.copy(message, 12 + fields.length);
  message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4);
  return message;
}
