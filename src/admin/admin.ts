// The library `upstreamproxy/admin`: the admin API for orchestrators. It works under Node 20.16 or newer, and under Bun.

import type { OutputOf } from '../api/admin/routes.ts';
import { ProxyError } from '../protocol/error.ts';
import { requireKnownOptions, text, thing } from '../protocol/known-options.ts';
import { Secret } from '../protocol/secret.ts';
import {
  type Calls,
  AdminCalls,
  type CallOptions,
  type Confirmation,
  type WaitOptions,
} from './admin-calls.ts';
import { AdminConnection } from './admin-connection.ts';
import { readSmall, readToken, requireCertificate, serverOf } from './admin-place.ts';
import {
  type ContainerPlaces,
  type EndedSession,
  type EndOptions,
  endSession,
  type IssuedToken,
  issueToken,
  requireContainerPlaces,
  type SessionWish,
  StartedSession,
  type TokenWish,
} from './started-session.ts';

export { AdminError } from './admin-error.ts';
export { ProxyError } from '../protocol/error.ts';
export { Secret } from '../protocol/secret.ts';
export type { ErrorCode } from '../protocol/error-table.ts';
export type { AuditEvent } from '../api/audit-event.ts';
export type { AdminOperation, OutputOf } from '../api/admin/routes.ts';
export type {
  Asked,
  CallOperation,
  CallOptions,
  Calls,
  Confirmation,
  EventQuery,
  FollowOptions,
  ItemOf,
  PagedOperation,
  WaitOptions,
} from './admin-calls.ts';
export type { Followed, FollowedEvents } from './followed-events.ts';
export type {
  ContainerPlaces,
  EndedSession,
  EndOptions,
  IssuedToken,
  Session,
  SessionWish,
  StartedSession,
  TokenWish,
} from './started-session.ts';

export interface AdminOptions {
  /** Origin of the admin port: `https://host:port`, or `http://` with a loopback address. This or `socket`. */
  readonly server?: string | URL;
  /** Path of the admin socket, on a machine of the gateway. */
  readonly socket?: string;
  /** Of the admin API. A socket may need none. */
  readonly token?: string | Secret<string>;
  /** A file with the token; it is read again when the token that it had is not good any more. */
  readonly tokenFile?: string;
  /** PEM of the authority that the server's certificate must come from; by default what this machine trusts. */
  readonly ca?: string;
  /** Ends all calls, with `cancelled`. */
  readonly signal?: AbortSignal;
}

export type AccessRequest = OutputOf<'accessRequest'>;
export type GrantTerms = Parameters<Calls['grantAccess']>[0]['body'];
export type PublishedPolicy = OutputOf<'publishPolicy'> & { readonly confirmation: Confirmation };

export interface PolicyWish {
  readonly files: readonly { readonly name: string; readonly text: string }[];
  /** Only sessions with these claims. */
  readonly for?: Readonly<Record<string, string | number | boolean>>;
  /** Why; it stands in the history. */
  readonly note?: string;
  /** Number of the version that it replaces, 0 for none. By default that which is published now. */
  readonly seen?: number;
}

const connectionsMax = 8;

const optionForms = {
  server: {
    expected: 'a text or a URL',
    accepts: (value: unknown) => typeof value === 'string' || value instanceof URL,
  },
  socket: text,
  token: {
    expected: 'a text or a Secret',
    accepts: (value: unknown) => typeof value === 'string' || value instanceof Secret,
  },
  tokenFile: text,
  ca: text,
  signal: thing,
};

/** Asks nothing yet. @throws ProxyError config_invalid */
export async function openAdmin(options: AdminOptions): Promise<Admin> {
  requireKnownOptions('openAdmin', options, optionForms);
  const { server, socket, token, tokenFile, ca } = options;
  if ((server === undefined) === (socket === undefined)) throw invalid('give one of server and socket');
  if (token !== undefined && tokenFile !== undefined) throw invalid('give one of token and tokenFile');
  if (socket === undefined && token === undefined && tokenFile === undefined)
    throw invalid('with which token? Give token or tokenFile');
  if (ca !== undefined) {
    if (socket !== undefined) throw invalid('ca goes with server');
    requireCertificate(ca, 'ca');
  }
  const place = socket ?? serverOf(String(server));
  if (place === undefined || place === '')
    throw invalid(
      'server must be https://host:port, or http:// with a loopback address, and nothing behind it',
    );
  const given = token instanceof Secret ? token.reveal() : token;
  const first = tokenFile === undefined ? given : await readSmall(tokenFile);
  return new Admin(options, place, first === undefined ? undefined : readToken(first));
}

function invalid(why: string): ProxyError {
  return new ProxyError('config_invalid', `openAdmin: ${why}`);
}

