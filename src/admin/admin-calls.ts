// Every operation of the admin API as a typed call, with its repetitions; pages and events by iterators.

import { randomUUID } from 'node:crypto';
import {
  type AdminOperation,
  type AdminRoutes,
  adminRoutes,
  type BodyOf,
  type Of,
  isStreaming,
  type OutputOf,
  type StreamingOperation,
} from '../api/admin/routes.ts';
import type { AdminRoute } from '../api/admin/route.ts';
import type { AuditEvent } from '../api/audit-event.ts';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import type { AdminConnection } from './admin-connection.ts';
import { AdminError } from './admin-error.ts';
import { type Followed, FollowedEvents } from './followed-events.ts';
import { type ListPage, walkPages } from './page-walk.ts';
import { requireWanted, retried } from './retried-call.ts';
import { type Telling, toldResults } from './told-results.ts';

/** What an operation is asked: `id` where its path has one, `query` and `body` where it takes them. */
export type Asked<Operation extends AdminOperation> =
  (AdminRoutes[Operation]['path'] extends `${string}{${string}` ? { readonly id: string } : unknown) &
    (AdminRoutes[Operation] extends { readonly query: unknown }
      ? { readonly query?: Of<Operation, 'query'> }
      : unknown) &
    (AdminRoutes[Operation] extends { readonly body: unknown }
      ? { readonly body: BodyOf<Operation> }
      : unknown);

export interface CallOptions {
  /** Ends it, with `cancelled`. */
  readonly signal?: AbortSignal;
  /** For the call with all its tries; 60 s by default. */
  readonly timeoutMs?: number;
  /** Of a write; one is made for each call, and kept over its tries. */
  readonly idempotencyKey?: string;
  /** ETag that what is changed must still have. */
  readonly ifMatch?: string;
}

export type CallOperation = Exclude<AdminOperation, StreamingOperation>;

type Call<Operation extends CallOperation> =
  unknown extends Asked<Operation>
    ? (asked?: Readonly<Record<string, never>>, options?: CallOptions) => Promise<OutputOf<Operation>>
    : Readonly<Record<never, never>> extends Asked<Operation>
      ? (asked?: Asked<Operation>, options?: CallOptions) => Promise<OutputOf<Operation>>
      : (asked: Asked<Operation>, options?: CallOptions) => Promise<OutputOf<Operation>>;

export type Calls = { readonly [Operation in CallOperation]: Call<Operation> };

/** Operations that give pages, with the field of the query that takes their cursor; a list without one comes whole. */
const cursorFields = {
  sessions: 'before',
  accessRequests: 'before',
  exchanges: 'before',
  exportEvents: 'behind',
  openExchanges: 'after',
  policyHistory: 'before',
  credentials: undefined,
  uses: undefined,
  grantUses: undefined,
  hours: undefined,
  gateways: undefined,
  limits: undefined,
  tokens: undefined,
} as const satisfies { readonly [Operation in CallOperation]?: string | undefined };

export type PagedOperation = keyof typeof cursorFields;
export type ItemOf<Operation extends PagedOperation> = OutputOf<Operation>['items'][number];
export type EventQuery = Omit<Of<'follow', 'query'>, 'after'>;

export interface FollowOptions {
  /** Id of the event behind which it begins; what comes from now on by default. */
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TellOptions<Operation extends Telling> {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (told: OutputOf<Operation>) => void;
}

export interface WaitOptions extends FollowOptions {
  /** For how long to wait. */
  readonly timeoutMs: number;
}

/** Which gateways have taken all that was revoked, granted and published until then. */
export type Confirmation = OutputOf<'changes'>;

interface Loose {
  readonly id?: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: object;
}

export interface CallNeeds {
  readonly connection: AdminConnection;
  /** Ends all calls. */
  readonly signal: AbortSignal;
  /** Whether there is another token now, which the next try has. */
  readonly renewToken: () => Promise<boolean>;
}

export class AdminCalls {
  /** Each operation of the OpenAPI document, by its name there. */
  readonly api: Calls;
  readonly #needs: CallNeeds;

  constructor(needs: CallNeeds) {
    this.#needs = needs;
    const names = Object.keys(adminRoutes).filter((name) => !isStreaming(name as AdminOperation));
    // One function for each operation, which the type tells apart.
    this.api = Object.fromEntries(
      names.map((name) => [
        name,
        (asked: Loose = {}, options: CallOptions = {}) => this.#call(name as CallOperation, asked, options),
      ]),
    ) as unknown as Calls;
  }

