// Kinds of statements of PostgreSQL, as rules and the audit name them.

/** What rules can leave out. Kinds of data first, then of what holds them, then the rest. */
export const ruleStatementKinds = [
  'select',
  'insert',
  'update',
  'delete',
  'merge',
  'copy-in',
  'copy-out',
  'copy-file',
  'lock',
  'truncate',
  'create',
  'alter',
  'drop',
  'grant',
  'maintain',
  'call',
  'do',
  'notify',
  'other',
] as const;
export type RuleStatementKind = (typeof ruleStatementKinds)[number];

/** What belongs to a session and gives nothing but what the statements in it give; no rule leaves it out. */
export const sessionStatementKinds = [
  'transaction',
  'set',
  'show',
  'prepare',
  'execute',
  'cursor',
  'explain',
  'listen',
  'discard',
] as const;
export type StatementKind = RuleStatementKind | (typeof sessionStatementKinds)[number];

/** Of `readOnly`. */
export const readOnlyKinds: readonly RuleStatementKind[] = ['select', 'copy-out'];

/** What a rule says of statements, which are read then. */
export interface StatementRule {
  /** Undefined: any, also such that cannot be read. */
  readonly allowed: readonly RuleStatementKind[] | undefined;
  /** Transactions are to begin and stay as such that only read. */
  readonly isReadOnly: boolean;
}

export function statementsText({ allowed, isReadOnly }: StatementRule): string {
  if (allowed === undefined) return 'with statements recorded';
  return `for ${allowed.join(', ')}${isReadOnly ? ' in transactions that only read' : ''}`;
}

export function statementsCover(outer: StatementRule | undefined, inner: StatementRule | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  const { allowed } = outer;
  return (
    (allowed === undefined || inner.allowed?.every((kind) => allowed.includes(kind)) === true) &&
    (!outer.isReadOnly || inner.isReadOnly)
  );
}
