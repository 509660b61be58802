// Rules that are for more sessions than it seems, where others than the operator issue tokens: anybody may have one of theirs.

import type { PolicyFile } from './compiled-policy.ts';
import type { Rule } from './rule.ts';

/** A warning about the rules at `indexes`, or about a whole file. */
export type SessionProblem =
  | { readonly indexes: readonly number[]; readonly message: string }
  | { readonly file: string; readonly message: string };

/** `issuers` are those of which every token for the gateway starts a session. */
export function checkSessions(
  rules: readonly Rule[],
  files: readonly PolicyFile[],
  issuers: readonly string[],
): readonly SessionProblem[] {
  if (issuers.length === 0) return [];
  const allows = rules.flatMap((rule, i) => (rule.effect === 'allow' ? [{ rule, i }] : []));
  const open = allows.filter(({ rule }) => rule.selectors.length === 0).map(({ i }) => i);
  const who = `whoever has a token of ${issuers.join(' or ')} for the gateway`;
  const openFiles = files.filter(({ mode, selectors }) => mode === 'observe' && selectors.length === 0);
  const problems: SessionProblem[] = openFiles.map(({ file }) => ({
    file,
    message: `there is no "for", so this file lets everything public through to ${who}; write for: with the claims of those who are meant`,
  }));
  if (open.length > 0)
    problems.push({
      indexes: open,
      message: `there is no "for", so this rule is for ${who}; write for: in the rule or the file, with the claims of those who are meant, or for: { iss: "*" } if it is everybody; for: at the issuer in the configuration bounds all of it`,
    });
  if (issuers.length === 1) return problems;
  const unbound = allows.filter(
    ({ rule }) => rule.selectors.length > 0 && !rule.selectors.some((one) => Object.hasOwn(one, 'iss')),
  );
  if (unbound.length > 0)
    problems.push({
      indexes: unbound.map(({ i }) => i),
      message: `"for" does not name an issuer, so a token of any of ${issuers.join(', ')} may say these claims; add iss: with the one that is meant`,
    });
  return problems;
}
