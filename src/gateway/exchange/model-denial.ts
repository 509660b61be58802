// A refusal as the API says an error, so that its SDK shows the message. With a status that no SDK repeats the call for.

import { Buffer } from 'node:buffer';
import { HeaderList } from '../../http/header-list.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { LlmApi } from '../../understand/llm-endpoint.ts';
import { type Denial, denialText, isDecision } from './denial.ts';
import type { RefusalResponse } from './refusal.ts';

const bodies: Readonly<Record<LlmApi, (message: string, denial: Denial) => unknown>> = {
  'openai-chat': openaiError,
  'openai-responses': openaiError,
  anthropic: (message, { traceId }) => ({
    type: 'error',
    error: { type: 'permission_error', message },
    request_id: traceId,
  }),
  gemini: (message) => ({ error: { code: 403, message, status: 'PERMISSION_DENIED' } }),
  bedrock: (message) => ({ message }),
};

function openaiError(message: string, { code }: Denial): unknown {
  return { error: { message, type: 'upstreamproxy_denied', param: null, code } };
}

/** How a refused call is responded to; undefined: as any request. What can be repeated after a time has a status that says so. */
export function modelResponder(
  { code, retryAfterSeconds }: ProxyError,
  api: LlmApi | undefined,
): ((denial: Denial) => RefusalResponse) | undefined {
  if (api === undefined || retryAfterSeconds !== undefined) return undefined;
  if (!isDecision(code) && code !== 'limit_exceeded') return undefined;
  return (denial) => {
    const body = Buffer.from(JSON.stringify(bodies[api](denialText(denial).trimEnd(), denial)));
    const headers = new HeaderList([
      ['content-type', 'application/json'],
      ['cache-control', 'no-store'],
      ['x-should-retry', 'false'],
      ...(api === 'bedrock' ? ([['x-amzn-errortype', 'AccessDeniedException']] as const) : []),
      ['x-deny-reason', denial.code],
      ['x-trace-id', denial.traceId],
      ['content-length', String(body.length)],
    ]);
    return { head: { status: 403, headers }, body };
  };
}
