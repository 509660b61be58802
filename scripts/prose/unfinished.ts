// Texts from before the rules for prose, which still break some. A text that breaks none must leave the list, so it only gets shorter.

export const unfinished: ReadonlySet<string> = new Set([
  'docs/reference/address-guard.md',
  'docs/reference/agent.md',
  'docs/reference/attacks.md',
  'docs/reference/audit.md',
  'docs/reference/canonical-requests.md',
  'docs/reference/capacity.md',
  'docs/reference/capture.md',
  'docs/reference/certificates.md',
  'docs/reference/credentials.md',
  'docs/reference/jail.md',
  'docs/reference/performance.md',
  'docs/reference/policy.md',
  'docs/reference/protocols.md',
  'docs/reference/session-api.md',
  'docs/reference/store.md',
  'docs/reference/trust-stores.md',
  'docs/reference/wire.md',
]);
