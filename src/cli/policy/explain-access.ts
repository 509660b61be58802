// What `policy explain` is asked about, as it is written on the command line.

import { askedRequest } from '../../gateway/policies/asked-access.ts';
import type { Principal, RequestAccess } from '../../policy/decision.ts';
import { postureFacts } from '../../policy/posture-facts.ts';
import { ProxyError } from '../../protocol/error.ts';
import { hasCutNote } from '../../api/cut-note.ts';

/** The request as the policy would see it. Throws what the gateway would refuse it with, and `usage` for what is no URL. */
export function requestAccess(method: string, text: string, fields: readonly string[] = []): RequestAccess {
  requireWhole(text);
  return askedRequest(method, text, fields.flatMap(headerField));
}

/** @throws ProxyError usage for a URL that was copied from where only its beginning stands */
export function requireWhole(text: string): void {
  if (hasCutNote(text.replace(/#.*$/s, '')))
    throw new ProxyError(
      'usage',
      `it can't be told what decides about "${text}": an audit event has only its beginning, and the beginning of a path is another path`,
    );
}

/** Name and value of `Name: value`. @throws ProxyError usage */
export function headerField(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1) throw new ProxyError('usage', `--header takes "Name: value", not "${text}"`);
  return [text.slice(0, colon), text.slice(colon + 1).trim()];
}

/** Facts with commas between them. Throws `usage` for one that there is none of. */
export function postureOption(text: string | undefined): Principal['posture'] {
  const facts = text === undefined ? [] : text.split(',').map((fact) => fact.trim());
  const known: readonly string[] = postureFacts;
  const unknown = facts.find((fact) => !known.includes(fact));
  if (unknown === undefined) return facts;
  throw new ProxyError('usage', `--posture takes facts such as ${known.join(',')}, not "${unknown}"`);
}
