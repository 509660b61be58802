// What of a store goes along when it is copied, kept or brought back: tables, their order, and what each engine makes anew.

export interface PortableTable {
  readonly name: string;
  /** Rows come in this order, the same in every engine: texts are compared octet by octet. */
  readonly key: readonly string[];
  /** Columns that an engine fills by itself, from the others or from the moment. */
  readonly made?: readonly string[];
  /** Rows that may be long come few at a time. */
  readonly isLong?: true;
  /** The other engine has no use for it. */
  readonly only?: 'postgres';
}

/** A row comes behind those that it refers to. */
export const portableTables: readonly PortableTable[] = [
  { name: 'session', key: ['id'] },
  { name: 'session_narrowing', key: ['session_id'], isLong: true },
  { name: 'session_ending', key: ['sequence'] },
  { name: 'consumed_token', key: ['token_key'] },
  { name: 'seen_proof', key: ['key_thumbprint', 'jti'] },
  { name: 'session_presence', key: ['session_id', 'gateway_id'] },
  { name: 'session_budget', key: ['session_id', 'budget'] },
  { name: 'session_known_id', key: ['session_id', 'digest'] },
  { name: 'package_seen', key: ['source', 'name', 'item'] },
  { name: 'tree_head', key: ['key'] },
  // What is still to be given back: whoever has the copy does it.
  { name: 'credential_lease', key: ['id'] },
  { name: 'kept_token', key: ['id'], isLong: true },
  { name: 'kept_key', key: ['one'], isLong: true },
  { name: 'access_request', key: ['id'] },
  { name: 'operator_token', key: ['id'] },
  { name: 'policy_content', key: ['hash'], isLong: true },
  { name: 'policy_version', key: ['policy', 'number'] },
  { name: 'policy_outcome', key: ['policy', 'number', 'gateway_id'] },
  { name: 'policy_kept', key: ['version'], isLong: true },
  { name: 'identity', key: ['one'], isLong: true },
  { name: 'audit_open', key: ['id'] },
  { name: 'audit_chain', key: ['number'] },
  { name: 'audit_head', key: ['chain', 'link'] },
  { name: 'audit_cut', key: ['chain', 'first'], isLong: true },
  { name: 'audit_spool', key: ['id'], made: ['delivered_at'], only: 'postgres' },
  { name: 'operator_act', key: ['sequence'], made: ['taken_by', 'taken_at'], only: 'postgres' },
  { name: 'audit', key: ['sequence'], made: ['counted', 'host', 'principal', 'trace', 'trace_start'] },
  { name: 'audit_use', key: ['kind', 'policy', 'name'] },
  { name: 'audit_use_hour', key: ['kind', 'hour', 'policy', 'name'] },
];

/**
 * Tables that stay behind: leases and locks of processes, which end with them, and what follows from the audit: sums of it, and its parts.
 */
export const tablesLeftBehind: ReadonlySet<string> = new Set([
  'schema_version',
  'gateway',
  'approver_seen',
  // What was allowed once would be allowed again.
  'question',
  // What was added on the day of the copy.
  'package_seen_owner',
  'audit_holder',
  'audit_holding',
  'audit_total',
  'audit_mark',
  'audit_day',
  'audit_day_holding',
  'audit_use_state',
  // Its value is one of the numbers.
  'change_counter',
]);

/** How many rows of it are in memory at a time, at the most. */
export function batchRowsOf({ isLong }: PortableTable): number {
  return isLong === true ? 1 : 200;
}
