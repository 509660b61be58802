// A request that is not served, as a response (RFC 9457).

import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { ProxyError } from '../protocol/error.ts';
import { type ProblemDocument, problemDocument, problemType } from '../protocol/problem-document.ts';

/** A body of the request that was not read is nobody's: where there may be one, `fields` close the connection. */
export function problemResponse(
  response: ServerResponse,
  problem: ProblemDocument,
  fields: OutgoingHttpHeaders = {},
): void {
  const body = Buffer.from(JSON.stringify(problem));
  response
    .writeHead(problem.status, { ...fields, 'content-type': problemType, 'content-length': body.length })
    .end(body);
}

/** What a program is told of a fault; of one of ours the log alone has the cause. */
export function faultProblem({ code, message }: ProxyError, traceId: string): ProblemDocument {
  const detail = code === 'internal' ? 'a fault of the gateway; its log has the cause' : message;
  return problemDocument(code, detail, { traceId });
}
