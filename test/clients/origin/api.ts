// JSON APIs: language models, GitHub and GitLab. Each says `hello from api` somewhere.

import { completionStream, eventStream, messageObject, messageStream } from './event-stream.ts';
import { responseObject, responseStream } from './event-stream.ts';
import type { OriginResponse, OriginHandler, OriginRequest } from './handler.ts';

const words = 'hello from api';
const user = { id: 1, login: 'example', username: 'example', name: words };

export const jsonApi: OriginHandler = (request) => {
  const path = request.path.replace(/^\/api\/(?:v3|v4)(?=\/)/, '');
  switch (path) {
    case '/v1/chat/completions':
    case '/chat/completions':
      return wantsStream(request) ? completionStream() : completion();
    case '/v1/responses':
    case '/responses':
      return wantsStream(request) ? responseStream() : { body: responseObject };
    case '/v1/messages':
    case '/messages':
      return wantsStream(request) ? messageStream() : { body: messageObject };
    case '/v1/messages/count_tokens':
      return { body: { input_tokens: 1 } };
    case '/v1/models':
    case '/models':
      return { body: { object: 'list', data: [{ id: 'example', object: 'model' }], models: [] } };
    case '/user':
      return { body: user };
    case '/graphql':
    case '/api/graphql':
      return { body: { data: { viewer: user, currentUser: user } } };
    default:
      return gemini(path);
  }
};

function wantsStream({ body }: OriginRequest): boolean {
  return /"stream"\s*:\s*true/.test(body.toString('utf8'));
}

function completion(): OriginResponse {
  const choice = { index: 0, message: { role: 'assistant', content: words }, finish_reason: 'stop' };
  const usage = { prompt_tokens: 1, completion_tokens: 3, total_tokens: 4 };
  const about = { id: 'chatcmpl-1', object: 'chat.completion', created: 1_577_836_800, model: 'example' };
  return { body: { ...about, choices: [choice], usage } };
}

function gemini(path: string): OriginResponse | undefined {
  const [, verb] = /^\/v1(?:beta)?\/models\/[^/:]+(?::|%3A)(\w+)$/i.exec(path) ?? [];
  const content = { role: 'model', parts: [{ text: words }] };
  const response = {
    candidates: [{ index: 0, content, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 3, totalTokenCount: 4 },
  };
  switch (verb) {
    case 'generateContent':
      return { body: response };
    case 'streamGenerateContent':
      return eventStream([response], false);
    case 'countTokens':
      return { body: { totalTokens: 1 } };
    default:
      return undefined;
  }
}