/** The admin API of one gateway, or of several on one store. Dispose it. Calls throw AdminError, and ProxyError `cancelled` or `timeout`. */
export class Admin extends AdminCalls implements AsyncDisposable {
  readonly #connection: AdminConnection;
  readonly #over: AbortController;

  constructor(
    { tokenFile, ca, signal }: AdminOptions,
    server: URL | string,
    token: Secret<string> | undefined,
  ) {
    const connection = new AdminConnection({ server, ca, token, connectionsMax });
    const over = new AbortController();
    let known = token?.reveal();
    super({
      connection,
      signal: signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]),
      renewToken: async () => {
        if (tokenFile === undefined) return false;
        const now = readToken(await readSmall(tokenFile));
        const isOther = now.reveal() !== known;
        known = now.reveal();
        connection.useToken(now);
        return isOther;
      },
    });
    this.#connection = connection;
    this.#over = over;
  }

  /**
   * A token that starts one session, or with `kind: 'proxy'` one for clients without an agent. The gateway must let this role issue them
   * (`admin.sessionTokens`).
   */
  issueToken(wish: TokenWish, options: CallOptions = {}): Promise<IssuedToken> {
    return issueToken(this, wish, options);
  }

  /** Issues a token into a file for a container, and says which environment goes with it. */
  async startSession(
    wish: SessionWish & ContainerPlaces,
    options: CallOptions = {},
  ): Promise<StartedSession> {
    requireContainerPlaces(wish);
    return await StartedSession.start(this, wish, options);
  }

  /** Ends a session and waits until every gateway has confirmed it. One that is over already is no fault. */
  endSession(id: string, options: EndOptions = {}): Promise<EndedSession> {
    return endSession(this, id, options);
  }

  /** The oldest request for access that waits for a decision, or the next one. @throws ProxyError timeout; AdminError */
  async nextAccessRequest(
    { session }: { readonly session?: string },
    { timeoutMs, signal }: Omit<WaitOptions, 'after'>,
  ): Promise<AccessRequest> {
    const of = session === undefined ? {} : { session };
    return await this.within(timeoutMs, signal, 'nobody asked for access', async (until) => {
      await using events = await this.events({ kind: 'session', ...of }, { signal: until });
      const oldest = async (): Promise<AccessRequest | undefined> => {
        let found: AccessRequest | undefined;
        for await (const one of this.each('accessRequests', { state: 'pending', ...of }, { signal: until }))
          found = one;
        return found;
      };
      let found = await oldest();
      if (found !== undefined) return found;
      for await (const item of events) {
        if (item.kind === 'event' && item.event.action !== 'access_requested') continue;
        found = await oldest();
        if (found !== undefined) return found;
      }
      throw new ProxyError('cancelled', 'the wait ended');
    });
  }

  /** Grants what was asked for. It holds at a gateway within 2 s; `confirm` waits for all. */
  grant(id: string, terms: GrantTerms, options: CallOptions = {}): Promise<AccessRequest> {
    return this.api.grantAccess({ id, body: terms }, options);
  }

  /** Publishes a policy, and waits until every gateway has taken that. @throws AdminError state_changed if somebody else published meanwhile */
  async publishPolicy(name: string, wish: PolicyWish, options: CallOptions = {}): Promise<PublishedPolicy> {
    const { files, note, for: binding, seen = await this.#publishedNumber(name, options) } = wish;
    const body = {
      files: files.map((file) => ({ name: file.name, text: file.text })),
      seen,
      ...(binding === undefined ? {} : { for: { ...binding } }),
      ...(note === undefined ? {} : { note }),
    };
    const published = await this.api.publishPolicy({ id: name, body }, options);
    return { ...published, confirmation: await this.confirm(options) };
  }

  /** Publishes an earlier version again, and waits until every gateway has taken that. */
  async rollBackPolicy(
    name: string,
    { to, note, seen: given }: { readonly to: number; readonly note?: string; readonly seen?: number },
    options: CallOptions = {},
  ): Promise<PublishedPolicy> {
    const seen = given ?? (await this.#publishedNumber(name, options));
    const body = { to, seen, ...(note === undefined ? {} : { note }) };
    const published = await this.api.rollBackPolicy({ id: name, body }, options);
    return { ...published, confirmation: await this.confirm(options) };
  }

  async #publishedNumber(id: string, { signal }: CallOptions): Promise<number> {
    try {
      return (await this.api.publishedPolicy({ id }, signal === undefined ? {} : { signal })).number;
    } catch (error) {
      if (error instanceof ProxyError && error.code === 'operation_unknown') return 0;
      throw error;
    }
  }

  /** Ends what still runs, with `cancelled`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#connection[Symbol.asyncDispose]();
  }
}
