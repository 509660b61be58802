// How a connection to PostgreSQL is made: everything is said, so that nothing of the environment counts.

import type { ClientConfig } from 'pg';
import { checkServerIdentity, type ConnectionOptions, type PeerCertificate } from 'node:tls';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Secret } from '../../protocol/secret.ts';
import { isUnixSocket, type PostgresAddress } from './postgres-address.ts';

/** What a URL does not say. */
export interface PostgresAccess {
  /** Asked for each connection that needs it: a password may change. Absent: the server must ask for none. */
  readonly password?: (() => Promise<Secret<string>>) | undefined;
  /** PEM; absent: those that the runtime has built in. */
  readonly ca?: string | undefined;
  /** The connection is not encrypted, and whoever is on the way reads and changes everything. */
  readonly dangerouslyWithoutTls?: boolean | undefined;
  readonly limits?: Limits | undefined;
}

/** A statement that runs longer is ended by the server, and given up here a little later. */
export const serverFirstMs = 1_000;

export function connectionConfig(address: PostgresAddress, access: PostgresAccess): ClientConfig {
  const { storeStatementTimeoutMs, storeConnectTimeoutMs, storeIdleTransactionMs } =
    access.limits ?? defaultLimits;
  return {
    ...address,
    password: async () => {
      if (access.password === undefined)
        throw new ProxyError(
          'store_unavailable',
          'The store asks for a password; name its source under store.source.',
        );
      try {
        return (await access.password()).reveal();
      } catch (cause) {
        const { message } = asProxyError(cause, 'store_unavailable');
        throw new ProxyError('store_unavailable', message, { cause });
      }
    },
    ssl: tlsOptions(address, access),
    application_name: 'upstreamproxy',
    // Else PGOPTIONS would be taken.
    options: '-c client_min_messages=warning',
    statement_timeout: storeStatementTimeoutMs,
    lock_timeout: storeStatementTimeoutMs,
    idle_in_transaction_session_timeout: storeIdleTransactionMs,
    query_timeout: storeStatementTimeoutMs + serverFirstMs,
    connectionTimeoutMillis: storeConnectTimeoutMs,
    keepAlive: true,
    client_encoding: 'UTF8',
    // Where the password is proven over TLS, to whom it is proven is part of it.
    enableChannelBinding: true,
    types: { getTypeParser: (oid: number) => parsers[oid] ?? String },
  };
}

function tlsOptions(
  address: PostgresAddress,
  { ca, dangerouslyWithoutTls = false }: PostgresAccess,
): ConnectionOptions | false {
  if (isUnixSocket(address) || dangerouslyWithoutTls) return false;
  return {
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    // Over a socket of its own, Node compares with the name only that it was told: with an address, "localhost".
    checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
      checkServerIdentity(address.host, certificate),
  };
}

/** By the OID of a type; the columns are whole numbers and texts. */
const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === 't',
  20: wholeNumber,
  23: wholeNumber,
};

/** Every number of ours fits; another is told as damage where its column is read. */
function wholeNumber(text: string): number | string {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
}
