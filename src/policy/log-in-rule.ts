// `logIn` of a rule: tools of the session log in by themselves, and the gateway keeps what they get.

export interface RuleLogIn {
  /** Under it tokens are kept, for each session apart. */
  readonly name: string;
  /** The requests are for a server of OAuth, which hands out tokens. Absent: for hosts that take them. */
  readonly isIssuer?: true;
  /** At its end the session's tokens are revoked there (RFC 7009): a path at the server that gave them. */
  readonly revoke?: string;
}

/** For people. */
export function logInText({ name, isIssuer, revoke }: RuleLogIn): string {
  const revoked = revoke === undefined ? '' : `, revoked at ${revoke} when the session ends`;
  return isIssuer === true ? `${name}, whose tokens it hands out${revoked}` : name;
}

/** Whether a session has no more by `inner`: tokens of another name, or tokens themselves in place of placeholders. */
export function logInCovers(outer: RuleLogIn | undefined, inner: RuleLogIn | undefined): boolean {
  return outer?.name === inner?.name && outer?.isIssuer === inner?.isIssuer;
}

/** What a server hands out is kept if either says so; what was kept goes on a request if both do. */
export function bothLogIns(own: RuleLogIn | undefined, bound: RuleLogIn | undefined): RuleLogIn | undefined {
  if (own?.isIssuer === true) return own;
  if (bound?.isIssuer === true) return bound;
  return own !== undefined && own.name === bound?.name ? own : undefined;
}
