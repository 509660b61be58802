// What PostgreSQL or the way to it refused, as our errors: one line, and nothing of a statement's values.

import { DatabaseError } from 'pg';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

const readOnly = 'it is read-only; a gateway needs the primary, and a database that was not set read-only';

/** By SQLSTATE (appendix A of PostgreSQL's manual). */
const reasons: Readonly<Record<string, string>> = {
  // What a standby says to the beginning of a transaction that writes; nothing else of ours is a feature that it lacks.
  '0A000': readOnly,
  '25006': readOnly,
  '28P01': 'the user or the password is refused',
  '3D000': 'there is no database of that name; create it first',
  '53100': 'its disk is full',
  '53300': 'it has no connection left; raise max_connections, or run fewer gateways',
  '55P03': 'another process holds a lock for too long',
  '57014': 'no response in time',
  '57P01': 'it is shut down',
  '57P02': 'it is shut down',
  '57P03': 'it starts, or is shut down; try again',
};

/** What the verification of a certificate says, by the code of the error. */
const certificateFaults = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** `verb` is what was to be done with the store. */
export function postgresFault(label: string, verb: string, error: unknown): ProxyError {
  if (error instanceof ProxyError) return error;
  const message = `The store ${label} cannot be ${verb}: ${reasonOf(error)}.`;
  return new ProxyError('store_unavailable', message, { cause: error });
}

/** What a server says that is not there for anybody, or for one more. */
const absences: ReadonlySet<string | undefined> = new Set(['53300', '57014', '57P01', '57P02', '57P03']);

/** The fault of an opening; where the server may be there again by itself, with when to try again. */
export function openingFault(error: unknown): unknown {
  if (!isAbsence(error)) return error;
  const { storeRetryAfterSeconds: retryAfterSeconds } = defaultLimits;
  return new ProxyError('store_unavailable', error.message, { cause: error, retryAfterSeconds });
}

/** Whether nothing is heard of the server, or it says that it is not there now: what it refuses for good is none. */
function isAbsence(error: unknown): error is ProxyError {
  if (!(error instanceof ProxyError) || error.code !== 'store_unavailable') return false;
  const { cause } = error;
  if (cause instanceof DatabaseError) return absences.has(cause.code);
  // A password that cannot be had is told by who has it.
  if (!(cause instanceof Error) || cause instanceof ProxyError) return false;
  return !('code' in cause && certificateFaults.has(String(cause.code)));
}

/** Whether the server refused one statement, and its connection can be used again. */
export function isStatementFault(error: unknown): boolean {
  return error instanceof DatabaseError && error.severity === 'ERROR';
}

/** Whether the same transaction may well succeed now: it lost against another one, and left nothing. */
export function isConflict(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === '40001' || error.code === '40P01');
}

/** Whether somebody else held a lock for longer than it was waited for. */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '55P03';
}

/** Whether the server refused the data themselves, and will each time: data exceptions, constraints, limits of the program. */
export function isDataFault(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return false;
  // A day of the audit without its part (postgres-audit-days-schema.ts) is a fault of the store: one of the data names a constraint.
  if (error.code === '23514' && error.constraint === undefined) return false;
  return /^(?:22|23|54)/.test(error.code ?? '');
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (error instanceof DatabaseError) return reasons[code] ?? oneLine(`${error.message} (SQLSTATE ${code})`);
  if (certificateFaults.has(code))
    return `its certificate is not trusted (${code}); name its authority under store.ca`;
  return oneLine(faultReason(error));
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
