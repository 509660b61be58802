// Log-in of a person by a browser: to the identity provider, back with a code, and then a session in a cookie.

import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { logInPath } from '../../api/admin/log-in-path.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type LimitName } from '../../protocol/limits.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import type { OidcSettings } from '../config/oidc-settings.ts';
import { administratorUse } from './administrator-use.ts';
import { isConsolePage } from './console-assets.ts';
import type { LogInBounds } from './log-in-bounds.ts';
import {
  cookieField,
  cookieOf,
  endedCookieField,
  logInCookieName,
  sessionCookieName,
} from './log-in-cookies.ts';
import { logInPage, logInPageFields } from './log-in-page.ts';
import type { LogInSeal } from './log-in-seal.ts';
import { type LogInSessions, operatorNameOf } from './log-in-sessions.ts';
import type { OidcProvider } from './oidc-provider.ts';
import type { Operator } from './operator.ts';
import { roleOfPerson } from './person.ts';

export interface BrowserLogInOptions {
  readonly settings: Pick<OidcSettings, 'issuer' | 'roles'>;
  readonly provider: Pick<OidcProvider, 'begin' | 'finish' | 'logOutUrl'>;
  readonly sessions: LogInSessions;
  readonly seal: LogInSeal;
  readonly bounds: LogInBounds;
  readonly sessionMs: number;
  readonly clock: () => number;
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  readonly record: (step: SessionStep) => Promise<void>;
  readonly onLimit: (limit: LimitName) => void;
  /** Of somebody who is not known: bounded in time, and never waits. */
  readonly onFailed: (step: Omit<SessionStep, 'action'>) => void;
}

/** A request whose host is one of ours. */
interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly port: number;
  readonly search: URLSearchParams;
  /** Of this listener, as the browser writes it. */
  readonly origin: string;
}

export const callbackPath = `${logInPath}/callback`;
/** A view with its filter; a longer one is not gone back to. */
const toCharactersMax = 1_500;
const csrfHeader = 'x-csrf-token';
/** A page that nobody has touched for a while says so. */
const unattendedHeader = 'x-unattended';

export class BrowserLogIn {
  readonly #options: BrowserLogInOptions;
  readonly #administratorUse = administratorUse();

  constructor(options: BrowserLogInOptions) {
    this.#options = options;
  }

  /** Host and path of the provider, for people to read. */
  get providerName(): string {
    return this.#options.settings.issuer.replace(/^https:\/\//, '').replace(/\/$/, '');
  }

