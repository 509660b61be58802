// What a rule with `leaks` does about a request on its way out: its head is judged before anything is sent, its body as it passes.

import type { Transform } from 'node:stream';
import type { LeakFacts } from '../../api/audit-facts.ts';
import type { HeaderList } from '../../http/header-list.ts';
import type { RequestHead } from '../../http/message-head.ts';
import type { AllowDecision, Principal } from '../../policy/decision.ts';
import type { RuleLeaks } from '../../policy/leak-rule.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { HeldOctets } from '../../protocol/held-octets.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { CredentialSet } from '../credentials/credential-set.ts';
import { throughTransform } from '../credentials/request/body-rewrite.ts';
import { BodyGuard, type OnLeak } from '../leaks/body-guard.ts';
import { CodedBodyGuard, isSearchableCoding } from '../leaks/coded-body-guard.ts';
import { redactFields, searchFields, searchHead } from '../leaks/head-search.ts';
import type { LeakLedger } from '../leaks/leak-ledger.ts';
import { type LeakMatch, LeakSearch, type LeakSought } from '../leaks/leak-search.ts';
import type { LeakTable } from '../leaks/leak-table.ts';
import { WebSocketGuard } from '../leaks/websocket-guard.ts';
import { bordersOf } from '../scrub/body-borders.ts';
import { type Borders, noBorders } from '../scrub/borders.ts';
import { foreignCharset } from '../scrub/searchable-response.ts';
import { bodyDigestFields } from './body-digests.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { ownerOf } from './spending-accounts.ts';

export interface LeakWatchOptions {
  readonly leaks: RuleLeaks;
  readonly decision: AllowDecision;
  readonly table: LeakTable;
  /** Placeholders, which look like what they stand for. */
  readonly placeholders: readonly string[];
  readonly sessionId: string;
  /** In whose name matches are counted. */
  readonly owner: string;
  readonly held: HeldOctets;
  readonly ledger: LeakLedger | undefined;
  readonly record: ExchangeRecord;
}

type Place = LeakFacts['place'];
type SentBody = Pick<ClientExchange, 'body' | 'signal' | 'sendContinue'>;

/** In these a letter of ASCII is that letter, with octets of zero beside it. */
const wideCharset = /^utf-?(?:16|32)(?:le|be)?$/i;

export interface LeakParts {
  readonly credentials: Pick<CredentialSet, 'leaks' | 'placeholders'>;
  readonly held: HeldOctets;
  readonly leakLedger?: LeakLedger;
  readonly clock: () => number;
}

/** Whether the rule has anything searched. */
export function isSearched({ leaks, screen }: Pick<AllowDecision, 'leaks' | 'screen'>): boolean {
  return leaks !== undefined || screen !== undefined;
}

/** Undefined where the rule searches for nothing. @throws ProxyError credential_unavailable */
export async function leakWatchOf(
  decision: AllowDecision,
  principal: Principal,
  { credentials, held, leakLedger: ledger, clock }: LeakParts,
  record: ExchangeRecord,
): Promise<LeakWatch | undefined> {
  const { leaks } = decision;
  if (!isSearched(decision)) return undefined;
  // Responses are searched for canaries, too.
  const isSought = leaks?.find.includes('credential') === true;
  const { table, fault } = await currentTable(credentials, isSought, clock());
  if (leaks === undefined) return undefined;
  if (fault !== undefined && leaks.on !== 'alert') throw fault;
  if (fault !== undefined)
    record.found({ leak: { kind: 'unsearched', name: fault.message, place: 'body', action: 'told' } });
  const placeholders = Object.values(credentials.placeholders);
  const owner = ownerOf(principal);
  const { sessionId } = principal;
  return new LeakWatch({ leaks, decision, table, placeholders, sessionId, owner, held, ledger, record });
}

/** With what could be had, and why that is not all. Commands and Vaults are waited for where credentials are sought. */
async function currentTable(
  { leaks }: LeakParts['credentials'],
  isSought: boolean,
  nowMs: number,
): Promise<{ readonly table: LeakTable; readonly fault?: ProxyError }> {
  if (!isSought) return { table: await leaks.currentUnasked(nowMs) };
  try {
    return { table: await leaks.current(nowMs) };
  } catch (error) {
    // Of what is too long to be searched for there is no table either.
    return { table: leaks.table, fault: asProxyError(error) };
  }
}

export class LeakWatch {
  readonly #options: LeakWatchOptions;
  readonly #sought: LeakSought;

