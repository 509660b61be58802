// The admin API as the console asks it: same origin, the token in a header or the session in its cookie, every response checked for being one.

import type { AdminOperation, OutputOf } from '../../api/admin/routes.ts';

/** A refusal of the API or of the way to it, in words for a person. */
export class ApiFault extends Error {
  override readonly name = 'ApiFault';
  /** Undefined where no response came. */
  readonly status: number | undefined;

  constructor(message: string, status?: number, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/** What went wrong, for a person. */
export function faultText(error: unknown): string {
  return error instanceof ApiFault ? error.message : 'The page has a fault.';
}

export type Fetch = typeof fetch;

export interface AskOptions {
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

export const responseTimeoutMs = 20_000;

/** By what somebody is known: a token that this tab has, or a session whose cookie no page can read. */
export type Entrance =
  | { readonly by: 'token'; readonly token: string }
  /** `csrf` goes with what it writes. */
  | { readonly by: 'session'; readonly csrf: string };

export interface AdminClientOptions {
  readonly entrance: Entrance;
  readonly fetch: Fetch;
  /** Told when who asks is known no longer. */
  readonly onUnknown: () => void;
  /** Whether somebody is at the page: only then a session is used. */
  readonly isAttended?: () => boolean;
}

export class AdminClient {
  readonly #entrance: Entrance;
  readonly #isAttended: () => boolean;
  readonly #fetch: Fetch;
  readonly #onUnknown: () => void;
  readonly #over = new AbortController();

  constructor({ entrance, fetch, onUnknown, isAttended = () => true }: AdminClientOptions) {
    this.#entrance = entrance;
    this.#isAttended = isAttended;
    this.#fetch = fetch;
    this.#onUnknown = onUnknown;
  }

  /** Who had it has logged out: what it still asks ends, and nobody is told of what comes of it. */
  close(): void {
    this.#over.abort();
  }

  /** @throws ApiFault */
  async get<Operation extends AdminOperation>(
    _operation: Operation,
    path: string,
    { query = {}, signal }: AskOptions = {},
  ): Promise<OutputOf<Operation>> {
    const response = await this.#ask(withQuery(path, query), { signal: bounded(signal) });
    return (await bodyOf(response)) as OutputOf<Operation>;
  }

  /** A write, or a question with a body. Sent once more it is the same act: the key says so. @throws ApiFault */
  async post<Operation extends AdminOperation>(
    _operation: Operation,
    path: string,
    body?: object,
  ): Promise<OutputOf<Operation>> {
    const headers = { 'content-type': 'application/json', 'idempotency-key': newKey() };
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    const init = { method: 'POST', headers, ...text, signal: bounded() };
    return (await bodyOf(await this.#ask(path, init))) as OutputOf<Operation>;
  }

  /** Ends what is there. @throws ApiFault */
  async remove<Operation extends AdminOperation>(
    _operation: Operation,
    path: string,
  ): Promise<OutputOf<Operation>> {
    const init = { method: 'DELETE', headers: { 'idempotency-key': newKey() }, signal: bounded() };
    return (await bodyOf(await this.#ask(path, init))) as OutputOf<Operation>;
  }

  /** The body of a response that goes on; with a body of its own it is asked by POST. @throws ApiFault */
  async stream(
    path: string,
    { query = {}, signal, body }: AskOptions & { readonly body?: object },
  ): Promise<ReadableStream<Uint8Array>> {
    const headers = { 'content-type': 'application/json' };
    const asked = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) };
    const response = await this.#ask(withQuery(path, query), { ...asked, signal: signal ?? null });
    if (response.body === null) throw new ApiFault('the stream has no body', response.status);
    return response.body;
  }

  #fields(method: string): Readonly<Record<string, string>> {
    const entrance = this.#entrance;
    if (entrance.by === 'token') return { authorization: `Bearer ${entrance.token}` };
    return {
      ...(method === 'GET' ? {} : { 'x-csrf-token': entrance.csrf }),
      ...(this.#isAttended() ? {} : { 'x-unattended': '1' }),
    };
  }

  async #ask(path: string, init: RequestInit): Promise<Response> {
    const headers = { ...init.headers, ...this.#fields(init.method ?? 'GET') };
    const over = this.#over.signal;
    const signal = init.signal instanceof AbortSignal ? AbortSignal.any([init.signal, over]) : over;
    const asked: RequestInit = {
      ...init,
      signal,
      headers,
      credentials: this.#entrance.by === 'session' ? 'same-origin' : 'omit',
      cache: 'no-store',
      redirect: 'error',
    };
    const response = await this.#fetch(path, asked).catch((error: unknown) => {
      throw new ApiFault('The gateway cannot be reached.', undefined, error);
    });
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status === 401 && !over.aborted) this.#onUnknown();
    throw new ApiFault(problem, response.status);
  }
}

/** How one can log in here. @throws ApiFault */
export async function askLogInWays(ask: Fetch): Promise<OutputOf<'logInWays'>> {
  const response = await ask('/v1/log-in', {
    credentials: 'omit',
    cache: 'no-store',
    redirect: 'error',
    signal: AbortSignal.timeout(responseTimeoutMs),
  }).catch((error: unknown) => {
    throw new ApiFault('The gateway cannot be reached.', undefined, error);
  });
  if (!response.ok) throw new ApiFault(await problemOf(response), response.status);
  return (await bodyOf(response)) as OutputOf<'logInWays'>;
}

/** `randomUUID` is for pages of a secure origin alone. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (octet) => octet.toString(16)).join('-');
}

/** A segment of a path that holds an id. */
export function segment(id: string): string {
  return encodeURIComponent(id);
}

function withQuery(path: string, query: NonNullable<AskOptions['query']>): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}

function bounded(signal?: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(responseTimeoutMs);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    throw new ApiFault('The response of the gateway is not JSON.', response.status, error);
  }
}

/** RFC 9457. */
export async function problemOf(response: Response): Promise<string> {
  const value: unknown = await response.json().catch(() => undefined);
  if (typeof value === 'object' && value !== null && 'detail' in value && typeof value.detail === 'string')
    return value.detail;
  return `The gateway refused it with status ${response.status}.`;
}
