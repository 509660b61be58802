// The Responses API of OpenAI.

import { sendEvents, sendJson, textOf, type Json, type ModelTurn } from './model-turn.ts';

const usage = {
  input_tokens: 1,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 1,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 2,
};

/** Names under which agents offer to run commands, and how each takes one. */
const tools: Readonly<Record<string, (command: string) => Json>> = {
  exec_command: (cmd) => ({ cmd }),
  shell_command: (command) => ({ command }),
  shell: (command) => ({ command: ['sh', '-c', command] }),
  bash: (command) => ({ command, description: 'Runs a command of the task' }),
};

/** In place of a tool that runs commands: one that takes a program, which has such a tool. */
const codeTool = 'exec';

export const responsesTurn: ModelTurn = {
  read: (body) => {
    const input: readonly Json[] = Array.isArray(body.input) ? body.input : [];
    const offered = [...(body.tools ?? []), ...input.flatMap((item) => item.tools ?? [])].flatMap(
      (one) => one.tools ?? one,
    );
    const tool = offered.find(
      ({ name, type }) => Object.hasOwn(tools, name ?? '') || (name === codeTool && type === 'custom'),
    );
    return {
      outputs: input
        .filter(({ type }) => /^(?:function|custom_tool)_call_output$/.test(type))
        .map(({ output }) => textOf(output)),
      canRun: tool !== undefined,
      streams: body.stream === true,
      tool: tool?.name ?? 'shell',
    };
  },
  write: (response, wanted, { streams, tool, outputs }) => {
    const item = 'run' in wanted ? call(tool, wanted.run, outputs.length) : words(wanted.say);
    const head = { id: 'resp_1', object: 'response', created_at: 1, model: 'stand-in' };
    const whole = { ...head, status: 'completed', output: [item], usage };
    if (!streams) return sendJson(response, whole);
    sendEvents(response, [
      { type: 'response.created', response: { ...head, status: 'in_progress', output: [] } },
      { type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress' } },
      ...('say' in wanted
        ? [
            {
              type: 'response.output_text.delta',
              item_id: 'msg_1',
              output_index: 0,
              content_index: 0,
              delta: wanted.say,
            },
          ]
        : []),
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response: whole },
    ]);
  },
};

function call(tool: string, command: string, number: number): Json {
  const head = { id: `call_item_${number}`, call_id: `call_${number}`, name: tool, status: 'completed' };
  if (tool !== codeTool)
    return { ...head, type: 'function_call', arguments: JSON.stringify(tools[tool]!(command)) };
  const argument = JSON.stringify({ cmd: command });
  const input = `const { output } = await tools.exec_command(${argument}); text(output);`;
  return { ...head, type: 'custom_tool_call', input };
}

function words(say: string): Json {
  const content = [{ type: 'output_text', text: say, annotations: [] }];
  return { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content };
}