  /** Pages, one after the other; only one is in memory. @throws AdminError, ProxyError cancelled */
  pages<Operation extends PagedOperation>(
    operation: Operation,
    query: Of<Operation, 'query'> = {} as Of<Operation, 'query'>,
    options: Omit<CallOptions, 'idempotencyKey' | 'ifMatch'> = {},
  ): AsyncGenerator<readonly ItemOf<Operation>[], void> {
    // Every query is an object of names and values.
    const given = query as Readonly<Record<string, unknown>>;
    const field = given['after'] === undefined ? cursorFields[operation] : 'after';
    const ask = async (cursor: string | undefined): Promise<ListPage<ItemOf<Operation>>> => {
      const at = cursor === undefined || field === undefined ? {} : { [field]: cursor };
      // Pages of one operation are of one form, which the compiler cannot follow into the table.
      return (await this.#call(operation, { query: { ...given, ...at } }, options)) as unknown as ListPage<
        ItemOf<Operation>
      >;
    };
    return walkPages({ server: this.#needs.connection.place, operation }, ask);
  }

  /** The items of all pages. @throws AdminError, ProxyError cancelled */
  async *each<Operation extends PagedOperation>(
    ...asked: Parameters<typeof this.pages<Operation>>
  ): AsyncGenerator<ItemOf<Operation>, void> {
    for await (const items of this.pages<Operation>(...asked)) yield* items;
  }

  /** Follows events; once it resolves, none that is stored is missed without a `gap`. Dispose it. @throws AdminError */
  async events(query: EventQuery = {}, { after, signal }: FollowOptions = {}): Promise<FollowedEvents> {
    const { connection } = this.#needs;
    const either = signal === undefined ? this.#needs.signal : AbortSignal.any([signal, this.#needs.signal]);
    const newestId = async (until: AbortSignal): Promise<string | undefined> =>
      (await this.api.exchanges({ query: { count: 1 } }, { signal: until })).items.at(0)?.id;
    const rules = {
      asked: { server: connection.place, operation: 'follow' },
      attemptsMax: defaultLimits.adminCallAttemptsMax,
      timeoutMs: defaultLimits.adminCallTimeoutMs,
      signal: either,
    };
    // Known from the start, so that a stream that is cut before its first event goes on without a gap.
    const begin = after ?? (await newestId(either));
    return await this.#withToken(() =>
      retried(rules, () =>
        FollowedEvents.open({ connection, query: texts(query), after: begin, newestId, signal: either }),
      ),
    );
  }

  /**
   * The next event of those that `fits` takes. @throws ProxyError timeout, and operation_unknown where events were lost between
   * `after` and now; AdminError
   */
  async nextEvent(
    query: EventQuery,
    { timeoutMs, after, signal }: WaitOptions,
    fits: (event: AuditEvent) => boolean = () => true,
  ): Promise<AuditEvent> {
    return await this.within(timeoutMs, signal, 'no such event came', async (until) => {
      await using events = await this.events(query, { after, signal: until });
      for await (const item of events) {
        if (item.kind === 'gap') throw lostEvents(item);
        if (fits(item.event)) return item.event;
      }
      throw new ProxyError('cancelled', 'the wait ended');
    });
  }

  /**
   * Which recorded requests a policy would decide otherwise, over the whole audit: it takes minutes, and `onProgress` hears each second how far it
   * is. Nothing is tried again: it belongs to the connection. @throws AdminError, ProxyError cancelled
   */
  async replayWhole(
    body: BodyOf<'replayWhole'>,
    options: TellOptions<'replayWhole'> = {},
  ): Promise<NonNullable<OutputOf<'replayWhole'>['result']>> {
    return await this.#told('replayWhole', body, ({ result }) => result, options);
  }

  /** Whether anybody changed what is stored; as `replayWhole`. @throws AdminError, ProxyError cancelled */
  async verifyAudit(
    body: BodyOf<'verifyAudit'> = {},
    options: TellOptions<'verifyAudit'> = {},
  ): Promise<NonNullable<OutputOf<'verifyAudit'>['report']>> {
    return await this.#told('verifyAudit', body, ({ report }) => report, options);
  }

  async #told<Operation extends Telling, Result>(
    operation: Operation,
    body: object,
    resultOf: (told: OutputOf<Operation>) => Result | undefined,
    { signal, onProgress }: TellOptions<Operation>,
  ): Promise<Result> {
    const { connection, signal: over } = this.#needs;
    const either = signal === undefined ? over : AbortSignal.any([signal, over]);
    return await this.#withToken(async () => {
      for await (const one of toldResults(connection, operation, { body }, either)) {
        const result = resultOf(one);
        if (result !== undefined) return result;
        onProgress?.(one);
      }
      const fault = { server: connection.place, operation };
      throw new AdminError(
        'admin_unreachable',
        `${connection.place}: it ended before there was a result`,
        fault,
      );
    });
  }

