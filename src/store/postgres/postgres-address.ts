// Which database a URL names. A secret never stands in it.

import { ProxyError } from '../../protocol/error.ts';

const portDefault = 5432;
const form = 'postgres://USER@HOST:PORT/DATABASE';

export interface PostgresAddress {
  /** A name or an address; a folder for a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/**
 * The parts of `postgres://user@host:port/database`. A Unix socket is the folder of it as the host, with `%2F` for `/`.
 * @throws ProxyError config_invalid; the URL itself is not repeated, for it may hold a password
 */
export function postgresAddress(text: string): PostgresAddress {
  const address = readAddress(text);
  if (typeof address !== 'string') return address;
  throw new ProxyError('config_invalid', `The store URL cannot be used: ${address}.`);
}

/** What is wrong with such a URL, and what to write, as the half of a sentence. */
export function postgresUrlProblem(text: string): string | undefined {
  const address = readAddress(text);
  return typeof address === 'string' ? address : undefined;
}

function readAddress(text: string): PostgresAddress | string {
  if (!URL.canParse(text)) return `it is no URL; write ${form}`;
  const url = new URL(text);
  if (url.password !== '') return 'it has a password; name its source under store.source instead';
  if (url.search !== '' || url.hash !== '')
    return `it takes no parameters; write ${form}, and the rest as keys of store`;
  const [user, host, database] = [url.username, url.hostname, url.pathname.slice(1)].map(decoded);
  if (user === undefined || host === undefined || database === undefined || database.includes('/'))
    return `a part of it is missing, or cannot be read; write ${form}`;
  return { host: bare(host), port: url.port === '' ? portDefault : Number(url.port), user, database };
}

/** For messages. */
export function postgresLabel({ host, port, user, database }: PostgresAddress): string {
  const place = host.includes(':') ? `[${host}]` : encodeURIComponent(host);
  return `postgres://${encodeURIComponent(user)}@${place}:${port}/${encodeURIComponent(database)}`;
}

export function isUnixSocket({ host }: Pick<PostgresAddress, 'host'>): boolean {
  return host.startsWith('/');
}

/** Undefined for what is empty, is badly encoded, or has what no name of PostgreSQL has. */
function decoded(part: string): string | undefined {
  try {
    const text = decodeURIComponent(part);
    // eslint-disable-next-line no-control-regex -- a NUL ends a name in the start-up message, a line break a line of the log
    return text === '' || /[\u0000-\u001f\u007f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function bare(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
