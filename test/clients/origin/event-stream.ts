// The response `hello from api` in the forms in which APIs of language models stream it.

import type { OriginResponse } from './handler.ts';

const words = 'hello from api';

export function eventStream(events: readonly (object | string)[], named: boolean): OriginResponse {
  const lines = events.map((event) => {
    const data = typeof event === 'string' ? event : JSON.stringify(event);
    const name =
      named && typeof event === 'object' && 'type' in event ? `event: ${String(event.type)}\n` : '';
    return `${name}data: ${data}\n\n`;
  });
  return { body: lines.join(''), headers: { 'content-type': 'text/event-stream' } };
}

/** Chat completions. */
export function completionStream(): OriginResponse {
  const chunk = (delta: object, reason: string | null): object => ({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1_577_836_800,
    model: 'example',
    choices: [{ index: 0, delta, finish_reason: reason }],
  });
  const first = chunk({ role: 'assistant', content: words }, null);
  return eventStream([first, chunk({}, 'stop'), '[DONE]'], false);
}

const outputItem = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: words, annotations: [] }],
};

/** The whole response of the Responses API. */
export const responseObject = {
  id: 'resp_1',
  object: 'response',
  created_at: 1_577_836_800,
  status: 'completed',
  model: 'example',
  output: [outputItem],
  usage: {
    input_tokens: 1,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 3,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 4,
  },
};

export function responseStream(): OriginResponse {
  const started = { ...responseObject, status: 'in_progress', output: [] };
  const at = { item_id: 'msg_1', output_index: 0, content_index: 0 };
  const events = [
    { type: 'response.created', response: started },
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: { ...outputItem, status: 'in_progress', content: [] },
    },
    {
      type: 'response.content_part.added',
      ...at,
      part: { type: 'output_text', text: '', annotations: [] },
    },
    { type: 'response.output_text.delta', ...at, delta: words },
    { type: 'response.output_text.done', ...at, text: words },
    { type: 'response.content_part.done', ...at, part: outputItem.content[0] },
    { type: 'response.output_item.done', output_index: 0, item: outputItem },
    { type: 'response.completed', response: responseObject },
  ];
  return eventStream(
    events.map((event, index) => Object.assign(event, { sequence_number: index })),
    true,
  );
}

/** The whole response of the Messages API. */
export const messageObject = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'example',
  content: [{ type: 'text', text: words }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 3 },
};

export function messageStream(): OriginResponse {
  const events = [
    { type: 'message_start', message: { ...messageObject, content: [], stop_reason: null } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: words } },
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: 3 },
    },
    { type: 'message_stop' },
  ];
  return eventStream(events, true);
}
