// A session as an orchestrator starts one: a token in a file for the container, and the session once its agent has begun it.

import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import type { OutputOf } from '../api/admin/routes.ts';
import type { AuditEvent } from '../api/audit-event.ts';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { Secret } from '../protocol/secret.ts';
import { writePrivateFile } from '../system/private-file.ts';
import type { AdminCalls, CallOptions, Confirmation, WaitOptions } from './admin-calls.ts';
import { AdminError } from './admin-error.ts';

export type Session = OutputOf<'session'>;

/** Whose session it is to be. */
export interface SessionWish {
  readonly subject: string;
  /** Further claims, for policies to look at. */
  readonly claims?: Readonly<Record<string, ClaimValue | readonly ClaimValue[]>>;
  /** Within what time the agent must start it; as the gateway is configured by default. */
  readonly seconds?: number;
}

/** What a token is for. */
export interface TokenWish extends SessionWish {
  /** `proxy`: for clients without an agent, which show it with each connection for `seconds`, an hour by default. */
  readonly kind?: 'session' | 'proxy';
  /** Of a proxy token: the addresses that it may come from, such as `10.1.0.0/16`. */
  readonly networks?: readonly string[];
}

type ClaimValue = string | number | boolean;

export interface IssuedToken {
  /** Starts one session; one of kind `proxy` belongs to one for as long as it is good. */
  readonly token: Secret<string>;
  /** The claim `jti` of its session. */
  readonly id: string;
  readonly principal: string;
  readonly expires: string;
}

export interface ContainerPlaces {
  /** `https://` address of the gateway, as the container reaches it. */
  readonly gateway: string;
  /** Where the container finds the PEM file of the gateway's authority; by default it trusts what its system does. */
  readonly gatewayCaFile?: string;
  /** Where the token is written, with mode 0600. The file must not be there. */
  readonly tokenFile: string;
  /** Where the container finds it; the same path by default. */
  readonly tokenFileInContainer?: string;
}

export interface EndOptions {
  /** Stands in the audit, and the agent is told. */
  readonly reason?: string;
  /** For how long to wait until every gateway has confirmed it; 30 s by default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface EndedSession {
  readonly session: Session;
  readonly confirmation: Confirmation;
}

/** @throws AdminError */
export async function issueToken(
  { api }: AdminCalls,
  { subject, claims, seconds, kind, networks }: TokenWish,
  options: CallOptions,
): Promise<IssuedToken> {
  const body = {
    subject,
    ...(kind === undefined ? {} : { kind }),
    ...(networks === undefined ? {} : { networks: [...networks] }),
    ...(claims === undefined ? {} : { claims: copyOf(claims) }),
    ...(seconds === undefined ? {} : { seconds }),
  };
  const { token, ...issued } = await api.issueSessionToken({ body }, options);
  return { ...issued, token: new Secret(token) };
}

/** Lists that may be written, as the schema has them. */
function copyOf(claims: NonNullable<SessionWish['claims']>): Record<string, ClaimValue | ClaimValue[]> {
  return Object.fromEntries(
    Object.entries(claims).map(([name, value]) => [name, isList(value) ? [...value] : value]),
  );
}

function isList(value: ClaimValue | readonly ClaimValue[]): value is readonly ClaimValue[] {
  return Array.isArray(value);
}

/** What was begun for one container. */
export class StartedSession {
  /** What the container's environment needs for `upstreamproxy agent` and `run`. There is no secret in it. */
  readonly env: Readonly<Record<string, string>>;
  /** The claim `jti` of the session. */
  readonly tokenId: string;
  readonly principal: string;
  /** Until when the agent must have started it. */
  readonly expires: string;
  readonly tokenFile: string;
  readonly #calls: AdminCalls;
  readonly #after: string | undefined;
  #session: Session | undefined;

  private constructor(
    calls: AdminCalls,
    { id, principal, expires }: IssuedToken,
    { places, after }: { readonly places: ContainerPlaces; readonly after: string | undefined },
  ) {
    const { gateway, gatewayCaFile, tokenFile, tokenFileInContainer = tokenFile } = places;
    this.#calls = calls;
    this.#after = after;
    this.tokenId = id;
    this.principal = principal;
    this.expires = expires;
    this.tokenFile = tokenFile;
    this.env = {
      UPSTREAMPROXY_GATEWAY: gateway,
      ...(gatewayCaFile === undefined ? {} : { UPSTREAMPROXY_GATEWAY_CA: gatewayCaFile }),
      UPSTREAMPROXY_TOKEN_FILE: tokenFileInContainer,
    };
  }

  /** Issues a token and writes its file. @throws AdminError, ProxyError config_invalid */
  static async start(
    calls: AdminCalls,
    wish: SessionWish & ContainerPlaces,
    options: CallOptions,
  ): Promise<StartedSession> {
    // Before the token: what the agent does with it comes behind this event.
    const after = (await calls.api.exchanges({ query: { count: 1 } }, options)).items.at(0)?.id;
    const issued = await issueToken(calls, wish, options);
    await writePrivateFile(wish.tokenFile, issued.token.reveal());
    return new StartedSession(calls, issued, { places: wish, after });
  }

