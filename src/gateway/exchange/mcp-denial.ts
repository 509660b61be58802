// A refusal as JSON-RPC says an error: clients of the Model Context Protocol show its message to the model, where of an HTTP
// status they show the number, or take the server for broken.

import { Buffer } from 'node:buffer';
import { HeaderList } from '../../http/header-list.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { McpMessage } from '../../understand/mcp-message.ts';
import { type Denial, denialText, isDecision } from './denial.ts';
import type { RefusalResponse } from './refusal.ts';

/** Of the range that JSON-RPC leaves to servers. */
export const deniedCode = -32_003;

/**
 * How a denied message is responded to; undefined: as any request. A notification has no response in JSON-RPC, and the transport of
 * 2024-11-05 reads none where it sends: its client says that it takes anything, and sees only the status.
 */
export function mcpResponder(
  { code }: ProxyError,
  message: McpMessage | undefined,
  rawHeaders: readonly string[],
): ((denial: Denial) => RefusalResponse) | undefined {
  if (!isDecision(code) || message?.id === undefined || message.kind !== 'request') return undefined;
  if (!takesMessages(rawHeaders)) return undefined;
  const { id } = message;
  return (denial) => {
    const data = { reason: denial.code, rule: denial.rule, trace: denial.traceId };
    const error = { code: deniedCode, message: denialText(denial).trimEnd(), data };
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, error }));
    const headers = new HeaderList([
      ['content-type', 'application/json'],
      ['cache-control', 'no-store'],
      ['x-deny-reason', denial.code],
      ['x-trace-id', denial.traceId],
      ['content-length', String(body.length)],
    ]);
    return { head: { status: 200, headers }, body };
  };
}

/** Clients of streamable HTTP have to name both types; one is enough here. */
function takesMessages(rawHeaders: readonly string[]): boolean {
  return rawHeaders.some(
    (name, i) =>
      i % 2 === 0 &&
      name.toLowerCase() === 'accept' &&
      /application\/json|text\/event-stream/i.test(rawHeaders[i + 1] ?? ''),
  );
}
