// The Messages API of Anthropic.

import { sendEvents, sendJson, textOf, type Json, type ModelTurn } from './model-turn.ts';

const usage = { input_tokens: 1, output_tokens: 1 };

export const anthropicTurn: ModelTurn = {
  read: (body) => {
    const tool = body.tools?.find(({ name }: Json) => /^bash$/i.test(name ?? ''));
    return {
      outputs: body.messages
        .flatMap(({ content }: Json) => (Array.isArray(content) ? content : []))
        .filter(({ type }: Json) => type === 'tool_result')
        .map(({ content }: Json) => textOf(content)),
      canRun: tool !== undefined,
      streams: body.stream === true,
      tool: tool?.name ?? 'Bash',
    };
  },
  write: (response, wanted, { streams, tool, outputs }) => {
    const input = 'run' in wanted ? { command: wanted.run, description: 'Runs a command of the task' } : {};
    const block =
      'run' in wanted
        ? { type: 'tool_use', id: `toolu_${outputs.length}`, name: tool, input }
        : { type: 'text', text: wanted.say };
    const reason = 'run' in wanted ? 'tool_use' : 'end_turn';
    const message = {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'stand-in',
      stop_sequence: null,
    };
    if (!streams) return sendJson(response, { ...message, content: [block], stop_reason: reason, usage });
    const isTool = 'run' in wanted;
    sendEvents(response, [
      { type: 'message_start', message: { ...message, content: [], stop_reason: null, usage } },
      {
        type: 'content_block_start',
        index: 0,
        content_block: isTool ? { ...block, input: {} } : { type: 'text', text: '' },
      },
      {
        type: 'content_block_delta',
        index: 0,
        delta: isTool
          ? { type: 'input_json_delta', partial_json: JSON.stringify(input) }
          : { type: 'text_delta', text: wanted.say },
      },
      { type: 'content_block_stop', index: 0 },
      {
        type: 'message_delta',
        delta: { stop_reason: reason, stop_sequence: null },
        usage: { output_tokens: 1 },
      },
      { type: 'message_stop' },
    ]);
  },
};
