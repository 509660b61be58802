// What is said of a statement that was parsed: its kinds, those of statements inside of it too, and what it does to its session.

import type { StatementKind } from '../../../../policy/postgres-statements.ts';

/** Why a statement may change how later ones are read, or whether they may write. */
export type StatementMark = 'strings' | 'encoding' | 'writable';

export interface StatementFacts {
  readonly kinds: readonly StatementKind[];
  readonly marks: readonly StatementMark[];
}

/** Kinds by the node's name; what begins with Create, Alter, Drop or Grant is of that kind, and all others are `other`. */
const kindsOfNodes: ReadonlyMap<string, StatementKind | undefined> = new Map<
  string,
  StatementKind | undefined
>([
  ['SelectStmt', 'select'],
  ['InsertStmt', 'insert'],
  ['UpdateStmt', 'update'],
  ['DeleteStmt', 'delete'],
  ['MergeStmt', 'merge'],
  ['LockStmt', 'lock'],
  ['TruncateStmt', 'truncate'],
  ['IndexStmt', 'create'],
  ['ViewStmt', 'create'],
  ['RuleStmt', 'create'],
  ['DefineStmt', 'create'],
  ['CompositeTypeStmt', 'create'],
  ['ImportForeignSchemaStmt', 'create'],
  ['RenameStmt', 'alter'],
  ['CommentStmt', 'alter'],
  ['SecLabelStmt', 'alter'],
  ['AlterDefaultPrivilegesStmt', 'grant'],
  ['ReassignOwnedStmt', 'grant'],
  ['VacuumStmt', 'maintain'],
  ['ReindexStmt', 'maintain'],
  ['ClusterStmt', 'maintain'],
  ['RepackStmt', 'maintain'],
  ['RefreshMatViewStmt', 'maintain'],
  ['CheckPointStmt', 'maintain'],
  ['CallStmt', 'call'],
  ['DoStmt', 'do'],
  ['NotifyStmt', 'notify'],
  ['ListenStmt', 'listen'],
  ['UnlistenStmt', 'listen'],
  ['TransactionStmt', 'transaction'],
  ['ConstraintsSetStmt', 'set'],
  ['VariableSetStmt', 'set'],
  ['VariableShowStmt', 'show'],
  ['PrepareStmt', 'prepare'],
  ['ExecuteStmt', 'execute'],
  ['DeallocateStmt', 'execute'],
  ['DeclareCursorStmt', 'cursor'],
  ['FetchStmt', 'cursor'],
  ['ClosePortalStmt', 'cursor'],
  ['ExplainStmt', 'explain'],
  ['DiscardStmt', 'discard'],
  // What holds others, and what a body of a function returns.
  ['RawStmt', undefined],
  ['ReturnStmt', undefined],
]);

/** @param tree what libpg_query gives as JSON */
export function factsOf(tree: unknown): StatementFacts {
  const kinds = new Set<StatementKind>();
  const marks = new Set<StatementMark>();
  const inserted = new Set<unknown>();
  const rest: unknown[] = [tree];
  // No recursion: a statement chooses how deep it is.
  while (rest.length > 0) {
    const one = rest.pop();
    if (Array.isArray(one)) for (const item of one) rest.push(item);
    else if (isObject(one))
      for (const [name, value] of Object.entries(one)) {
        if (name === 'InsertStmt' && isObject(value)) inserted.add(rowsOf(value));
        if (!inserted.has(value)) note(name, value, kinds, marks);
        if (typeof value === 'object') rest.push(value);
      }
  }
  return { kinds: [...kinds].toSorted(), marks: [...marks].toSorted() };
}

/** The rows of `INSERT … VALUES`: they alone are no statement of their own. Elsewhere `VALUES (1)` reads as much as a SELECT. */
function rowsOf({ selectStmt }: Readonly<Record<string, unknown>>): unknown {
  const select = isObject(selectStmt) ? selectStmt['SelectStmt'] : undefined;
  return isObject(select) && 'valuesLists' in select ? select : undefined;
}

function note(name: string, value: unknown, kinds: Set<StatementKind>, marks: Set<StatementMark>): void {
  if (name === 'intoClause') kinds.add('create');
  else if (name === 'lockingClause') kinds.add('lock');
  else if (name === 'DefElem') noteOption(value, marks);
  else if (name === 'onConflictClause' && isObject(value) && value['action'] === 'ONCONFLICT_UPDATE')
    kinds.add('update');
  else if (isStatement(name) && isObject(value)) {
    const kind = kindOf(name, value);
    if (kind !== undefined) kinds.add(kind);
    if (name === 'CopyStmt' && ('filename' in value || value['is_program'] === true)) kinds.add('copy-file');
    if (name === 'VariableSetStmt') noteSetting(value, marks);
  }
}

/** Names of nodes begin with a capital letter, those of their fields do not. */
function isStatement(name: string): boolean {
  return name.endsWith('Stmt') && /^[A-Z]/.test(name);
}

function kindOf(name: string, value: Readonly<Record<string, unknown>>): StatementKind | undefined {
  if (name === 'CopyStmt') return value['is_from'] === true ? 'copy-in' : 'copy-out';
  if (kindsOfNodes.has(name)) return kindsOfNodes.get(name);
  const [, verb] = /^(Create|Alter|Drop|Grant)/.exec(name) ?? [];
  switch (verb) {
    case 'Create':
      return 'create';
    case 'Alter':
      return 'alter';
    case 'Drop':
      return 'drop';
    case 'Grant':
      return 'grant';
    default:
      return 'other';
  }
}

/** `BEGIN READ WRITE`, `SET TRANSACTION READ WRITE` and what is like them. */
function noteOption(value: unknown, marks: Set<StatementMark>): void {
  if (!isObject(value) || value['defname'] !== 'transaction_read_only') return;
  if (constantOf(value['arg']) !== '1') marks.add('writable');
}

function noteSetting(value: Readonly<Record<string, unknown>>, marks: Set<StatementMark>): void {
  const name = typeof value['name'] === 'string' ? value['name'].toLowerCase() : '';
  if (value['kind'] !== 'VAR_SET_VALUE') {
    // To the default, and RESET: to what the session began with. Of a transaction that is one that writes, up to PostgreSQL 15.
    if (name === 'transaction_read_only') marks.add('writable');
    return;
  }
  const args: unknown = value['args'];
  const text = Array.isArray(args) && args.length === 1 ? (constantOf(args[0]) ?? '') : '';
  const isOn = /^(?:on|true|yes|1)$/i.test(text);
  switch (name) {
    case 'standard_conforming_strings':
      if (!isOn) marks.add('strings');
      break;
    case 'client_encoding':
      if (!isUtf8(text)) marks.add('encoding');
      break;
    case 'transaction_read_only':
    case 'default_transaction_read_only':
      if (!isOn) marks.add('writable');
  }
}

/** As the server reads names of encodings: without letter case and what is neither letter nor digit. */
export function isUtf8(encoding: string): boolean {
  return /^(?:utf8|unicode)$/i.test(encoding.replaceAll(/[^A-Za-z0-9]/g, ''));
}

function constantOf(node: unknown): string | undefined {
  const constant = isObject(node) ? node['A_Const'] : undefined;
  if (!isObject(constant)) return undefined;
  const { sval, ival, boolval } = constant;
  if (isObject(sval)) return typeof sval['sval'] === 'string' ? sval['sval'] : '';
  // What is zero or false is left out.
  if (isObject(ival)) return typeof ival['ival'] === 'number' ? String(ival['ival']) : '0';
  if (isObject(boolval)) return boolval['boolval'] === true ? 'true' : 'false';
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
