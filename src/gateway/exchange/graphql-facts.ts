// What the audit says of a request to a server of GraphQL.

import type { GraphqlFacts } from '../../api/audit-facts.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { GraphqlOperation } from '../../understand/graphql-document.ts';
import type { GraphqlRequest } from '../../understand/graphql-request.ts';

export function graphqlFacts({ asked }: GraphqlRequest): GraphqlFacts {
  const { auditedOperationsMax } = defaultLimits;
  const operations = asked.flatMap((one) => (one.kind === 'document' ? one.operations : []));
  const kept = asked.flatMap((one) => (one.kind === 'kept' ? [shown(one.id)] : []));
  return {
    operations: operations.slice(0, auditedOperationsMax).map(operationFacts),
    ...(operations.length > auditedOperationsMax ? { operationsTotal: operations.length } : {}),
    ...(kept.length === 0 ? {} : { persisted: kept.slice(0, auditedOperationsMax) }),
  };
}

function operationFacts({ type, name, fields }: GraphqlOperation): GraphqlFacts['operations'][number] {
  const names = new Set(fields.map((field) => shown(field.name)));
  const facts = { type, fields: [...names].slice(0, defaultLimits.auditedFieldsMax) };
  return name === '' ? facts : { ...facts, name: shown(name) };
}

function shown(text: string): string {
  return text.slice(0, defaultLimits.auditedNameCharactersMax).toWellFormed();
}