  constructor(options: LeakWatchOptions) {
    this.#options = options;
    const { leaks, decision, table, placeholders } = options;
    this.#sought = {
      table,
      kinds: new Set(leaks.find),
      own: new Set(decision.inject.map(({ credential }) => credential)),
      allowed: new Set(leaks.allow),
      placeholders,
    };
  }

  /** The head that may go on. @throws ProxyError leak_found */
  judgeHead(head: RequestHead): RequestHead {
    const { leaks, ledger, owner } = this.#options;
    if (ledger?.isExceeded(owner) === true) throw this.#exceeded();
    const found = searchHead(head, this.#sought);
    if (found.length === 0) return head;
    const isInFields = found.every(({ place }) => place === 'field');
    const headers =
      leaks.on === 'redact' && isInFields ? redactFields(head.headers, this.#sought) : undefined;
    let fault: ProxyError | undefined;
    for (const { match, place } of found) fault = this.#found(match, place, headers !== undefined) ?? fault;
    if (fault !== undefined) throw fault;
    return headers === undefined ? head : { ...head, headers };
  }

  /** The client with a body as it may go on. @throws ProxyError leak_found, limit_exceeded */
  guarded(client: SentBody, { headers }: RequestHead): SentBody {
    const { body, signal } = client;
    const guard = this.#guardOf(headers);
    if (guard === undefined) return client;
    this.#hold(defaultLimits.leakWindowBytes);
    const guarded = throughTransform(body, guard);
    this.#options.record.keeps(() => {
      body.unpipe(guard);
      guard.destroy();
    });
    return { body: guarded, signal, sendContinue: () => client.sendContinue() };
  }

  /** @throws ProxyError leak_found */
  judgeTrailers(trailers: HeaderList): HeaderList {
    if (trailers.size === 0) return trailers;
    for (const match of searchFields(trailers, this.#sought)) {
      const fault = this.#found(match, 'trailer', false);
      if (fault !== undefined) throw fault;
    }
    return trailers;
  }

  /** What the client sends on a WebSocket goes through it. */
  webSocketGuard(onEnd: (fault: ProxyError) => void): Transform {
    this.#hold(defaultLimits.leakWindowBytes);
    const searches = { messages: new LeakSearch(this.#sought), controls: new LeakSearch(this.#sought) };
    return new WebSocketGuard({ searches, onEnd, onLeak: this.#onLeak('message', false) });
  }

  #guardOf(headers: HeaderList): Transform | undefined {
    const coding = headers.all('content-encoding').join(', ').trim().toLowerCase();
    const search = new LeakSearch(this.#sought);
    const why = unsearchable(headers, coding);
    if (why !== undefined) {
      const fault = this.#unsearchable(why);
      if (fault !== undefined) throw fault;
      return undefined;
    }
    if (coding !== '' && coding !== 'identity')
      return new CodedBodyGuard({
        coding,
        search,
        onLeak: this.#onLeak('body', false),
        hold: (octets) => this.#hold(octets),
        onUnsearchable: (reason) => this.#unsearchable(`its ${coding} cannot be read: ${reason}`),
      });
    const canRedact = ![...headers].some(([name]) => bodyDigestFields.test(name));
    return new BodyGuard({
      search,
      isWaiting: this.#options.leaks.on !== 'alert',
      borders: this.#borders(headers),
      decoded: isForm(headers) ? new LeakSearch(this.#sought) : undefined,
      onLeak: this.#onLeak('body', canRedact),
    });
  }

  /** Of a form that cannot be searched no border lets anything go: the first octet of it is refused. */
  #borders(headers: HeaderList): Borders {
    if (this.#options.leaks.on === 'alert') return noBorders;
    const refused = (): ProxyError | undefined =>
      this.#unsearchable('it has parts or messages that are encoded');
    const guarded = <Result>(run: () => Result): Result => {
      try {
        return run();
      } catch (error) {
        throw refused() ?? error;
      }
    };
    const borders = guarded(() => bordersOf(headers.all('content-type').join(', '), ''));
    return { last: (text, from) => guarded(() => borders.last(text, from)) };
  }

  #onLeak(place: Place, canRedact: boolean): OnLeak {
    return (match, isKept) => this.#found(match, place, canRedact && isKept);
  }

  /** It is told, and counted. Gives the error that ends the request, where it may not go on. */
  #found({ kind, name, hash }: LeakMatch, place: Place, canRedact: boolean): ProxyError | undefined {
    const { leaks, record, ledger, owner } = this.#options;
    const action =
      leaks.on === 'alert' ? 'told' : leaks.on === 'redact' && canRedact ? 'redacted' : 'blocked';
    record.found({ leak: { kind, name, place, action, ...(hash === undefined ? {} : { hash }) } });
    ledger?.count(owner);
    if (ledger?.isExceeded(owner) === true) return this.#exceeded();
    return action === 'blocked' ? blocked(kind, name, place) : undefined;
  }

  #unsearchable(why: string): ProxyError | undefined {
    const { leaks, record } = this.#options;
    const action = leaks.on === 'alert' ? 'told' : 'blocked';
    record.found({ leak: { kind: 'unsearched', name: why, place: 'body', action } });
    if (leaks.on === 'alert') return undefined;
    return new ProxyError('leak_found', `the body cannot be searched for what may not leave: ${why}`);
  }

  #exceeded(): ProxyError {
    return new ProxyError(
      'leak_found',
      'the session tried too often to send what may not leave (leakMatchesMax)',
      { limit: 'leakMatchesMax' },
    );
  }

  #hold(octets: number): void {
    const { held, sessionId, record } = this.#options;
    record.keeps(held.reserve(sessionId, octets).release);
  }
}

const places: Readonly<Record<Place, string>> = {
  url: 'its URL',
  field: 'its fields',
  body: 'its body',
  trailer: 'its trailers',
  message: 'a message of its WebSocket',
};
const kinds = { credential: 'the credential', shape: 'what looks like' } as const;

/** What a canary is, is for the audit alone. */
function blocked(kind: LeakMatch['kind'], name: string, place: Place): ProxyError {
  return new ProxyError(
    'leak_found',
    `the request has ${kind === 'canary' ? 'a value' : `${kinds[kind]} ${name}`} in ${places[place]}, which may not leave by this rule`,
  );
}

function isForm(headers: HeaderList): boolean {
  return headers.all('content-type').some((type) => type.toLowerCase().includes('x-www-form-urlencoded'));
}

/** Why a body is not searched; undefined if it is. */
function unsearchable(headers: HeaderList, coding: string): string | undefined {
  if (coding !== '' && coding !== 'identity' && !isSearchableCoding(coding))
    return 'its Content-Encoding is none that the gateway reads';
  const charset = foreignCharset(headers.all('content-type').join(', '));
  return charset === undefined || wideCharset.test(charset)
    ? undefined
    : 'it is in a charset in which ASCII is not ASCII';
}
