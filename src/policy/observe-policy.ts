// The policy when there is none: public destinations are allowed and recorded.

import type { Policy } from './decision.ts';
import { CompiledPolicy } from './compiled-policy.ts';

/**
 * Lets TLS and HTTP to public destinations through, opened and recorded (`observed`), and injects nothing. Private and
 * metadata addresses stay closed, for no rule opens them; raw TCP stays closed too.
 */
export function observePolicy(): Policy {
  const file = { file: 'observe', selectors: [], mode: 'observe' } as const;
  return new CompiledPolicy({ version: 'observe', rules: [], files: [file] });
}
