// The Chat Completions API of OpenAI, which many others speak too.

import { sendEvents, sendJson, textOf, type Json, type ModelTurn } from './model-turn.ts';

const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };

export const chatTurn: ModelTurn = {
  read: (body) => {
    const tool = body.tools?.find(({ function: called }: Json) => called?.name === 'bash');
    return {
      outputs: body.messages
        .filter(({ role }: Json) => role === 'tool')
        .map(({ content }: Json) => textOf(content)),
      canRun: tool !== undefined,
      streams: body.stream === true,
      tool: 'bash',
    };
  },
  write: (response, wanted, { streams, tool, outputs }) => {
    const calls = (run: string): Json => [
      {
        index: 0,
        id: `call_${outputs.length}`,
        type: 'function',
        function: {
          name: tool,
          arguments: JSON.stringify({ command: run, description: 'Runs a command of the task' }),
        },
      },
    ];
    const said = {
      role: 'assistant',
      ...('run' in wanted ? { content: null, tool_calls: calls(wanted.run) } : { content: wanted.say }),
    };
    const head = { id: 'chat_1', created: 1, model: 'stand-in' };
    const finish = 'run' in wanted ? 'tool_calls' : 'stop';
    if (!streams)
      return sendJson(response, {
        ...head,
        object: 'chat.completion',
        choices: [{ index: 0, message: said, finish_reason: finish }],
        usage,
      });
    const chunk = { ...head, object: 'chat.completion.chunk' };
    const events = [
      { ...chunk, choices: [{ index: 0, delta: said, finish_reason: null }] },
      { ...chunk, choices: [{ index: 0, delta: {}, finish_reason: finish }], usage },
    ];
    sendEvents(response, events, false);
  },
};