  /** Waits until every gateway has what was done until now. @throws ProxyError timeout, which names those that have not; AdminError */
  async confirm({
    timeoutMs = 30_000,
    signal,
  }: Omit<CallOptions, 'ifMatch' | 'idempotencyKey'> = {}): Promise<Confirmation> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const beganMs = performance.now();
      const leftMs = Math.max(0, endMs - beganMs);
      const wait = Math.min(10, Math.floor(leftMs / 1000));
      const callMs = Math.min(leftMs + defaultLimits.adminConfirmGraceMs, defaultLimits.adminCallTimeoutMs);
      const limits = { timeoutMs: callMs, ...(signal === undefined ? {} : { signal }) };
      const said = await this.api.changes({ query: { wait } }, limits).catch((error: unknown) => {
        const isOfTime = error instanceof AdminError && (error.isPassing || error.code === 'timeout');
        if (!isOfTime || performance.now() < endMs) throw error;
        const late = `it is done, and within ${timeoutMs / 1000} s nobody said which gateways have it`;
        throw new ProxyError('timeout', late, { cause: error });
      });
      if (said.missing.length === 0) return said;
      // It gave back sooner than it was asked to wait.
      const tooSoonMs = Math.min(1000, wait * 1000 - (performance.now() - beganMs));
      if (performance.now() + Math.max(tooSoonMs, 0) >= endMs || wait === 0)
        throw new ProxyError(
          'timeout',
          `it is done, and within ${timeoutMs / 1000} s not confirmed by ${said.missing.join(', ')}`,
        );
      if (tooSoonMs > 0) await new Promise((resolve) => setTimeout(resolve, tooSoonMs));
    }
  }

  /** What `act` comes to within that time. @throws ProxyError timeout */
  async within<T>(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    late: string,
    act: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const deadline = AbortSignal.timeout(Math.ceil(timeoutMs));
    try {
      return await act(signal === undefined ? deadline : AbortSignal.any([deadline, signal]));
    } catch (error) {
      requireWanted(signal);
      if (!deadline.aborted) throw error;
      throw new ProxyError('timeout', `${late} within ${timeoutMs / 1000} s`, { cause: error });
    }
  }

  async #call<Operation extends CallOperation>(
    operation: Operation,
    { id, query = {}, body }: Loose,
    { signal, timeoutMs = defaultLimits.adminCallTimeoutMs, idempotencyKey, ifMatch }: CallOptions,
  ): Promise<OutputOf<Operation>> {
    const route: AdminRoute = adminRoutes[operation];
    // A path of dots would be another path.
    if (route.path.includes('{') && (typeof id !== 'string' || ['', '.', '..'].includes(id)))
      throw new ProxyError('usage', `${operation} needs the id of what it is about`);
    const isWrite = route.method !== 'GET' && route.asks !== true && route.isOpen !== true;
    const key = isWrite ? { idempotencyKey: idempotencyKey ?? randomUUID() } : {};
    const question = { ...(id === undefined ? {} : { id }), query: texts(query), body, ifMatch, ...key };
    const { connection, signal: over } = this.#needs;
    const rules = {
      asked: { server: connection.place, operation },
      attemptsMax: defaultLimits.adminCallAttemptsMax,
      timeoutMs,
      signal: signal === undefined ? over : AbortSignal.any([signal, over]),
    };
    return await this.#withToken(() =>
      retried(rules, (until) => connection.ask(operation, { ...question, signal: until })),
    );
  }

  /** A token file may have been renewed. */
  async #withToken<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const isUnknown = error instanceof AdminError && error.code === 'operator_unknown';
      if (!isUnknown || !(await this.#needs.renewToken())) throw error;
      return await act();
    }
  }
}

function lostEvents({ after }: Extract<Followed, { kind: 'gap' }>): ProxyError {
  const behind = after === undefined ? '' : ` behind ${after}`;
  return new ProxyError(
    'operation_unknown',
    `events${behind} are lost, and the one that is waited for may be among them: look at what is now, and wait anew`,
  );
}

/** As they stand in a query. */
function texts(query: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(query)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  );
}
