// The Gemini API of Google.

import { sendEvents, sendJson, textOf, type Json, type ModelTurn } from './model-turn.ts';

const usageMetadata = { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 };
const toolName = 'run_shell_command';

export const geminiTurn: ModelTurn = {
  read: (body) => {
    const offered: readonly Json[] = (body.tools ?? []).flatMap(
      ({ functionDeclarations = [] }: Json) => functionDeclarations,
    );
    return {
      outputs: body.contents
        .flatMap(({ parts = [] }: Json) => parts)
        .filter(({ functionResponse }: Json) => functionResponse !== undefined)
        .map(({ functionResponse }: Json) =>
          textOf(functionResponse.response?.output ?? functionResponse.response),
        ),
      canRun: offered.some(({ name }) => name === toolName),
      streams: false,
      tool: toolName,
    };
  },
  write: (response, wanted, { tool, canRun }, path) => {
    const call = 'run' in wanted ? { name: tool, args: { command: wanted.run } } : undefined;
    // What picks a model, or looks whether the turn is over, asks for JSON and offers no tool.
    const said = 'say' in wanted ? (canRun ? wanted.say : JSON.stringify({ reasoning: wanted.say })) : '';
    const part = call === undefined ? { text: said } : { functionCall: call };
    const whole = {
      candidates: [{ index: 0, content: { role: 'model', parts: [part] }, finishReason: 'STOP' }],
      usageMetadata,
      modelVersion: 'stand-in',
    };
    if (path.endsWith(':generateContent')) return sendJson(response, whole);
    sendEvents(response, [whole], false);
  },
};
