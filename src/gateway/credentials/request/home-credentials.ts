// Secrets of the caller's home and environment, which the embedded gateway puts on in place of what stands for them in the command's files
// and variables. They open nothing: the policy has decided before, and they go only to the places that they are for.

import { Buffer } from 'node:buffer';
import type { RequestHead } from '../../../http/message-head.ts';
import type { AllowDecision, RuleReference } from '../../../policy/decision.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { HomeCredential } from '../../../protocol/home-credential.ts';
import type { Limits } from '../../../protocol/limits.ts';
import { Secret } from '../../../protocol/secret.ts';
import { SearchedCredential, searchedValues, TableBudget } from '../../scrub/searched-credential.ts';
import type { SearchedValues } from '../../scrub/response-scrubber.ts';
import { askSearchable } from '../../scrub/searchable-response.ts';
import { asFieldValue } from './field-value.ts';
import { RevealingRequests } from './revealing-requests.ts';

/** What requests may be made with them. */
export type HomeCredentialUse = 'read' | 'write';

export interface HomeInjection {
  readonly head: RequestHead;
  /** The name for the audit. */
  readonly name: string;
  readonly searched: SearchedValues | undefined;
  /** The response may bring a token that nobody spoke of. */
  readonly looksForTokens: boolean;
}

interface Entry {
  readonly credential: HomeCredential;
  readonly secret: Secret<string>;
  readonly searched: SearchedCredential;
}

/** Where a placeholder stands, and what is to stand there. */
interface Spot {
  readonly entry: Entry;
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

export class HomeCredentials {
  readonly #use: HomeCredentialUse;
  /** One for each place that it is for. */
  readonly #byPlaceholder = new Map<string, Entry[]>();
  readonly #fields = new Set<string>();
  readonly #revealing = new RevealingRequests(Date.now);

  constructor(credentials: readonly HomeCredential[], use: HomeCredentialUse, limits: Limits) {
    this.#use = use;
    const tables = new TableBudget(limits);
    for (const credential of credentials) {
      const { name, placeholder, field = 'authorization' } = credential;
      const entry = {
        credential,
        secret: new Secret(credential.secret),
        searched: new SearchedCredential(name, tables),
      };
      this.#byPlaceholder.set(placeholder, [...(this.#byPlaceholder.get(placeholder) ?? []), entry]);
      this.#fields.add(field);
    }
  }

  /**
   * The head with the secret on it; undefined if none is meant, or it is meant for another place.
   * @throws ProxyError policy_denied for more than a read, credential_unavailable
   */
  inject(
    head: RequestHead,
    { homeWrites, rule }: Pick<AllowDecision, 'homeWrites' | 'rule'>,
  ): HomeInjection | undefined {
    if (head.destination.scheme !== 'https') return undefined;
    const spot = this.#spotIn(head);
    if (spot === undefined) return undefined;
    const { credential, secret, searched } = spot.entry;
    const isOfFile = credential.isVariable !== true;
    if (isOfFile && this.#use === 'read' && homeWrites !== true && !isRead(head))
      throw refusedWrite(head, credential.name, rule);
    const revealed = this.#revealing.reasonOf(head, credential);
    if (revealed !== undefined) throw refusedSecret(head, credential.name, revealed);
    searched.note([secret]);
    const own = head.headers.without(spot.name).with(spot.name, spot.value);
    // Decoded where an origin does not heed that.
    const headers = askSearchable(own, { decode: false, keepsRange: false });
    const looksForTokens = credential.service?.plainTokens !== true;
    return {
      head: { ...head, headers },
      name: credential.name,
      searched: searchedValues([searched]),
      looksForTokens,
    };
  }

  #spotIn(head: RequestHead): Spot | undefined {
    for (const name of this.#fields) {
      const [value, ...more] = head.headers.all(name);
      if (value === undefined || more.length > 0) continue;
      const spot = this.#wholeIn(head, name, value) ?? this.#partIn(head, name, value);
      if (spot !== undefined) return spot;
    }
    return undefined;
  }

  /** The one that is for this place, and goes into this field. */
  #entryAt(head: RequestHead, name: string, placeholder: string): Entry | undefined {
    return this.#byPlaceholder
      .get(placeholder)
      ?.find(
        ({ credential }) => (credential.field ?? 'authorization') === name && isAtPlace(head, credential),
      );
  }

  /** The whole value, as some services take keys: of variables alone. */
  #wholeIn(head: RequestHead, name: string, value: string): Spot | undefined {
    const entry = this.#entryAt(head, name, value);
    return entry?.credential.isVariable !== true
      ? undefined
      : { entry, name, value: asFieldValue(entry.secret.reveal()) };
  }

  /** Behind a scheme, or as user or password of Basic; nowhere else. */
  #partIn(head: RequestHead, name: string, value: string): Spot | undefined {
    const [, scheme = '', rest = ''] = /^([A-Za-z][A-Za-z0-9-]{0,30}) ([\x21-\x7e]+)$/.exec(value) ?? [];
    if (name !== 'authorization' || scheme === '') return undefined;
    const whole = this.#entryAt(head, name, rest);
    if (whole !== undefined)
      return { entry: whole, name, value: `${scheme} ${asFieldValue(whole.secret.reveal())}` };
    if (scheme.toLowerCase() !== 'basic') return undefined;
    const pair = Buffer.from(rest, 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    if (colon === -1) return undefined;
    const [user, password] = [pair.slice(0, colon), pair.slice(colon + 1)];
    const asPassword = this.#entryAt(head, name, password);
    if (asPassword !== undefined)
      return { entry: asPassword, name, value: basic(`${user}:${asPassword.secret.reveal()}`) };
    const asUser = this.#entryAt(head, name, user);
    if (asUser === undefined || asUser.secret.reveal().includes(':')) return undefined;
    return { entry: asUser, name, value: basic(`${asUser.secret.reveal()}:${password}`) };
  }
}

function basic(pair: string): string {
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

function isAtPlace({ destination, path }: RequestHead, { place }: HomeCredential): boolean {
  if (destination.host !== place.host || destination.port !== place.port) return false;
  return place.path === '/' || path === place.path || path.startsWith(`${place.path}/`);
}

/** What changes nothing at the origin: reads, and the fetch of git, which asks by POST. */
function isRead({ method, path, query }: RequestHead): boolean {
  if (method === 'POST') return path.endsWith('/git-upload-pack');
  if (method !== 'GET' && method !== 'HEAD') return false;
  // With it a push begins, which says more clearly so that it may not.
  return !(path.endsWith('/info/refs') && query.includes('git-receive-pack'));
}

function refusedWrite({ method, destination }: RequestHead, name: string, rule: RuleReference): ProxyError {
  // A grant and observe mode stand in no file.
  const byRule =
    rule.place === undefined ? '' : `, and so does homeCredentials: write in the rule ${rule.name}`;
  return new ProxyError(
    'policy_denied',
    `${method} to ${destination.host} would be made with a secret of the home (${name}), which serves reads alone; ` +
      `run --home-credentials=write allows writes with it${byRule}`,
  );
}

function refusedSecret({ method, destination }: RequestHead, name: string, reason: string): ProxyError {
  return new ProxyError(
    'policy_denied',
    `${method} to ${destination.host} would be made with a secret of the environment (${name}), which is not asked for more secrets: ` +
      `${reason}. run --keep-env NAME leaves the variable as it is`,
  );
}