  /** Waits until the agent has begun the session, and gives it. @throws ProxyError timeout; AdminError */
  async ready({ timeoutMs, signal }: Omit<WaitOptions, 'after'>): Promise<Session> {
    const { api } = this.#calls;
    const query = { kind: 'session', principal: this.principal } as const;
    return await this.#calls.within(timeoutMs, signal, 'no agent started the session', async (until) => {
      // A supervisor that starts the agent again before the commit makes another session with the same token.
      const own = new Set<string>();
      const isCommit = ({ action, sessionId, details }: AuditEvent): boolean => {
        if (sessionId === undefined) return false;
        if (action === 'enrolled' && tokenIdOf(details) === this.tokenId) own.add(sessionId);
        return action === 'committed' && own.has(sessionId);
      };
      const found = await this.#find(until);
      if (found?.state === 'committed') return (this.#session = found);
      if (found !== undefined) own.add(found.id);
      const wait = { after: this.#after, timeoutMs, signal: until };
      const { sessionId = '' } = await this.#calls.nextEvent(query, wait, isCommit);
      return (this.#session = await api.session({ id: sessionId }, { signal: until }));
    });
  }

  /**
   * Takes the token back, so that it starts nothing from here on, ends the session, if there is one, and overwrites and removes the token's file.
   * Undefined: no agent had begun one. @throws AdminError
   */
  async end(options: EndOptions = {}): Promise<EndedSession | undefined> {
    const { reason, signal } = options;
    const body = reason === undefined ? {} : { reason };
    const asked = { id: this.tokenId, body };
    const [taken, erased] = await Promise.allSettled([
      this.#calls.api.withdrawSessionToken(asked, signal === undefined ? {} : { signal }),
      eraseFile(this.tokenFile),
    ]);
    // A session ends also where the token could not be taken back.
    const known = this.#session?.id ?? (taken.status === 'fulfilled' ? taken.value.session : undefined);
    const id = known ?? (taken.status === 'fulfilled' ? undefined : (await this.#find(signal))?.id);
    const ended = id === undefined ? undefined : await endSession(this.#calls, id, options);
    for (const part of [taken, erased]) if (part.status === 'rejected') throw part.reason;
    return ended;
  }

  async #find(signal: AbortSignal | undefined): Promise<Session | undefined> {
    const options = signal === undefined ? {} : { signal };
    for await (const session of this.#calls.each('sessions', {}, options))
      if (session.claims['jti'] === this.tokenId) return session;
    return undefined;
  }
}

/** A mount of the file itself sees it empty. What the container put in its place is removed, and not written to. */
async function eraseFile(path: string): Promise<void> {
  await overwrite(path).catch(() => undefined);
  await unlink(path).catch((error: unknown) => {
    // The agent erases it.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  });
}

async function overwrite(path: string): Promise<void> {
  const { O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const held = await open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const facts = await held.stat();
    if (!facts.isFile() || facts.nlink !== 1) return;
    await held.write(Buffer.alloc(Math.min(facts.size, defaultLimits.tokenBytesMax)), 0, undefined, 0);
    await held.sync();
    await held.truncate(0);
  } finally {
    await held.close();
  }
}

/** Of an event that tells of an enrolment. */
function tokenIdOf(details: AuditEvent['details']): unknown {
  const claims: unknown = details?.['claims'];
  return typeof claims === 'object' && claims !== null && 'jti' in claims ? claims.jti : undefined;
}

/** Ends it, and waits until every gateway has confirmed that. One that is over already is no fault. @throws ProxyError timeout; AdminError */
export async function endSession(
  calls: AdminCalls,
  id: string,
  { reason, timeoutMs, signal }: EndOptions = {},
): Promise<EndedSession> {
  const options = signal === undefined ? {} : { signal };
  const body = reason === undefined ? {} : { reason };
  const session = await calls.api.revokeSession({ id, body }, options).catch(async (error: unknown) => {
    if (!(error instanceof AdminError) || error.code !== 'state_changed') throw error;
    const now = await calls.api.session({ id }, options);
    if (now.state === 'ended' || now.state === 'revoked') return now;
    throw error;
  });
  const wait = timeoutMs === undefined ? options : { ...options, timeoutMs };
  return { session, confirmation: await calls.confirm(wait) };
}

/** For one that lacks something. @throws ProxyError usage */
export function requireContainerPlaces({ gateway, tokenFile }: ContainerPlaces): void {
  if (!URL.canParse(gateway) || new URL(gateway).protocol !== 'https:')
    throw new ProxyError('usage', 'gateway must be the https:// address of the gateway');
  if (tokenFile === '') throw new ProxyError('usage', 'tokenFile must be a path');
}