  /** Whether it was the log-in that was asked for; the response is then sent. Never throws. */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    { port, traceId }: { readonly port: number; readonly traceId: string },
  ): Promise<boolean> {
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    if (path !== logInPath && path !== callbackPath) return false;
    // The host is one of ours, so it makes a URL.
    const { origin } = new URL(`https://${request.headers.host ?? ''}`);
    const visit: Visit = { request, response, port, origin, search: new URLSearchParams(query) };
    try {
      if (request.method !== 'GET') throw new ProxyError('method_refused', 'log-in is by GET');
      if (path === logInPath) await this.#begin(visit);
      else await this.#comeBack(visit);
    } catch (error) {
      this.#refuse(visit, asProxyError(error), traceId);
    }
    return true;
  }

  async #begin({ request, response, port, origin, search }: Visit): Promise<void> {
    const { provider, seal, bounds, clock } = this.#options;
    // A page of others could make somebody log in, or use up their log-ins.
    if (!['same-origin', 'none'].includes(String(request.headers['sec-fetch-site'])))
      throw new ProxyError(
        'operator_refused',
        'a log-in begins at the console itself, in a browser of today',
      );
    const nowMs = clock();
    bounds.begin(request.socket.remoteAddress, nowMs);
    const redirectUri = `${origin}${callbackPath}`;
    const { url, checks } = await provider.begin(redirectUri);
    const { logInLifetimeMs } = defaultLimits;
    const remembered = { ...checks, redirectUri, untilMs: nowMs + logInLifetimeMs };
    const sealed = seal.seal({ ...remembered, to: consolePlace(search.get('to'), origin) });
    if (sealed === undefined)
      throw new ProxyError('usage', 'the log-in has more to remember than a cookie holds');
    send(response, url, [cookieField(logInCookieName(port), sealed, logInLifetimeMs)]);
  }

  async #comeBack({ request, response, port, origin, search }: Visit): Promise<void> {
    const { provider, sessions, seal, bounds, sessionMs, settings, clock } = this.#options;
    const { cookie } = request.headers;
    const nowMs = clock();
    const sealed = cookieOf(cookie, logInCookieName(port));
    const logIn = sealed === undefined ? undefined : seal.open(sealed, nowMs);
    if (logIn === undefined || logIn.redirectUri !== `${origin}${callbackPath}`)
      throw new ProxyError(
        'operator_unknown',
        'the log-in took too long, or was begun in another browser; begin it anew',
      );
    if (search.get('state') !== logIn.state)
      throw new ProxyError(
        'operator_unknown',
        'this is the end of another log-in than was begun last; begin it anew',
      );
    bounds.use(logIn.state, logIn.untilMs, nowMs);
    using _place = bounds.enter();
    const person = await provider.finish(new URL(`${logIn.redirectUri}?${search.toString()}`), logIn);
    const match = roleOfPerson(person, settings.roles);
    if (match === undefined) {
      const { groups, ...who } = person;
      const message = `${operatorNameOf(person)} was not logged in: none of their groups has a role.`;
      await this.#options.record({
        action: 'operator_log_in_failed',
        nowMs: clock(),
        message,
        details: { ...who, groups: groups.slice(0, 50) },
      });
      throw new ProxyError(
        'operator_refused',
        'the identity provider knows you, and none of your groups has a role here; ask an administrator of this gateway',
      );
    }
    await sessions.replace(cookieOf(cookie, sessionCookieName(port)), clock());
    const secret = await sessions.begin(person, match, clock());
    send(response, logIn.to, [
      cookieField(sessionCookieName(port), secret, sessionMs),
      endedCookieField(logInCookieName(port)),
    ]);
  }

  #refuse({ response, port, search, origin, request }: Visit, error: ProxyError, traceId: string): void {
    const { onFailed, onLimit, clock } = this.#options;
    if (error.limit !== undefined) onLimit(error.limit);
    // Those whose person is known have an event of their own.
    if (error.code !== 'operator_refused') onFailed({ nowMs: clock(), error, traceId });
    const isBack = (request.url ?? '').startsWith(callbackPath);
    const again = isBack
      ? logInPath
      : `${logInPath}?${new URLSearchParams({ to: consolePlace(search.get('to'), origin) })}`;
    const text =
      error.code === 'internal' ? 'The gateway has a fault; its log has the cause.' : sentence(error.message);
    if (error.retryAfterSeconds !== undefined) response.setHeader('retry-after', error.retryAfterSeconds);
    if (isBack) response.setHeader('set-cookie', endedCookieField(logInCookieName(port)));
    const status = error.httpStatus;
    response
      .writeHead(status, { ...logInPageFields, connection: 'close' })
      .end(logInPage({ text, traceId, again }));
  }

  /** Who asks by the cookie; undefined where there is none. @throws ProxyError operator_unknown, operator_refused */
  async operatorOf(
    { headers, method = '' }: Pick<IncomingMessage, 'headers' | 'method'>,
    port: number,
    nowMs: number,
  ): Promise<Operator | undefined> {
    const secret = cookieOf(headers.cookie, sessionCookieName(port));
    if (secret === undefined) return undefined;
    // A cookie comes with whatever a browser sends here, so the browser has to say that this origin's own page asks.
    if (headers['sec-fetch-site'] !== 'same-origin')
      throw new ProxyError('operator_refused', 'only the console asks by a cookie (Sec-Fetch-Site)');
    const isAttended = headers[unattendedHeader] === undefined;
    const operator = await this.#options.sessions.operatorOf(secret, nowMs, isAttended);
    if (method !== 'GET') requireOwnWrite(headers, operator);
    return operator;
  }

  /** Ends a session. Gives where the person logs out of the provider too, if that is anywhere. */
  async logOut(operator: Operator, host: string | undefined): Promise<string | undefined> {
    const { sessions, provider, clock } = this.#options;
    await sessions.end(operator, clock());
    return await provider.logOutUrl(new URL(`https://${host ?? ''}/`).href);
  }

  /** Of a response behind which the browser has no session any more. */
  endedCookie(port: number): string {
    return endedCookieField(sessionCookieName(port));
  }

  /** A token that works without the provider was used: who has one can do everything, and nobody else sees who it is. */
  async noteToken(operator: Operator): Promise<void> {
    const { record, clock } = this.#options;
    await this.#administratorUse(operator, clock(), record);
  }
}

/** The origin is sent with every write; the token is known to pages of this origin alone. @throws ProxyError operator_refused */
function requireOwnWrite(headers: IncomingHttpHeaders, { browser }: Operator): void {
  const { origin = '', host = '' } = headers;
  const sent = Buffer.from(String(headers[csrfHeader] ?? ''));
  const wanted = Buffer.from(browser?.csrf ?? '');
  const isTokenRight = wanted.length > 0 && sent.length === wanted.length && timingSafeEqual(sent, wanted);
  if (origin.toLowerCase() === `https://${host}`.toLowerCase() && isTokenRight) return;
  throw new ProxyError(
    'operator_refused',
    `a write by a cookie has its Origin and ${csrfHeader}; load the page anew`,
  );
}

/** A page of the console to go back to; the first one for everything else, so that no link leads elsewhere by way of here. */
function consolePlace(to: string | null, origin: string): string {
  if (to === null || to.length > toCharactersMax || !to.startsWith('/') || !URL.canParse(to, origin))
    return '/';
  const { origin: found, pathname, search } = new URL(to, origin);
  return found === origin && isConsolePage(pathname) ? `${pathname}${search}` : '/';
}

function send(response: ServerResponse, location: string, cookies: readonly string[]): void {
  response
    .writeHead(303, {
      location,
      'set-cookie': [...cookies],
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'content-length': 0,
    })
    .end();
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
