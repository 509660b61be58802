// The operations of GraphQL that a request asks for.

import { createHash } from 'node:crypto';
import type { RequestAccess } from '../../policy/decision.ts';
import { loadGraphqlParser } from '../../understand/graphql-parser.ts';
import { type GraphqlRequest, readGraphql } from '../../understand/graphql-request.ts';
import { UnreadableBody } from '../../understand/json-value.ts';

/** Of a request whose body was read before. */
export async function readOperations({
  method,
  query,
  body,
}: RequestAccess): Promise<GraphqlRequest | UnreadableBody> {
  if (body === undefined) return new UnreadableBody('is not read');
  return readGraphql({ method, query, body }, { parser: await loadGraphqlParser(), sha256 });
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
