// A refusal as JSON-RPC says an error: clients of the Model Context Protocol show its message to the model, where of an HTTP
// status they show the number, or take the server for broken.

import { Buffer } from 'node:buffer';
import { HeaderList } from '../../http/header-list.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { McpMessage } from '../../understand/mcp-message.ts';
import { type Denial, denialText } from './denial.ts';
import type { RefusalResponse } from './refusal.ts';

/** Of the range that JSON-RPC leaves to servers. */
const deniedCode = -32_003;

/** How a denied message is responded to; undefined: as any request. A notification has no response in JSON-RPC. */
export function mcpResponder(
  { code }: ProxyError,
  message: McpMessage | undefined,
): ((denial: Denial) => RefusalResponse) | undefined {
  if (code !== 'policy_denied' || message?.id === undefined || message.kind !== 'request') return undefined;
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
