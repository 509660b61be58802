// A refusal as GraphQL says errors: its clients show their messages, where of an HTTP status they show the number.

import { Buffer } from 'node:buffer';
import { HeaderList } from '../../http/header-list.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { GraphqlRequest } from '../../understand/graphql-request.ts';
import { type Denial, denialText, isDecision } from './denial.ts';
import type { RefusalResponse } from './refusal.ts';

/** How a denied request is responded to; undefined: as any other. */
export function graphqlResponder(
  { code }: ProxyError,
  request: GraphqlRequest | undefined,
): ((denial: Denial) => RefusalResponse) | undefined {
  if (!isDecision(code) || request === undefined) return undefined;
  const { asked, isBatch } = request;
  // Clients that sent a hash alone send the document then, so that it can be judged.
  const isUnknown = asked.some(({ kind }) => kind === 'kept');
  return (denial) => {
    const extensions = {
      code: isUnknown ? 'PERSISTED_QUERY_NOT_FOUND' : 'FORBIDDEN',
      reason: denial.code,
      rule: denial.rule,
      trace: denial.traceId,
    };
    const result = { errors: [{ message: denialText(denial).trimEnd(), extensions }] };
    const body = Buffer.from(JSON.stringify(isBatch ? asked.map(() => result) : result));
    const headers = new HeaderList([
      ['content-type', 'application/json; charset=utf-8'],
      ['cache-control', 'no-store'],
      ['x-deny-reason', denial.code],
      ['x-trace-id', denial.traceId],
      ['content-length', String(body.length)],
    ]);
    // Of another status clients of `application/json` read no errors (GraphQL over HTTP).
    return { head: { status: 200, headers }, body };
  };
}
