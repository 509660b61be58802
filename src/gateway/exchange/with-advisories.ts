// A request with what is known against packages when it is judged: one index for all of its decisions.

import type { RequestAccess } from '../../policy/decision.ts';
import type { ExchangeParts } from './exchange-parts.ts';

export function withAdvisories(
  access: RequestAccess,
  { advisories }: Pick<ExchangeParts, 'advisories'>,
): RequestAccess {
  const known = advisories?.index;
  return known === undefined ? access : { ...access, advisories: known };
}
